use super::*;
use crate::codec::comfort_noise::{Background, Generator, level_of, mean_square};
use crate::opus_ffi::Decoder;

const FRAME: usize = 160;
/// The rates that libopus is given; calls are at 8 and 16 kHz.
const RATES_HZ: [u32; 3] = [8000, 16_000, 48_000];
/// A tone of -14 dBov, as exchanges send it.
const TONE: f32 = 9000.0;

fn voice() -> OpusVoice {
    saving(8000, 5)
}

fn saving(rate_hz: u32, complexity: i32) -> OpusVoice {
    let mut voice = OpusVoice::new(rate_hz, complexity).expect("libopus is there");
    voice.save_silence(20);
    voice
}

fn tone(n: usize) -> Vec<i16> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
    let sample = |k: usize| ((k as f32 * 0.5).sin() * 6000.0 * (k as f32 * 0.002).sin()) as i16;
    (n * FRAME..(n + 1) * FRAME).map(sample).collect()
}

/// These frequencies in Hz, together as loud as [`TONE`], for so many ms.
fn tones(rate_hz: u32, hz: &[f32], ms: u32) -> Vec<i16> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
    let sample = |n: u32| {
        let turns = n as f32 / rate_hz as f32 * std::f32::consts::TAU;
        (hz.iter().map(|hz| (hz * turns).sin()).sum::<f32>() * TONE / (hz.len() as f32).sqrt()) as i16
    };
    (0..ms * rate_hz / 1000).map(sample).collect()
}

/// Noise at this level in -dBov; a smooth one has little above 1 kHz at 8 kHz, as a room or a car.
fn noise(level: u8, is_smooth: bool, ms: usize) -> Vec<i16> {
    let mut background = vec![level];
    background.extend(is_smooth.then_some([20, 200]).into_iter().flatten());
    let mut samples = vec![0; ms * 8];
    Generator::new(Background::parse(&background).expect("a level")).fill(&mut samples);
    samples
}

/// Lengths of the payloads of so many frames.
fn lengths(voice: &mut OpusVoice, frames: impl IntoIterator<Item = Vec<i16>>) -> Vec<usize> {
    let mut payload = [0; 960];
    frames.into_iter().map(|frame| voice.encode(&frame, &mut payload).expect("a legal frame")).collect()
}

/// Which of so many frames are encoded, and not the last one again.
fn encoded(voice: &mut OpusVoice, frames: impl IntoIterator<Item = Vec<i16>>) -> Vec<bool> {
    let mut payload = [0; 960];
    let mut is_new = |frame: Vec<i16>| {
        voice.encode(&frame, &mut payload).expect("a legal frame");
        let economy = voice.economy.as_ref().expect("silence is saved");
        economy.kept.as_ref().is_none_or(|kept| kept.left == economy.period)
    };
    frames.into_iter().map(&mut is_new).collect()
}

/// What a peer hears of this.
fn heard(voice: &mut OpusVoice, samples: &[i16]) -> Vec<i16> {
    let mut decoder = Decoder::new(voice.rate_hz.cast_signed()).expect("libopus is there");
    let mut payload = [0; 960];
    let frames = samples.chunks_exact(voice.rate_hz as usize / 50);
    let hear = |frame: &[i16]| {
        let len = voice.encode(frame, &mut payload).expect("a legal frame");
        let mut heard = vec![0; frame.len()];
        decoder.decode(&payload[..len], &mut heard).expect("our own");
        heard
    };
    frames.flat_map(hear).collect()
}

/// The level of each 100 ms, in -dBov.
fn levels(samples: &[i16], rate_hz: u32) -> Vec<u8> {
    samples.chunks_exact(rate_hz as usize / 10).map(|part| level_of(mean_square(part))).collect()
}

/// Asserts that it is heard as it is said, within `db`: every 100 ms in which, and before and after which, nothing changes.
#[track_caller]
fn assert_heard(voice: &mut OpusVoice, said: &[i16], db: u8) {
    let rate_hz = voice.rate_hz;
    let (said, heard) = (levels(said, rate_hz), levels(&heard(voice, said), rate_hz));
    for (n, around) in said.windows(3).enumerate().filter(|(_, around)| around.iter().all(|level| *level == around[1]))
    {
        assert!(heard[n + 1].min(90).abs_diff(around[1].min(90)) <= db, "{rate_hz} Hz, {n}: {said:?} {heard:?}");
    }
}

#[test]
fn a_steady_tone_arrives_at_its_level_at_every_effort() {
    for rate_hz in RATES_HZ {
        for complexity in 0..=10 {
            for hz in [&[425.0][..], &[440.0, 480.0], &[1000.0], &[2100.0]] {
                assert_heard(&mut saving(rate_hz, complexity), &tones(rate_hz, hz, 4000), 1);
            }
        }
    }
}

#[test]
fn a_ringback_of_two_seconds_begins_and_ends_at_once() {
    for rate_hz in RATES_HZ {
        for complexity in 0..=10 {
            let ring = tones(rate_hz, &[440.0, 480.0], 2000);
            let pause = vec![0; 2 * ring.len()];
            // Wherever a tone sets in, little effort takes 3 dB off or on for a moment.
            assert_heard(&mut saving(rate_hz, complexity), &[&ring[..], &pause, &ring].concat(), 3);
        }
    }
}

#[test]
fn a_car_is_heard_all_the_time() {
    for is_smooth in [false, true] {
        let mut voice = voice();
        let said = noise(40, is_smooth, 10_000);
        assert!(encoded(&mut voice, said.chunks(FRAME).map(<[i16]>::to_vec)).iter().all(|is_new| *is_new));
        // Of noise, libopus gives less back; but steadily.
        let heard = &levels(&heard(&mut voice, &said), 8000)[1..];
        assert!(heard.iter().all(|level| (39..=45).contains(level)), "{heard:?}");
    }
}

#[test]
fn a_background_that_can_hardly_be_heard_is_saved_and_goes_on() {
    let mut voice = voice();
    let said = noise(75, false, 10_000);
    let heard = &levels(&heard(&mut voice, &said), 8000)[1..];
    assert!(heard.iter().all(|heard| heard.abs_diff(75) <= 6), "{heard:?}");
    let encoded = encoded(&mut voice, said.chunks(FRAME).map(<[i16]>::to_vec));
    assert!(encoded.iter().filter(|is_new| **is_new).count() < encoded.len() / 5, "{encoded:?}");
}

/// How alike these samples are to those of so many samples later: 1 the same, 0 not at all.
fn likeness(samples: &[i16], later: usize) -> f32 {
    let product = |pair: &[i16]| f32::from(pair[0]) * f32::from(pair[later]);
    let power: f32 = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    samples.windows(later + 1).map(product).sum::<f32>() / power
}

#[test]
fn a_background_that_is_heard_does_not_buzz() {
    for rate_hz in [8000, 16_000] {
        for level in [62, 66, 69] {
            let heard = heard(&mut saving(rate_hz, 5), &noise(level, false, 10 * rate_hz as usize / 8));
            let likeness = likeness(&heard, rate_hz as usize / 50);
            assert!(likeness < 0.1, "{rate_hz} Hz, -{level} dBov: {likeness}");
        }
    }
}

#[test]
fn a_copy_in_a_frame_of_silence_is_silent() {
    for level in [75, 127] {
        let mut voice = voice();
        voice.set_expected_loss(20);
        let mut decoder = Decoder::new(8000).expect("libopus is there");
        let talk: Vec<i16> = (50..100).flat_map(tone).collect();
        let (talk_frames, mut payload) = (talk.len() / FRAME, [0; 960]);
        for (n, frame) in [talk, noise(level, false, 2000)].concat().chunks(FRAME).enumerate() {
            let len = voice.encode(frame, &mut payload).expect("a legal frame");
            let mut heard = [0; FRAME];
            // Every other packet is lost; the frame in its place is the next one's copy.
            if n % 2 == 1 {
                decoder.recover(&payload[..len], &mut heard).expect("our own");
                let is_talk = n <= talk_frames + 1; // Opus is 6.5 ms late
                let level = level_of(mean_square(&heard));
                assert!(is_talk || level > 60, "-{level} dBov, {n}");
                decoder.decode(&payload[..len], &mut heard).expect("our own");
            }
        }
    }
}

#[test]
fn of_silence_one_frame_in_400_ms_is_encoded() {
    for (frame_ms, period) in [(20, 20), (40, 10), (60, 6), (100, 4), (120, 3)] {
        let mut voice = OpusVoice::new(8000, 5).expect("libopus is there");
        voice.save_silence(frame_ms);
        let encoded = encoded(&mut voice, vec![vec![8; frame_ms as usize * 8]; 100]);
        let times: Vec<usize> = (20..encoded.len()).filter(|n| encoded[*n]).collect();
        assert!(!times.is_empty() && times.windows(2).all(|pair| pair[1] - pair[0] == period), "{frame_ms}: {times:?}");
    }
}

#[test]
fn talk_after_silence_is_sent_from_its_first_frame() {
    for quiet_frames in 20..60 {
        let mut voice = voice();
        lengths(&mut voice, vec![vec![8; FRAME]; quiet_frames]);
        let mut faint = vec![8; FRAME];
        faint[120..].iter_mut().step_by(2).for_each(|sample| *sample = -60);
        assert!(encoded(&mut voice, [faint])[0], "after {quiet_frames} frames");
        let loud = lengths(&mut voice, (50..60).map(tone));
        assert!(loud.iter().all(|len| *len > 10), "{loud:?}");
    }
}

#[test]
fn a_word_after_silence_is_as_loud_as_one_that_nothing_was_saved_before() {
    let said = [vec![0; 100 * FRAME], (50..75).flat_map(tone).collect()].concat();
    let mut plain = OpusVoice::new(8000, 5).expect("libopus is there");
    let (saved, whole) = (heard(&mut voice(), &said), heard(&mut plain, &said));
    let (saved, whole) = (levels(&saved, 8000), levels(&whole, 8000));
    assert!(
        saved[20..].iter().zip(&whole[20..]).all(|(saved, whole)| saved.abs_diff(*whole) <= 3),
        "{saved:?} {whole:?}"
    );
}

#[test]
fn without_being_asked_silence_is_encoded() {
    let mut voice = OpusVoice::new(8000, 5).expect("libopus is there");
    let quiet = lengths(&mut voice, vec![vec![0; FRAME]; 100]);
    assert!(quiet.iter().all(|len| *len > 2));
}

#[test]
fn copies_are_sent_only_to_those_who_lose_packets() {
    let mut voice = voice();
    let size = |lengths: &[usize]| lengths[20..].iter().sum::<usize>();
    let plain = size(&lengths(&mut voice, (0..100).map(tone)));
    voice.set_expected_loss(10);
    let with_copies = size(&lengths(&mut voice, (100..200).map(tone)));
    assert!(with_copies > plain, "{with_copies} {plain}");
    voice.set_expected_loss(250);
    voice.set_expected_loss(0);
    voice.set_complexity(99);
    assert!(size(&lengths(&mut voice, (200..300).map(tone))) < with_copies);
}

#[test]
fn nothing_of_before_a_reset_is_heard_after_it() {
    let (mut voice, mut payload) = (voice(), [0; 200]);
    for n in 1..10 {
        voice.encode(&tone(n), &mut payload).expect("a frame");
    }
    voice.reset();
    let len = voice.encode(&[0; FRAME], &mut payload).expect("a frame");
    let mut decoder = Decoder::new(8000).expect("libopus is there");
    let mut samples = [0; FRAME];
    decoder.decode(&payload[..len], &mut samples).expect("our own");
    let peak = samples.iter().map(|sample: &i16| sample.unsigned_abs()).max();
    assert!(peak < Some(8), "{peak:?}");
}

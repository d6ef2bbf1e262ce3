use super::*;
use crate::codec::{Encoder, MAX_PAYLOAD};
use crate::opus_ffi::{self, Setting};

const SPOKEN: &[Codec] = &[
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Opus,
    #[cfg(feature = "g729")]
    Codec::G729,
];

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `count` packets of a tone of this amplitude.
fn tone(codec: Codec, amplitude: f64, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, RATE_HZ, 20, 5).unwrap();
    let frame: Vec<i16> = (0..160_u32)
        .map(|i| {
            #[expect(clippy::cast_possible_truncation, reason = "within 16 bits")]
            let sample = (amplitude * (f64::from(i) * std::f64::consts::TAU / 16.0).sin()) as i16;
            sample
        })
        .collect();
    (0..count).map(|_| packet(|payload| encoder.encode(&frame, payload).unwrap())).collect()
}

fn packet(encode: impl FnOnce(&mut [u8; MAX_PAYLOAD]) -> usize) -> Vec<u8> {
    let mut payload = [0; MAX_PAYLOAD];
    let len = encode(&mut payload);
    payload[..len].to_vec()
}

/// These packets, one each `gap_ms`; what was told, and when.
fn hear(meter: &mut Meter, codec: Codec, packets: &[Vec<u8>], from_ms: u64, gap_ms: u64) -> Vec<(u64, Event)> {
    let times = (0..).map(|n| from_ms + n * gap_ms);
    packets.iter().zip(times).filter_map(|(packet, now)| Some((now, meter.on_audio(at(now), codec, packet)?))).collect()
}

/// A tone of this amplitude in packets of 20 ms; what was told, and when.
fn listen(meter: &mut Meter, codec: Codec, amplitude: f64, from_ms: u64, count: usize) -> Vec<(u64, Event)> {
    hear(meter, codec, &tone(codec, amplitude, count), from_ms, 20)
}

#[test]
fn the_level_is_that_of_the_samples() {
    for &codec in SPOKEN {
        let mut meter = Meter::default();
        assert_eq!(meter.level_dbov(), None);
        listen(&mut meter, codec, 10_362.0, 0, 200);
        // 10 dB below full scale, and 3 because a sine's mean square is half of its peak's.
        let level = meter.level_dbov().unwrap();
        // To G.729 a tone is a poor voice.
        let most = if codec == Codec::G729 { 2.0 } else { 1.0 };
        assert!((level + 13.0).abs() < most, "{codec:?}: {level}");
        assert_eq!(meter.noise_dbov(), None);
    }
}

#[test]
fn what_is_heard_between_the_words_is_noise() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut meter = Meter::default();
        listen(&mut meter, codec, 46.3, 0, 200);
        let noise = meter.noise_dbov().unwrap();
        assert!((noise + 60.0).abs() < 1.5, "{codec:?}: {noise}");
        assert_eq!(meter.level_dbov(), None);
    }
}

/// The demo's greeting, and by a tenth of it.
fn speech() -> [Vec<i16>; 2] {
    let mut samples = Vec::new();
    let mut decoder = Decoder::new(Codec::Pcmu, RATE_HZ).unwrap();
    for codes in include_bytes!("../../../demo/prompts/hello.ul").chunks_exact(160) {
        decoder.decode(codes, &mut samples).unwrap();
    }
    let quiet = samples.iter().map(|sample| sample / 10).collect();
    [samples, quiet]
}

/// As Chromium sends it: 48 kHz, 32 kbit/s, a copy of the packet before in each.
fn opus_of_a_browser(samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = opus_ffi::Encoder::new(48_000).unwrap();
    for (setting, value) in
        [(Setting::Bitrate, 32_000), (Setting::Complexity, 9), (Setting::InbandFec, 1), (Setting::PacketLossPercent, 5)]
    {
        encoder.set(setting, value).unwrap();
    }
    let wide: Vec<i16> = samples.iter().flat_map(|sample| [*sample; 6]).collect();
    wide.chunks_exact(960).map(|frame| packet(|payload| encoder.encode(frame, payload).unwrap())).collect()
}

fn narrow(codec: Codec, samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, RATE_HZ, 20, 5).unwrap();
    samples.chunks_exact(160).map(|frame| packet(|payload| encoder.encode(frame, payload).unwrap())).collect()
}

fn dbov(powers: &[f64]) -> f64 {
    let speech: Vec<f64> = powers.iter().copied().filter(|power| *power >= SPEECH).collect();
    10.0 * (speech.iter().sum::<f64>() / f64::from(u32::try_from(speech.len()).unwrap()) / FULL_SCALE).log10()
}

/// Wherever in the stream the samples happen to be taken.
#[test]
fn the_level_of_speech_is_that_of_the_whole_stream() {
    for samples in speech() {
        for (codec, packets) in [
            (Codec::Opus, opus_of_a_browser(&samples)),
            (Codec::Opus, narrow(Codec::Opus, &samples)),
            (Codec::G722, narrow(Codec::G722, &samples)),
            (Codec::Pcma, narrow(Codec::Pcma, &samples)),
            #[cfg(feature = "g729")]
            (Codec::G729, narrow(Codec::G729, &samples)),
        ] {
            let (mut decoder, mut whole) = (Decoder::new(codec, RATE_HZ).unwrap(), Vec::new());
            for packet in &packets {
                decoder.decode(packet, &mut whole).unwrap();
            }
            let count = lessons(codec);
            let truth: Vec<f64> = whole.chunks(160).skip(count).step_by(3).filter_map(mean_square).collect();
            let rows = packets.windows(count + 1).step_by(3);
            let levels: Vec<f64> = rows.filter_map(|row| power(codec, &row[..count], &row[count])).collect();
            let (level, truth) = (dbov(&levels), dbov(&truth));
            assert!((level - truth).abs() < 1.0, "{codec:?}: {level} instead of {truth}");
        }
    }
}

#[test]
fn silence_from_the_start_is_told_once_within_five_seconds_and_taken_back() {
    for &codec in SPOKEN {
        let mut meter = Meter::default();
        let told = listen(&mut meter, codec, 0.0, 0, 1000);
        assert_eq!(told.len(), 1, "{codec:?}: {told:?}");
        assert!(told[0].0 <= 4700, "{codec:?}: {told:?}");
        assert_eq!(told[0].1, Event::Soundless);
        assert_eq!(meter.level_dbov(), None);
        let told = listen(&mut meter, codec, 8000.0, 30_000, 100);
        assert_eq!(told.len(), 1, "{codec:?}: {told:?}");
        assert_eq!(told[0].1, Event::Audible);
        assert!(listen(&mut meter, codec, 0.0, 60_000, 1000).is_empty(), "a pause is no fault");
    }
}

#[test]
fn silence_is_found_wherever_the_meter_begins() {
    for &codec in SPOKEN {
        let packets = tone(codec, 0.0, 300);
        for begin in 0..30 {
            let told = hear(&mut Meter::default(), codec, &packets[begin..], 0, 20);
            assert!(matches!(told[..], [(_, Event::Soundless)]), "{codec:?} from {begin}: {told:?}");
        }
    }
}

#[test]
fn silence_in_long_packets_is_told_as_soon() {
    let long: Vec<Vec<u8>> = vec![vec![0xff; 960]; 50];
    let told = hear(&mut Meter::default(), Codec::Pcmu, &long, 0, 120);
    assert!(matches!(told[..], [(..=4800, Event::Soundless)]), "{told:?}");
}

#[test]
fn one_click_is_no_sound_yet() {
    let mut meter = Meter::default();
    assert!(listen(&mut meter, Codec::Pcmu, 8000.0, 0, 1).is_empty());
    let told = listen(&mut meter, Codec::Pcmu, 0.0, 20, 1000);
    assert!(matches!(told[..], [(..=4700, Event::Soundless)]), "{told:?}");
}

#[test]
fn what_was_heard_before_the_answer_counts_no_more() {
    let mut meter = Meter::default();
    listen(&mut meter, Codec::Pcmu, 8000.0, 0, 100);
    assert_eq!(meter.restart(), None);
    assert_eq!(meter.level_dbov(), None, "ringback is no speech");
    let told = listen(&mut meter, Codec::Pcmu, 0.0, 2000, 300);
    assert!(matches!(told[..], [(..=6700, Event::Soundless)]), "{told:?}");
}

#[test]
fn silence_that_was_told_before_the_answer_is_taken_back_and_told_again() {
    let mut meter = Meter::default();
    assert_eq!(listen(&mut meter, Codec::Pcmu, 0.0, 0, 300).len(), 1);
    assert_eq!(meter.restart(), Some(Event::Audible));
    let told = listen(&mut meter, Codec::Pcmu, 0.0, 6000, 300);
    assert!(matches!(told[..], [(..=10_700, Event::Soundless)]), "{told:?}");
}

#[test]
fn long_digital_silence_of_a_peer_that_was_heard_is_told_and_taken_back() {
    for &codec in SPOKEN {
        let mut meter = Meter::default();
        assert!(listen(&mut meter, codec, 8000.0, 0, 100).is_empty());
        let told = listen(&mut meter, codec, 0.0, 2000, 2000);
        assert!(matches!(told[..], [(31_000..34_000, Event::Hushed)]), "{codec:?}: {told:?}");
        let told = listen(&mut meter, codec, 8000.0, 42_000, 100);
        assert!(matches!(told[..], [(_, Event::Audible)]), "{codec:?}: {told:?}");
    }
}

#[test]
fn one_faint_sample_does_not_break_digital_silence_but_two_do() {
    for (faint, told_at) in [(50, 31_000..34_000), (100, 38_000..41_000)] {
        let mut meter = Meter::default();
        listen(&mut meter, Codec::Pcmu, 8000.0, 0, 100);
        assert!(listen(&mut meter, Codec::Pcmu, 0.0, 2000, 250).is_empty());
        assert!(listen(&mut meter, Codec::Pcmu, 9.0, 7000, faint).is_empty());
        let told = listen(&mut meter, Codec::Pcmu, 0.0, 7000 + 20 * faint as u64, 2000);
        assert!(matches!(&told[..], [(at, Event::Hushed)] if told_at.contains(at)), "{faint}: {told:?}");
    }
}

#[test]
fn a_peer_that_only_listens_is_not_hushed() {
    let mut random = 1_u32;
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i16::try_from(random >> 28).unwrap() - 8
    };
    for &codec in SPOKEN {
        let mut meter = Meter::default();
        listen(&mut meter, codec, 8000.0, 0, 100);
        let room: Vec<i16> = (0..160 * 2000).map(|_| noise()).collect();
        assert!(hear(&mut meter, codec, &narrow(codec, &room), 2000, 20).is_empty(), "{codec:?}");
    }
}

#[test]
fn discontinuous_transmission_and_faint_noise_are_no_silence() {
    let sparse = tone(Codec::Opus, 0.0, 100);
    assert!(hear(&mut Meter::default(), Codec::Opus, &sparse, 0, 400).is_empty());
    let frames_without_audio = vec![vec![0x08]; 1000];
    assert!(hear(&mut Meter::default(), Codec::Opus, &frames_without_audio, 0, 20).is_empty());
    assert!(listen(&mut Meter::default(), Codec::Pcmu, 30.0, 0, 1000).is_empty());
}

#[test]
fn a_hold_begins_the_watch_again() {
    let mut meter = Meter::default();
    assert!(listen(&mut meter, Codec::Pcmu, 0.0, 0, 200).is_empty());
    meter.interrupt();
    assert!(listen(&mut meter, Codec::Pcmu, 0.0, 60_000, 200).is_empty());
    assert_eq!(listen(&mut meter, Codec::Pcmu, 0.0, 64_000, 100).len(), 1);
}

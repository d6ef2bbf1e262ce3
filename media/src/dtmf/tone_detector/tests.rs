//! The detector against ITU-T Q.24's table and against speech.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "samples and their times are small numbers"
)]

use std::f32::consts::TAU;

use super::*;

const KEYS: &str = "123A456B789C*0#D";

/// A noise of few words: uniform in -1..1.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// How a key is pressed.
#[derive(Clone, Copy)]
struct Press {
    key: char,
    ms: f32,
    pause_ms: f32,
    /// Level of each tone, in dBm0.
    levels: (f32, f32),
    /// Factors on the two frequencies.
    detune: (f32, f32),
    /// White noise below the louder tone, in dB; 0: none.
    snr_db: f32,
}

const CLEAN: Press =
    Press { key: '5', ms: 40.0, pause_ms: 40.0, levels: (-10.0, -8.0), detune: (1.0, 1.0), snr_db: 0.0 };

fn amplitude(dbm0: f32) -> f32 {
    32_767.0 * 10_f32.powf((dbm0 - 3.17) / 20.0)
}

fn sound(press: Press, offset: usize) -> Vec<i16> {
    let place = KEYS.find(press.key).unwrap();
    let (low_hz, high_hz) = (ROWS_HZ[place / 4] * press.detune.0, COLUMNS_HZ[place % 4] * press.detune.1);
    let (low, high) = (amplitude(press.levels.0), amplitude(press.levels.1));
    let noise = if press.snr_db > 0.0 { low.max(high) / 2_f32.sqrt() / 10_f32.powf(press.snr_db / 20.0) } else { 0.0 };
    let mut random = Noise(offset as u32 + 7);
    let (tone, pause) = ((press.ms * 8.0) as usize, (press.pause_ms * 8.0) as usize);
    let sample = |n: usize| {
        let time = (n as f32 - offset as f32) / 8000.0;
        let on = n >= offset && n < offset + tone;
        let tone = low * (low_hz * TAU * time).sin() + high * (high_hz * TAU * time).sin();
        (if on { tone } else { 0.0 }) + noise * 3_f32.sqrt() * random.next()
    };
    (0..offset + tone + pause).map(sample).map(|sample| sample.clamp(-32_768.0, 32_767.0) as i16).collect()
}

fn run(detector: &mut ToneDetector, samples: &[i16]) -> String {
    let mut keys = String::new();
    for frame in samples.chunks(160) {
        detector.push(frame, &mut |digit| keys.push(digit.as_char()));
    }
    keys
}

fn hear(samples: &[i16]) -> String {
    let mut detector = ToneDetector::default();
    let mut keys = run(&mut detector, samples);
    keys.extend(detector.finish().map(Digit::as_char));
    keys
}

/// How many of 51 presses, one at each place within a block, were heard as that one key.
fn heard(press: Press) -> usize {
    (0..51).filter(|&offset| hear(&sound(press, offset)) == press.key.to_string()).count()
}

/// How many of 51 presses were heard as anything.
fn mistaken(press: Press) -> usize {
    (0..51).filter(|&offset| !hear(&sound(press, offset)).is_empty()).count()
}

#[test]
fn every_key_of_40_ms_is_heard_wherever_it_begins() {
    for key in KEYS.chars() {
        assert_eq!(heard(Press { key, ..CLEAN }), 51, "{key}");
    }
}

#[test]
fn levels_from_minus_3_to_minus_33_dbm0_are_heard_and_a_whisper_is_not() {
    for level in [-3.0, -6.0, -12.0, -18.0, -25.0, -30.0, -33.0] {
        for key in KEYS.chars() {
            assert_eq!(heard(Press { key, levels: (level, level), ..CLEAN }), 51, "{key} at {level}");
        }
    }
    assert_eq!(mistaken(Press { levels: (-45.0, -45.0), ms: 100.0, ..CLEAN }), 0);
}

#[test]
fn lines_may_weaken_the_column_by_8_db_and_the_row_by_4() {
    for key in KEYS.chars() {
        assert_eq!(heard(Press { key, levels: (-8.0, -16.0), ..CLEAN }), 51, "{key}");
        assert_eq!(heard(Press { key, levels: (-12.0, -8.0), ..CLEAN }), 51, "{key}");
    }
    assert_eq!(mistaken(Press { levels: (-5.0, -20.0), ms: 100.0, ..CLEAN }), 0);
    assert_eq!(mistaken(Press { levels: (-20.0, -8.0), ms: 100.0, ..CLEAN }), 0);
}

#[test]
fn frequencies_off_by_1_5_percent_are_heard_and_by_3_5_are_not() {
    for key in KEYS.chars() {
        for detune in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015)] {
            assert_eq!(heard(Press { key, detune, ms: 50.0, ..CLEAN }), 51, "{key} {detune:?}");
        }
        for detune in [(1.035, 1.0), (0.965, 1.0), (1.0, 1.035), (1.0, 0.965)] {
            assert_eq!(mistaken(Press { key, detune, ms: 100.0, ..CLEAN }), 0, "{key} {detune:?}");
        }
    }
}

#[test]
fn noise_15_db_below_does_not_matter() {
    for key in KEYS.chars() {
        assert_eq!(heard(Press { key, snr_db: 15.0, ms: 50.0, ..CLEAN }), 51, "{key}");
    }
}

#[test]
fn twenty_milliseconds_are_no_key_and_a_long_one_is_one() {
    assert_eq!(mistaken(Press { ms: 20.0, ..CLEAN }), 0);
    assert_eq!(heard(Press { ms: 5000.0, ..CLEAN }), 51);
}

#[test]
fn durations_are_right_within_10_ms() {
    for ms in [40, 65, 100, 250, 1000] {
        for offset in 0..51 {
            let mut detector = ToneDetector::default();
            let mut durations = Vec::new();
            let samples = sound(Press { ms: ms as f32, ..CLEAN }, offset);
            detector.push(&samples, &mut |digit| durations.push(digit.duration_ms));
            durations.extend(detector.finish().map(|digit| digit.duration_ms));
            assert!(durations.len() == 1 && durations[0].abs_diff(ms) <= 10, "{ms}: {durations:?}");
        }
    }
}

#[test]
fn keys_40_ms_apart_are_two_and_an_interruption_of_10_ms_splits_none() {
    for offset in 0..51 {
        let twice = [sound(CLEAN, offset), sound(CLEAN, 0)].concat();
        assert_eq!(hear(&twice), "55", "{offset}");
        let broken = [sound(Press { pause_ms: 10.0, ..CLEAN }, offset), sound(CLEAN, 0)].concat();
        assert_eq!(hear(&broken), "5", "{offset}");
    }
}

#[test]
fn a_number_dialled_fast_is_read_in_order() {
    let samples: Vec<i16> = KEYS.chars().flat_map(|key| sound(Press { key, ..CLEAN }, 0)).collect();
    assert_eq!(hear(&samples), KEYS);
}

#[test]
fn a_tone_is_known_within_40_ms_of_its_beginning() {
    for offset in 0..51 {
        let samples = sound(Press { ms: 200.0, ..CLEAN }, offset);
        let mut detector = ToneDetector::default();
        let known = samples.chunks(8).position(|ms| {
            detector.push(ms, &mut |_| {});
            detector.is_sounding()
        });
        assert!(known.is_some_and(|ms| ms * 8 - offset <= 8 * 40), "{offset}: {known:?}");
    }
}

#[test]
fn packets_lost_inside_a_tone_do_not_split_it() {
    let samples = sound(Press { ms: 200.0, pause_ms: 60.0, ..CLEAN }, 13);
    let frames: Vec<&[i16]> = samples.chunks(160).collect();
    for lost in 1..9 {
        for count in 1..=3 {
            let mut detector = ToneDetector::default();
            let mut digits = Vec::new();
            for (number, frame) in frames.iter().enumerate() {
                match number {
                    _ if number == lost => detector.lose(160 * count, &mut |digit| digits.push(digit)),
                    _ if (lost..lost + count).contains(&number) => {}
                    _ => detector.push(frame, &mut |digit| digits.push(digit)),
                }
            }
            assert_eq!(digits.len(), 1, "{count} lost from {lost}: {digits:?}");
            assert!(digits[0].duration_ms.abs_diff(200) <= 75, "{count} lost from {lost}: {digits:?}");
        }
    }
}

#[test]
fn a_long_loss_ends_a_tone() {
    let mut detector = ToneDetector::default();
    assert_eq!(run(&mut detector, &sound(Press { pause_ms: 0.0, ..CLEAN }, 0)), "");
    let mut digits = Vec::new();
    detector.lose(8 * 500, &mut |digit| digits.push(digit.as_char()));
    assert_eq!(digits, ['5']);
}

#[test]
fn single_tones_and_noise_are_no_keys() {
    for frequency_hz in (300..3400).step_by(10) {
        let step = frequency_hz as f32 * TAU / 8000.0;
        let sine: Vec<i16> = (0..2400).map(|n| ((n as f32 * step).sin() * 8000.0) as i16).collect();
        assert_eq!(hear(&sine), "", "{frequency_hz} Hz");
    }
    let mut random = Noise(1);
    let noise: Vec<i16> = (0..8000 * 60).map(|_| (random.next() * 8000.0) as i16).collect();
    assert_eq!(hear(&noise), "");
}

/// Q.24 leaves talk-off to each administration; the demo's spoken prompts and its music are what there is here.
#[test]
fn speech_and_music_are_no_keys_at_any_level() {
    const SPEECH: [&[u8]; 6] = [
        include_bytes!("../../../../demo/prompts/hello.ul"),
        include_bytes!("../../../../demo/prompts/music.ul"),
        include_bytes!("../../../../demo/prompts/callback.ul"),
        include_bytes!("../../../../demo/prompts/called-back.ul"),
        include_bytes!("../../../../demo/prompts/early.ul"),
        include_bytes!("../../../../demo/prompts/unknown-caller.ul"),
    ];
    let mut decoder = crate::codec::Decoder::new(crate::codec::Codec::Pcmu, 8000).unwrap();
    for codes in SPEECH {
        let mut samples = Vec::new();
        for frame in codes.chunks(160) {
            decoder.decode(frame, &mut samples).unwrap();
        }
        for gain in [0.25, 1.0, 4.0] {
            let scaled: Vec<i16> = samples.iter().map(|&sample| (f32::from(sample) * gain) as i16).collect();
            assert_eq!(hear(&scaled), "");
        }
    }
}

#[test]
fn any_samples_are_taken() {
    let mut random = Noise(3);
    let mut detector = ToneDetector::default();
    for _ in 0..2000 {
        let count = (random.next().abs() * 700.0) as usize;
        let samples: Vec<i16> = (0..count).map(|_| if random.next() > 0.0 { i16::MAX } else { i16::MIN }).collect();
        detector.push(&samples, &mut |digit| assert!(digit.event < 16));
        detector.lose((random.next().abs() * 2000.0) as usize, &mut |digit| assert!(digit.event < 16));
    }
}

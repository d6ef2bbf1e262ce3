//! Makes the tones of keys (ITU-T Q.23), as samples at 8 kHz, with silence between them.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use super::keypad::{self, COLUMNS_HZ, RATE_HZ, ROWS_HZ};

/// Samples in one millisecond.
const PER_MS: u32 = 8;
/// Shortest tone and shortest pause that any receiver must know (ETSI ES 201 235-2: 65 ms each).
const SHORTEST_MS: u32 = 65;
/// Longest tone, and longest pause.
const LONGEST_MS: u32 = 60_000;
/// Keys that wait at most.
const QUEUE: usize = 64;
/// Amplitudes of a row's tone at -10 dBm0 and of a column's at -8 dBm0: lines weaken the higher one more. A sine that
/// fills 16 bits has +3.17 dBm0 (ITU-T G.711).
const AMPLITUDES: (f32, f32) = (7193.0, 9055.0);
/// Samples in which a tone swells and fades, 3 ms, so that it does not click.
const RAMP: u32 = 24;

#[derive(Clone, Copy)]
struct Key {
    steps: (f32, f32),
    tone: u32,
    pause: u32,
}

/// Keys on their way.
#[derive(Default)]
pub struct Tones {
    queue: VecDeque<Key>,
    /// The key that sounds, and how many of its samples are made.
    key: Option<(Key, u32)>,
    phases: (f32, f32),
}

impl Tones {
    /// Queue a key, its length and its pause brought to 65 ms to 60 s; false when too many wait or `event` is no key.
    #[must_use]
    pub fn push(&mut self, event: u8, duration_ms: u32, gap_ms: u32) -> bool {
        let Some((row, column)) = keypad::place_of(event).filter(|_| self.queue.len() < QUEUE) else {
            return false;
        };
        let step = |frequency_hz: f32| frequency_hz / RATE_HZ * TAU;
        let samples = |ms: u32| ms.clamp(SHORTEST_MS, LONGEST_MS) * PER_MS;
        let steps = (step(ROWS_HZ[row]), step(COLUMNS_HZ[column]));
        self.queue.push_back(Key { steps, tone: samples(duration_ms), pause: samples(gap_ms) });
        true
    }

    /// Make the next samples; false, and silence, when all is said.
    pub fn fill(&mut self, samples: &mut [i16]) -> bool {
        let is_sounding = self.key.is_some() || !self.queue.is_empty();
        for sample in samples {
            *sample = self.next();
        }
        is_sounding
    }

    fn next(&mut self) -> i16 {
        let Some((key, made)) = self.key.take().or_else(|| self.start()) else {
            return 0;
        };
        if made + 1 < key.tone + key.pause {
            self.key = Some((key, made + 1));
        }
        if made >= key.tone { 0 } else { self.sound(key, made) }
    }

    fn start(&mut self) -> Option<(Key, u32)> {
        self.phases = (0.0, 0.0);
        Some((self.queue.pop_front()?, 0))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "amplitudes add up to half of i16"
    )]
    fn sound(&mut self, key: Key, made: u32) -> i16 {
        let ramp = made.min(key.tone - 1 - made).min(RAMP) as f32 / RAMP as f32;
        let (low, high) = self.phases;
        self.phases = ((low + key.steps.0) % TAU, (high + key.steps.1) % TAU);
        (ramp * (AMPLITUDES.0 * low.sin() + AMPLITUDES.1 * high.sin())) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Digit, ToneDetector};
    use super::*;

    #[test]
    fn each_key_is_understood_and_lasts_as_long_as_asked() {
        for event in 0..16 {
            let mut tones = Tones::default();
            assert!(tones.push(event, 100, 80));
            let mut heard = Vec::new();
            let mut detector = ToneDetector::default();
            let mut frame = [0; 160];
            let mut frames = 0;
            while tones.fill(&mut frame) {
                detector.push(&frame, &mut |digit: Digit| heard.push(digit));
                frames += 1;
            }
            assert_eq!(frames, 9, "100 ms of tone and 80 ms of pause");
            assert_eq!(heard.len(), 1);
            assert_eq!(heard[0].event, event);
            assert!((90..=110).contains(&heard[0].duration_ms), "{heard:?}");
        }
    }

    #[test]
    fn short_ones_are_made_long_enough_and_too_many_are_refused() {
        let mut tones = Tones::default();
        assert!(tones.push(5, 1, 1));
        let mut samples = [0; 8 * 200];
        assert!(tones.fill(&mut samples));
        let last = samples.iter().rposition(|&sample| sample != 0).unwrap();
        assert!((8 * 63..8 * 65).contains(&last), "{last}");
        assert!(!tones.push(16, 100, 100));
        assert!((0..100).filter(|_| tones.push(1, 100, 100)).count() == QUEUE);
    }

    #[test]
    fn nothing_is_silence() {
        let mut samples = [1; 80];
        assert!(!Tones::default().fill(&mut samples));
        assert_eq!(samples, [0; 80]);
    }
}

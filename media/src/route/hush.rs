//! Silence towards a peer that takes comfort noise: what is sent of it (RFC 3389).

use crate::codec::comfort_noise::{Background, OVERLOAD_POWER, PAYLOAD, level_of, mean_square};
use crate::codec::quiet::Quiet;

/// Rate of the samples, in Hz: what RFC 3389 speaks of.
const RATE_HZ: u32 = 8000;
/// Silence is told of again after so many ms, lest the peer takes us for gone.
const REFRESH_MS: u32 = 400;
/// And earlier, but not more often than this, in ms, when it has become louder or quieter …
const PATIENCE_MS: u32 = 100;
/// … by so many dB.
const NOTICEABLE_DB: u8 = 3;
/// -50 dBov: what is louder is never silence.
const LOUDEST: f32 = OVERLOAD_POWER * 1e-5;

/// What is sent in the place of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// The frame itself.
    Audio,
    /// What its silence sounds like: a payload of RFC 3389.
    Noise([u8; PAYLOAD]),
    /// Nothing: the silence lasts.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Frames are sent.
    Talk,
    /// The silence has been told of, at this level in -dBov, so many ms ago.
    Silence { told: u8, age_ms: u32 },
}

/// Listens to the frames of a line.
pub(super) struct Hush {
    frame_ms: u32,
    quiet: Quiet,
    phase: Phase,
    /// The latest samples, from which a silence is described.
    recent: [i16; 512],
}

impl Hush {
    /// For frames of `frame_ms` at 8 kHz. It begins with talk, so that the peer hears something first.
    pub(super) fn new(frame_ms: u32) -> Self {
        Self { frame_ms, quiet: Quiet::new(RATE_HZ, frame_ms, LOUDEST), phase: Phase::Talk, recent: [0; 512] }
    }

    /// The next frame; what is to be sent in its place.
    pub(super) fn hear(&mut self, frame: &[i16]) -> Say {
        self.remember(frame);
        if !self.quiet.hear(frame) {
            self.phase = Phase::Talk;
            return Say::Audio;
        }
        match &mut self.phase {
            Phase::Talk => self.tell(),
            Phase::Silence { told, age_ms } => {
                *age_ms += self.frame_ms;
                let (told, age_ms) = (*told, *age_ms);
                let is_due = age_ms >= REFRESH_MS || (age_ms >= PATIENCE_MS && self.differs_from(told));
                if is_due { self.tell() } else { Say::Nothing }
            }
        }
    }

    fn remember(&mut self, frame: &[i16]) {
        let count = frame.len().min(self.recent.len());
        self.recent.copy_within(count.., 0);
        let start = self.recent.len() - count;
        self.recent[start..].copy_from_slice(&frame[frame.len() - count..]);
    }

    fn tell(&mut self) -> Say {
        let background = Background::of(&self.recent);
        self.phase = Phase::Silence { told: background.level(), age_ms: 0 };
        Say::Noise(background.payload())
    }

    fn differs_from(&self, told: u8) -> bool {
        level_of(mean_square(&self.recent)).abs_diff(told) >= NOTICEABLE_DB
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::comfort_noise::Generator;

    const RATE: usize = RATE_HZ as usize;

    /// Noise at this level in -dBov.
    fn noise(level: u8, count: usize) -> Vec<i16> {
        let mut samples = vec![0; count];
        Generator::new(Background::parse(&[level]).expect("a level")).fill(&mut samples);
        samples
    }

    fn tone(amplitude: f32, count: usize) -> Vec<i16> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
        let sample = |n: usize| (amplitude * (n as f32 * 0.7).sin()) as i16;
        (0..count).map(sample).collect()
    }

    fn hear(hush: &mut Hush, samples: &[i16]) -> Vec<Say> {
        samples.chunks_exact(hush.frame_ms as usize * RATE / 1000).map(|frame| hush.hear(frame)).collect()
    }

    fn level(say: &Say) -> Option<u8> {
        if let Say::Noise([level, ..]) = say { Some(*level) } else { None }
    }

    #[test]
    fn silence_is_told_of_after_the_hangover_and_then_every_400_ms() {
        for frame_ms in [10, 20, 30, 40, 60] {
            let mut hush = Hush::new(frame_ms);
            hear(&mut hush, &tone(8000.0, 8000));
            let said = hear(&mut hush, &vec![0; 3 * RATE]);
            let told: Vec<usize> =
                (0..said.len()).filter(|n| level(&said[*n]).is_some()).map(|n| n * frame_ms as usize).collect();
            assert!((300..360).contains(&told[0]), "{frame_ms}: {told:?}");
            assert!(told.windows(2).all(|pair| (400..460).contains(&(pair[1] - pair[0]))), "{frame_ms}: {told:?}");
            assert!(said[..told[0] / frame_ms as usize].iter().all(|say| *say == Say::Audio), "{frame_ms}");
            assert!(said[told[0] / frame_ms as usize..].iter().all(|say| *say != Say::Audio), "{frame_ms}");
        }
    }

    #[test]
    fn the_level_told_is_that_of_the_background() {
        for loudness in [55, 60, 75] {
            let mut hush = Hush::new(20);
            let said = hear(&mut hush, &noise(loudness, 10 * RATE));
            let told: Vec<u8> = said.iter().filter_map(level).collect();
            assert!(told.iter().all(|told| told.abs_diff(loudness) <= 2), "{loudness}: {told:?}");
            assert!(said[250..].iter().filter(|say| **say == Say::Audio).count() <= 20, "{loudness}");
        }
    }

    #[test]
    fn a_noticeable_change_is_told_before_its_time() {
        let mut hush = Hush::new(20);
        hear(&mut hush, &noise(60, 10 * RATE));
        let said = hear(&mut hush, &noise(70, RATE / 5));
        assert!(said.iter().filter_map(level).any(|level| level > 63), "{said:?}");
    }

    #[test]
    fn talk_is_sent_from_its_first_faint_breath() {
        let mut hush = Hush::new(20);
        hear(&mut hush, &noise(75, 4 * RATE));
        let mut frame = noise(75, 160);
        for (sample, breath) in frame[120..].iter_mut().zip(noise(62, 40)) {
            *sample += breath;
        }
        assert_eq!(hush.hear(&frame), Say::Audio);
    }

    #[test]
    fn pauses_between_words_are_sent() {
        let mut hush = Hush::new(20);
        for _ in 0..10 {
            let said = hear(&mut hush, &[tone(3000.0, 2400), noise(70, 2240)].concat());
            assert!(said.iter().all(|say| *say == Say::Audio), "{said:?}");
        }
    }

    #[test]
    fn what_is_loud_is_never_silence_however_long_it_lasts() {
        for samples in [tone(300.0, 30 * RATE), noise(45, 30 * RATE)] {
            assert!(hear(&mut Hush::new(20), &samples).iter().all(|say| *say == Say::Audio));
        }
    }
}

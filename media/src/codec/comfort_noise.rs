//! Comfort noise: what a silence sounds like, told in a few bytes (RFC 3389), and made of them again.

use super::prediction::{MAX_ORDER, Predictor};
use super::resample::Change;

/// Coefficients that we send: enough for a background, and each costs a byte.
const SENT_ORDER: usize = 8;
/// Bytes of a payload of ours: the level and the coefficients.
pub const PAYLOAD: usize = 1 + SENT_ORDER;
/// The quietest level, in -dBov.
const QUIETEST: u8 = 127;
/// The root mean square of 0 dBov: a full square wave.
const OVERLOAD: f32 = 32_768.0;
/// The same as a mean square.
pub const OVERLOAD_POWER: f32 = OVERLOAD * OVERLOAD;
/// Step of a coefficient on the wire (RFC 3389 §3.2): k = 258 (N - 127) / 32768.
const STEP: f32 = 258.0 / 32_768.0;
/// A lattice of coefficients nearer to 1 may ring for seconds; no background does.
const STEEPEST: f32 = 0.98;

/// What a silence sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    /// In -dBov, 0 the loudest, 127 silence.
    level: u8,
    /// Reflection coefficients as on the wire; 127 is zero.
    reflection: [u8; MAX_ORDER],
}

impl Background {
    /// Read a payload; `None` when it is empty. Of more coefficients than 16 the first count.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        let mut reflection = [127; MAX_ORDER];
        for (mine, &theirs) in reflection.iter_mut().zip(coefficients) {
            *mine = theirs;
        }
        // The first bit is reserved and shall be ignored (§3.1).
        Some(Self { level: level & QUIETEST, reflection })
    }

    /// What these samples sound like: 10 to 64 ms at 8 kHz of what is taken for background.
    #[must_use]
    pub fn of(samples: &[i16]) -> Self {
        let values: Vec<f32> = samples.iter().map(|&sample| f32::from(sample)).collect();
        let predictor = Predictor::of(&values, SENT_ORDER);
        let mut reflection = [127; MAX_ORDER];
        for (mine, coefficient) in reflection.iter_mut().zip(predictor.reflection) {
            *mine = to_byte(127.0 + coefficient / STEP, 254);
        }
        Self { level: level_of(mean_square(samples)), reflection }
    }

    /// The payload that tells it.
    #[must_use]
    pub fn payload(&self) -> [u8; PAYLOAD] {
        let mut payload = [0; PAYLOAD];
        payload[0] = self.level;
        payload[1..].copy_from_slice(&self.reflection[..SENT_ORDER]);
        payload
    }

    /// How loud it is, in -dBov.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }
}

/// The mean square of samples; 0 of none.
#[must_use]
pub fn mean_square(samples: &[i16]) -> f32 {
    // In whole numbers, of which the processor adds up several at once.
    let energy: u64 = samples.iter().map(|sample| u64::from(u32::from(sample.unsigned_abs()).pow(2))).sum();
    #[expect(clippy::cast_precision_loss, reason = "a level, and a small count")]
    let (energy, count) = (energy as f32, samples.len().max(1) as f32);
    energy / count
}

/// The level of this mean square in -dBov, rounded.
#[must_use]
pub fn level_of(mean_square: f32) -> u8 {
    to_byte(-10.0 * (mean_square / OVERLOAD_POWER).max(1e-13).log10(), QUIETEST)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn to_byte(value: f32, most: u8) -> u8 {
    (value.round() as u8).min(most)
}

/// Makes noise of a background.
pub struct Generator {
    predictor: Predictor,
    /// The last samples, newest first.
    memory: [f32; MAX_ORDER],
    /// Root mean square of the noise that goes into the filter, now and soon.
    gain: f32,
    wanted: f32,
    seed: u32,
}

/// Noise of a background at either inner rate: RFC 3389 speaks of samples at 8 kHz.
pub struct Filler {
    generator: Generator,
    change: Change,
    own: Vec<i16>,
}

impl Filler {
    /// Noise at `rate_hz`, 8000 or 16000.
    #[must_use]
    pub fn new(background: Background, rate_hz: u32) -> Self {
        Self { generator: Generator::new(background), change: Change::new(8000, rate_hz), own: Vec::new() }
    }

    /// The background has changed.
    pub fn update(&mut self, background: Background) {
        self.generator.update(background);
    }

    /// Append exactly `count` samples.
    pub fn fill(&mut self, count: usize, samples: &mut Vec<i16>) {
        let start = samples.len();
        self.own.resize(self.change.needed(count), 0);
        self.generator.fill(&mut self.own);
        self.change.run(&self.own, samples);
        samples.truncate(start + count);
    }
}

/// How much of the way to a new gain a sample goes, so that a new level is no step.
const GLIDE: f32 = 1.0 / 128.0;

impl Generator {
    /// It begins at the level of this background.
    #[must_use]
    pub fn new(background: Background) -> Self {
        let mut generator = Self {
            predictor: Predictor::from_reflection([0.0; MAX_ORDER]),
            memory: [0.0; MAX_ORDER],
            gain: 0.0,
            wanted: 0.0,
            seed: 1,
        };
        generator.update(background);
        generator.gain = generator.wanted;
        generator
    }

    /// The background has changed.
    pub fn update(&mut self, background: Background) {
        let coefficients =
            background.reflection.map(|byte| ((f32::from(byte) - 127.0) * STEP).clamp(-STEEPEST, STEEPEST));
        self.predictor = Predictor::from_reflection(coefficients);
        let loudness =
            if background.level == QUIETEST { 0.0 } else { 10_f32.powf(-f32::from(background.level) / 20.0) };
        self.wanted = OVERLOAD * loudness * self.predictor.residue.sqrt();
    }

    /// Fill `samples` with it.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            self.gain += (self.wanted - self.gain) * GLIDE;
            let value = self.gain * self.noise() + self.predictor.predict(&self.memory);
            let value = value.clamp(-OVERLOAD, OVERLOAD);
            self.memory.copy_within(..MAX_ORDER - 1, 1);
            self.memory[0] = value;
            *sample = to_i16(value);
        }
    }

    /// Evenly spread, with a root mean square of 1.
    fn noise(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = f32::from((self.seed >> 16) as u16) / 32_767.5 - 1.0;
        value * 3_f32.sqrt()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn to_i16(value: f32) -> i16 {
    value as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One second of a background.
    fn second(background: Background) -> Vec<i16> {
        let mut samples = vec![0; 8000];
        Generator::new(background).fill(&mut samples);
        samples
    }

    #[test]
    fn the_noise_has_the_level_that_was_told() {
        for level in [20, 40, 60, 75] {
            let made = second(Background::parse(&[level]).expect("a level"));
            let heard = i16::from(Background::of(&made).level());
            assert!((heard - i16::from(level)).abs() <= 1, "{level}: {heard}");
        }
    }

    #[test]
    fn the_noise_has_the_colour_that_was_told() {
        let told = Background::parse(&[50, 230, 60, 140]).expect("a background");
        let made = second(told);
        let heard = Background::of(&made).payload();
        assert!((i16::from(heard[0]) - 50).abs() <= 2, "{heard:?}");
        for (told, heard) in [230_i16, 60, 140].into_iter().zip(&heard[1..]) {
            assert!((told - i16::from(*heard)).abs() < 20, "{told}: {heard}");
        }
    }

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let background = Background::of(&second(Background::parse(&[45, 200, 100, 90]).expect("a background")));
        assert_eq!(Background::parse(&background.payload()), Some(background));
        assert_eq!(background.payload().len(), PAYLOAD);
    }

    #[test]
    fn any_payload_makes_noise_that_ends_in_no_howl() {
        assert_eq!(Background::parse(&[]), None);
        for byte in 0..=u8::MAX {
            let background = Background::parse(&[byte; 30]).expect("not empty");
            let mut generator = Generator::new(background);
            let mut samples = [0; 800];
            (0..20).for_each(|_| generator.fill(&mut samples));
            generator.update(Background::parse(&[QUIETEST]).expect("a level"));
            (0..20).for_each(|_| generator.fill(&mut samples));
            assert!(samples.iter().all(|&sample| sample == 0), "{byte}");
        }
    }

    #[test]
    fn the_noise_is_as_loud_at_either_rate() {
        for rate_hz in [8000, 16_000] {
            let mut samples = vec![7];
            let mut filler = Filler::new(Background::parse(&[50]).expect("a level"), rate_hz);
            for count in [0, 1, 33, 160, 3000] {
                filler.fill(count, &mut samples);
            }
            assert_eq!(samples.len(), 1 + 3194);
            let heard = Background::of(&samples[1000..]).level();
            assert!((49..=53).contains(&heard), "{rate_hz} Hz: {heard}");
        }
    }

    #[test]
    fn silence_is_told_as_silence() {
        assert_eq!(Background::of(&[0; 160]).level(), QUIETEST);
        assert_eq!(Background::of(&[]).level(), QUIETEST);
        assert!(second(Background::of(&[0; 160])).iter().all(|&sample| sample == 0));
    }

    #[test]
    fn the_quietest_level_is_silence_and_the_reserved_bit_is_ignored() {
        for level in [QUIETEST, 0x80 | QUIETEST] {
            assert!(second(Background::parse(&[level]).expect("a level")).iter().all(|&sample| sample == 0));
        }
    }
}

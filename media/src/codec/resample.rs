//! From 16 to 8 kHz and back by a half-band filter: G.722 beside G.711 needs it, Opus resamples by itself (design.md D6).
//!
//! 47 taps, of which every second is zero but for the middle one, so that an output costs 24 products. Flat to 3.4 kHz
//! (-0.4 dB at 3.6), 54 dB down from 4.6 kHz. Both directions delay by 1.4 ms.

use std::cmp::Ordering;

/// The taps at odd distance from the middle, in units of 2^-14, whose sum is 1: half of a symmetric row. A sinc under
/// a Kaiser window with β = 5. No samples can overflow 32 bits: the magnitudes sum up to 2.33.
const TAPS: [i16; 12] = [-17, 43, -85, 149, -241, 371, -553, 814, -1207, 1876, -3348, 10_390];
/// Samples that the filter sees.
const SPAN: usize = 24;
/// Samples of a block that is filtered at once.
const BLOCK: usize = 80;

const ROW: [i16; SPAN] = {
    let mut row = [0; SPAN];
    let mut index = 0;
    while index < SPAN / 2 {
        row[index] = TAPS[index];
        row[SPAN - 1 - index] = TAPS[index];
        index += 1;
    }
    row
};

/// From the rate of one side to that of the other, 8 or 16 kHz each.
pub enum Change {
    /// They are the same.
    None,
    /// Half as many samples leave.
    Halve(Box<Halve>),
    /// Twice as many samples leave.
    Double(Box<Double>),
}

impl Change {
    /// The change from one rate to another.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        match from_hz.cmp(&to_hz) {
            Ordering::Equal => Self::None,
            Ordering::Greater => Self::Halve(Box::default()),
            Ordering::Less => Self::Double(Box::default()),
        }
    }

    /// How many samples of the first side make `count` of the other.
    #[must_use]
    pub fn needed(&self, count: usize) -> usize {
        match self {
            Self::None => count,
            Self::Halve(_) => 2 * count,
            Self::Double(_) => count.div_ceil(2),
        }
    }

    /// Append `input` at the other rate to `output`.
    pub fn run(&mut self, input: &[i16], output: &mut Vec<i16>) {
        match self {
            Self::None => output.extend_from_slice(input),
            Self::Halve(halve) => halve.run(input, output),
            Self::Double(double) => double.run(input, output),
        }
    }
}

/// 16 kHz to 8 kHz.
pub struct Halve {
    even: [i16; SPAN + BLOCK],
    odd: [i16; SPAN + BLOCK],
}

/// 8 kHz to 16 kHz.
pub struct Double {
    line: [i16; SPAN + BLOCK],
}

impl Default for Halve {
    fn default() -> Self {
        Self::new()
    }
}

impl Halve {
    /// A filter at rest.
    #[must_use]
    pub fn new() -> Self {
        Self { even: [0; SPAN + BLOCK], odd: [0; SPAN + BLOCK] }
    }

    /// Append half as many samples to `output` as there are in `input`, an even number.
    pub fn run(&mut self, input: &[i16], output: &mut Vec<i16>) {
        for block in input.chunks(2 * BLOCK) {
            let count = block.len() / 2;
            for (index, pair) in block.chunks_exact(2).enumerate() {
                self.even[SPAN + index] = pair[0];
                self.odd[SPAN + index] = pair[1];
            }
            output.extend((0..count).map(|index| {
                // The middle tap stands between the 12th and the 13th sample of the other parity.
                let middle = i32::from(self.even[index + SPAN / 2 + 1]) << 14;
                rounded(middle + filtered(&self.odd[index + 1..=index + SPAN]), 15)
            }));
            self.even.copy_within(count..count + SPAN, 0);
            self.odd.copy_within(count..count + SPAN, 0);
        }
    }
}

impl Default for Double {
    fn default() -> Self {
        Self::new()
    }
}

impl Double {
    /// A filter at rest.
    #[must_use]
    pub fn new() -> Self {
        Self { line: [0; SPAN + BLOCK] }
    }

    /// Append twice as many samples to `output` as there are in `input`.
    pub fn run(&mut self, input: &[i16], output: &mut Vec<i16>) {
        for block in input.chunks(BLOCK) {
            self.line[SPAN..SPAN + block.len()].copy_from_slice(block);
            for index in 0..block.len() {
                let window = &self.line[index + 1..=index + SPAN];
                output.extend([window[SPAN / 2 - 1], rounded(filtered(window), 14)]);
            }
            self.line.copy_within(block.len()..block.len() + SPAN, 0);
        }
    }
}

#[inline]
fn filtered(window: &[i16]) -> i32 {
    window.iter().zip(ROW).map(|(&sample, tap)| i32::from(sample) * i32::from(tap)).sum()
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
pub(super) fn rounded(sum: i32, shift: u32) -> i16 {
    ((sum + (1 << (shift - 1))) >> shift).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `count` samples of a sine of 16000 at full turns per sample.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a sine of 16000")]
    pub fn sine(turns: f64, count: usize) -> Vec<i16> {
        (0..count).map(|n| (16_000.0 * (std::f64::consts::TAU * turns * n as f64).sin()) as i16).collect()
    }

    /// Level of a sine that the filter passed on, in dB of what went in; its first 10 ms are left out.
    #[expect(clippy::cast_precision_loss, reason = "a figure to compare")]
    pub fn level(samples: &[i16]) -> f64 {
        let settled = &samples[160..];
        let power: f64 = settled.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / settled.len() as f64;
        10.0 * (power / (16_000_f64.powi(2) / 2.0)).max(1e-9).log10()
    }

    fn halved(hz: f64) -> f64 {
        let mut output = Vec::new();
        Halve::new().run(&sine(hz / 16_000.0, 8000), &mut output);
        level(&output)
    }

    #[test]
    fn halving_keeps_speech_and_refuses_what_would_fold_back() {
        for hz in [100.0, 1000.0, 2000.0, 3000.0, 3400.0] {
            assert!(halved(hz).abs() < 0.1, "{hz} Hz: {} dB", halved(hz));
        }
        for hz in [4600.0, 5000.0, 6000.0, 7500.0] {
            assert!(halved(hz) < -50.0, "{hz} Hz: {} dB", halved(hz));
        }
    }

    #[test]
    fn doubling_adds_no_mirror_image() {
        for hz in [300.0, 1000.0, 3400.0] {
            let mut wide = Vec::new();
            Double::new().run(&sine(hz / 8000.0, 4000), &mut wide);
            assert!(level(&wide).abs() < 0.1, "{hz} Hz: {} dB", level(&wide));
            let mut mirror = wide.clone();
            // Turning every second sample over turns the spectrum round: the image is now where the sine was.
            mirror.iter_mut().skip(1).step_by(2).for_each(|sample| *sample = sample.saturating_neg());
            let mut folded = Vec::new();
            Halve::new().run(&mirror, &mut folded);
            assert!(level(&folded) < -48.0, "{hz} Hz: {} dB", level(&folded));
        }
    }

    #[test]
    fn frames_of_any_length_give_the_same_as_one() {
        let input = sine(0.07, 1000);
        let mut whole = Vec::new();
        Halve::new().run(&input, &mut whole);
        let (mut halve, mut parts) = (Halve::new(), Vec::new());
        for part in input.chunks(46) {
            halve.run(part, &mut parts);
        }
        assert_eq!(parts, whole);
        let (mut double, mut twice, mut once) = (Double::new(), Vec::new(), Vec::new());
        for part in input.chunks(33) {
            double.run(part, &mut twice);
        }
        Double::new().run(&input, &mut once);
        assert_eq!(twice, once);
    }

    #[test]
    fn full_scale_is_not_turned_over() {
        let mut output = Vec::new();
        Halve::new().run(&[i16::MAX; 400], &mut output);
        assert!(output[100..].iter().all(|&sample| sample > 32_000));
        output.clear();
        Double::new().run(&[i16::MIN; 400], &mut output);
        assert!(output[100..].iter().all(|&sample| sample < -32_000));
    }
}

//! One sub-band of G.722: an adaptive quantizer around an adaptive predictor of two poles and six zeros (ITU-T G.722 §3).

use std::marker::PhantomData;

/// What a coefficient keeps of itself from one sample to the next, 1 - 2^-8 (blocks UPPOL1 and UPZERO) …
const LEAK_FIRST: i32 = 32_640;
/// … and the second pole, 1 - 2^-7 (block UPPOL2).
const LEAK_SECOND: i32 = 32_512;

/// 2048 · 2^(i/32): the inverse of the logarithmic step size (table 13).
const INVERSE_LOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// What tells the two sub-bands apart.
pub(super) trait Kind {
    /// The step size at rest.
    const FIRST_STEP: i32;
    /// The largest logarithmic step size (blocks LOGSCL and LOGSCH).
    const MAX_LOG: i32;
    /// Octave of the step size (blocks SCALEL and SCALEH).
    const OCTAVE: i32;

    /// The code of a difference, and the code that steers the predictor.
    fn quantize(difference: i32, step: i32) -> (u8, usize);
    /// The code that steers the predictor, and the scaled value that is heard.
    fn dequantize(code: u8) -> (usize, i32);
    /// The scaled value behind a steering code, and how it changes the logarithmic step size.
    fn steer(code: usize) -> (i32, i32);
}

/// Up to 4 kHz: six bits, of which the upper four steer.
#[derive(Clone)]
pub(super) struct Low;
/// From 4 kHz: two bits.
#[derive(Clone)]
pub(super) struct High;

/// Decision levels of the lower band, magnitudes (table 14, Q6).
const LOW_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// What each six-bit code sounds (table 17, QM6).
const LOW_HEARD: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360,
    -1040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360, 8576, 7856, 7192, 6576,
    6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// What the upper four bits stand for (QM4).
const LOW_STEERING: [i32; 16] =
    [0, -20_456, -12_896, -8968, -6288, -4240, -2584, -1200, 20_456, 12_896, 8968, 6288, 4240, 2584, 1200, 0];
/// How the upper four bits change the step size (RL42 into WL).
const LOW_LOG: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// The one decision level of the upper band.
const HIGH_LEVEL: i32 = 564;
/// What each two-bit code stands for (QM2).
const HIGH_STEERING: [i32; 4] = [-7408, -1616, 7408, 1616];
/// How it changes the step size (RH2 into WH).
const HIGH_LOG: [i32; 4] = [798, -214, 798, -214];

impl Kind for Low {
    const FIRST_STEP: i32 = 32;
    const MAX_LOG: i32 = 18_432;
    const OCTAVE: i32 = 8;

    #[expect(clippy::cast_possible_truncation, reason = "at most 29 levels")]
    fn quantize(difference: i32, step: i32) -> (u8, usize) {
        let magnitude = if difference < 0 { !difference } else { difference };
        let level = LOW_LEVELS.partition_point(|&level| (level * step) >> 12 <= magnitude) as u8;
        // Codes fall as the magnitude rises; those of the two smallest negative values are out of line (table 15).
        let code = match (difference < 0, level) {
            (false, _) => 61 - level,
            (true, 0) => 63,
            (true, 1) => 62,
            (true, _) => 33 - level,
        };
        (code, usize::from(code >> 2))
    }

    fn dequantize(code: u8) -> (usize, i32) {
        (usize::from(code >> 2 & 15), LOW_HEARD[usize::from(code & 63)])
    }

    fn steer(code: usize) -> (i32, i32) {
        (LOW_STEERING[code & 15], LOW_LOG[code & 15])
    }
}

impl Kind for High {
    const FIRST_STEP: i32 = 8;
    const MAX_LOG: i32 = 22_528;
    const OCTAVE: i32 = 10;

    fn quantize(difference: i32, step: i32) -> (u8, usize) {
        let magnitude = if difference < 0 { !difference } else { difference };
        let is_large = magnitude >= (HIGH_LEVEL * step) >> 12;
        let code = match (difference < 0, is_large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        (code, usize::from(code))
    }

    fn dequantize(code: u8) -> (usize, i32) {
        (usize::from(code & 3), HIGH_STEERING[usize::from(code & 3)])
    }

    fn steer(code: usize) -> (i32, i32) {
        (HIGH_STEERING[code & 3], HIGH_LOG[code & 3])
    }
}

/// The state of one sub-band, the same in encoder and decoder.
#[derive(Clone)]
pub(super) struct Band<K> {
    /// The predicted sample, S.
    predicted: i32,
    /// The part of it that the zeros make, SZ.
    from_zeros: i32,
    /// The last two reconstructed samples, RLT.
    reconstructed: [i32; 2],
    /// The signs of the last two partial reconstructions, PLT; true: negative.
    signs: [bool; 2],
    /// The poles, AL.
    poles: [i32; 2],
    /// The last six differences, DLT.
    differences: [i32; 6],
    /// The zeros, BL.
    zeros: [i32; 6],
    /// Logarithmic step size, NBL.
    log_step: i32,
    /// Step size, DETL.
    step: i32,
    kind: PhantomData<K>,
}

impl<K: Kind> Band<K> {
    pub(super) fn new() -> Self {
        Self {
            predicted: 0,
            from_zeros: 0,
            reconstructed: [0; 2],
            signs: [false; 2],
            poles: [0; 2],
            differences: [0; 6],
            zeros: [0; 6],
            log_step: 0,
            step: K::FIRST_STEP,
            kind: PhantomData,
        }
    }

    /// The code of a sub-band sample.
    #[inline]
    pub(super) fn encode(&mut self, sample: i32) -> u8 {
        let (code, steering) = K::quantize(saturated(sample - self.predicted), self.step);
        self.adapt(steering);
        code
    }

    /// The sub-band sample behind a code.
    #[inline]
    pub(super) fn decode(&mut self, code: u8) -> i32 {
        let (steering, heard) = K::dequantize(code);
        // 15 bits are heard (block LIMIT).
        let sample = (self.predicted + scaled(self.step, heard)).clamp(-16_384, 16_383);
        self.adapt(steering);
        sample
    }

    /// Adapt as if a sample had been coded; gives it as a decoder would.
    pub(super) fn follow(&mut self, sample: i32) -> i32 {
        let (code, _) = K::quantize(saturated(sample - self.predicted), self.step);
        self.decode(code)
    }

    #[inline]
    fn adapt(&mut self, steering: usize) {
        let (value, change) = K::steer(steering);
        let difference = scaled(self.step, value);
        self.log_step = (((self.log_step * 127) >> 7) + change).clamp(0, K::MAX_LOG);
        let mantissa = INVERSE_LOG[(self.log_step >> 6 & 31).unsigned_abs() as usize];
        let shift = K::OCTAVE - (self.log_step >> 11);
        self.step = if shift < 0 { mantissa << -shift } else { mantissa >> shift } << 2;
        self.predict(difference);
    }

    /// Adapt the coefficients to a difference and predict the next sample (§3.6, block 4).
    #[inline]
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturated(self.predicted + difference);
        self.adapt_poles(saturated(self.from_zeros + difference) < 0);
        self.adapt_zeros(difference);
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        let from_poles =
            saturated(doubled(self.reconstructed[0], self.poles[0]) + doubled(self.reconstructed[1], self.poles[1]));
        self.predicted = saturated(from_poles + self.from_zeros);
    }

    /// Blocks UPPOL1 and UPPOL2; `sign` is that of the partial reconstruction.
    #[inline]
    fn adapt_poles(&mut self, sign: bool) {
        let [first, second] = self.poles;
        let quadruple = saturated(first << 2);
        let towards = if sign == self.signs[0] { -quadruple } else { quadruple }.min(32_767) >> 7;
        let step = if sign == self.signs[1] { 128 } else { -128 };
        let new_second = (step + towards + scaled(second, LEAK_SECOND)).clamp(-12_288, 12_288);
        let step = if sign == self.signs[0] { 192 } else { -192 };
        // The two together keep the filter stable.
        let limit = 15_360 - new_second;
        let new_first = (step + scaled(first, LEAK_FIRST)).clamp(-limit, limit);
        self.poles = [new_first, new_second];
        self.signs = [sign, self.signs[0]];
    }

    /// Blocks UPZERO, DELAYA and FILTEZ.
    #[inline]
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, old) in self.zeros.iter_mut().zip(self.differences) {
            let step = if (old < 0) == (difference < 0) { step } else { -step };
            *zero = saturated(step + scaled(*zero, LEAK_FIRST));
        }
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        let terms = self.zeros.iter().zip(self.differences);
        self.from_zeros = saturated(terms.map(|(&zero, difference)| doubled(difference, zero)).sum());
    }
}

/// Twice a value, times a coefficient.
#[inline]
fn doubled(value: i32, coefficient: i32) -> i32 {
    scaled(saturated(value << 1), coefficient)
}

/// A product of two numbers of which one is a fraction.
#[inline]
fn scaled(value: i32, fraction: i32) -> i32 {
    (value * fraction) >> 15
}

#[inline]
fn saturated(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

//! Linear prediction: a filter of few numbers that has the timbre of a sound (autocorrelation and Levinson-Durbin).

/// Samples that a prediction looks back on, at most.
pub(super) const MAX_ORDER: usize = 16;
/// White noise 40 dB down is added, so that a tone makes no filter that rings for ever.
const WHITE_NOISE: f32 = 1.0001;

/// The filter of a sound.
#[derive(Clone)]
pub(super) struct Predictor {
    /// Of the newest sample first.
    coefficients: [f32; MAX_ORDER],
    /// The same filter as a lattice; in size below 1.
    pub(super) reflection: [f32; MAX_ORDER],
    /// The part of the sound's power that the filter does not predict.
    pub(super) residue: f32,
}

impl Predictor {
    /// The filter of these samples, of `order` coefficients, the others zero.
    pub(super) fn of(samples: &[f32], order: usize) -> Self {
        let mut correlation = [0.0; MAX_ORDER + 1];
        for (lag, sum) in correlation.iter_mut().enumerate().take(samples.len()) {
            *sum = samples[lag..].iter().zip(samples).map(|(later, sample)| later * sample).sum();
        }
        correlation[0] = correlation[0] * WHITE_NOISE + 1.0;
        Self::from_correlation(&correlation, order)
    }

    /// The filter of a lattice.
    pub(super) fn from_reflection(reflection: [f32; MAX_ORDER]) -> Self {
        let mut predictor = Self { coefficients: [0.0; MAX_ORDER], reflection, residue: 1.0 };
        for (order, &coefficient) in reflection.iter().enumerate() {
            predictor.extend(order, coefficient);
        }
        predictor
    }

    /// Levinson's recursion.
    fn from_correlation(correlation: &[f32; MAX_ORDER + 1], order: usize) -> Self {
        let mut predictor = Self { coefficients: [0.0; MAX_ORDER], reflection: [0.0; MAX_ORDER], residue: 1.0 };
        for index in 0..order.min(MAX_ORDER) {
            let known = predictor.coefficients[..index].iter().zip(correlation[1..=index].iter().rev());
            let expected: f32 = known.map(|(coefficient, sum)| coefficient * sum).sum();
            let error = predictor.residue * correlation[0];
            let coefficient = ((correlation[index + 1] - expected) / error).clamp(-0.999, 0.999);
            predictor.reflection[index] = coefficient;
            predictor.extend(index, coefficient);
        }
        predictor
    }

    /// One more coefficient.
    fn extend(&mut self, order: usize, coefficient: f32) {
        let before = self.coefficients;
        for index in 0..order {
            self.coefficients[index] -= coefficient * before[order - 1 - index];
        }
        self.coefficients[order] = coefficient;
        self.residue *= 1.0 - coefficient * coefficient;
    }

    /// What the filter expects after these samples, newest first.
    #[inline]
    pub(super) fn predict(&self, memory: &[f32; MAX_ORDER]) -> f32 {
        self.coefficients.iter().zip(memory).map(|(coefficient, sample)| coefficient * sample).sum()
    }

    /// What the filter did not expect of the last samples of `past`.
    pub(super) fn excitation(&self, past: &[f32], excitation: &mut [f32]) {
        let start = past.len() - excitation.len();
        for (index, value) in excitation.iter_mut().enumerate() {
            let before = past[..start + index].iter().rev();
            let expected: f32 =
                self.coefficients.iter().zip(before).map(|(coefficient, sample)| coefficient * sample).sum();
            *value = past[start + index] - expected;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise through a filter of two poles, 1.6 and -0.8.
    fn coloured() -> Vec<f32> {
        let (mut seed, mut past) = (7_u32, [0.0, 0.0]);
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f32::from((seed >> 17) as u16) - 16_384.0;
            past = [1.6 * past[0] - 0.8 * past[1] + noise / 16.0, past[0]];
            past[0]
        };
        (0..4000).map(|_| next()).collect()
    }

    #[test]
    fn the_filter_behind_a_sound_is_found() {
        let predictor = Predictor::of(&coloured(), 2);
        assert!((predictor.coefficients[0] - 1.6).abs() < 0.05, "{:?}", predictor.coefficients);
        assert!((predictor.coefficients[1] + 0.8).abs() < 0.05, "{:?}", predictor.coefficients);
        assert!(predictor.coefficients[2..].iter().all(|&coefficient| coefficient == 0.0));
    }

    #[test]
    fn a_lattice_is_the_same_filter() {
        let found = Predictor::of(&coloured(), 10);
        let rebuilt = Predictor::from_reflection(found.reflection);
        let apart = found.coefficients.iter().zip(rebuilt.coefficients).map(|(one, other)| (one - other).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-4);
        assert!((found.residue - rebuilt.residue).abs() < 1e-4);
    }

    #[test]
    fn silence_and_a_tone_make_stable_filters() {
        for samples in
            [vec![0.0; 320], vec![32_767.0; 320], (0..320).map(|n| if n % 2 == 0 { 3e4 } else { -3e4 }).collect()]
        {
            let predictor = Predictor::of(&samples, MAX_ORDER);
            assert!(
                predictor.reflection.iter().all(|coefficient| coefficient.abs() < 1.0),
                "{:?}",
                predictor.reflection
            );
            assert!(predictor.residue > 0.0);
        }
    }
}

//! Something like a voice, for the tests of the codecs.

/// A pulse every `period` samples through a filter that rings the lower, the larger `ring` (below 1.85).
#[expect(clippy::cast_possible_truncation, reason = "far from full scale")]
pub(crate) fn voice(ring: f32, period: usize, count: usize) -> Vec<i16> {
    let (mut one, mut two) = (0.0_f32, 0.0_f32);
    let mut next = |n: usize| {
        let pulse = if n.is_multiple_of(period) { 6000.0 } else { 0.0 };
        (one, two) = (ring * one - 0.85 * two + pulse, one);
        one as i16
    };
    (0..count).map(&mut next).collect()
}

/// Sum of squares.
pub(crate) fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample).powi(2)).sum()
}

//! The telephone band, up to 3.4 kHz: what G.729 was made for. Opus at 8 kHz reaches up to 4 kHz, and bits that are spent
//! there are missing below, where speech is understood: without it PESQ is 0.1 to 0.2 lower with every voice that was tried
//! (docs/performance.md).
//!
//! 31 taps: flat to 3.1 kHz, -6 dB at 3.4, 32 dB down from 3.7. It delays by 1.9 ms.

use super::g729_ffi::FRAME;
use super::resample::rounded;

/// The first half of a symmetric row and its middle, in units of 2^-15, whose sum is 1: a sinc under a Kaiser window with
/// β = 4. No samples can overflow 32 bits: the magnitudes sum up to 1.94.
const TAPS: [i16; 16] = [43, -32, -25, 138, -291, 443, -524, 453, -157, -403, 1210, -2187, 3199, -4086, 4693, 27_820];
/// Samples that the filter sees.
const SPAN: usize = 2 * TAPS.len() - 1;
/// Samples before the one that comes.
const PAST: usize = SPAN - 1;

const ROW: [i16; SPAN] = {
    let mut row = [0; SPAN];
    let mut index = 0;
    while index < TAPS.len() {
        row[index] = TAPS[index];
        row[PAST - index] = TAPS[index];
        index += 1;
    }
    row
};

/// Limits a voice at 8 kHz to the band.
pub(super) struct TelephoneBand {
    /// The past, and behind it the frame at hand.
    line: [i16; PAST + FRAME],
}

impl TelephoneBand {
    /// A filter at rest.
    pub(super) const fn new() -> Self {
        Self { line: [0; PAST + FRAME] }
    }

    /// The next frame without what lies above the band.
    pub(super) fn limit(&mut self, frame: &[i16; FRAME]) -> [i16; FRAME] {
        self.line.copy_within(FRAME.., 0);
        self.line[PAST..].copy_from_slice(frame);
        std::array::from_fn(|index| {
            let seen = self.line[index..index + SPAN].iter().zip(ROW);
            rounded(seen.map(|(&sample, tap)| i32::from(sample) * i32::from(tap)).sum(), 15)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::resample::tests::{level, sine};

    fn limited(samples: &[i16]) -> Vec<i16> {
        let mut band = TelephoneBand::new();
        samples.as_chunks::<FRAME>().0.iter().flat_map(|frame| band.limit(frame)).collect()
    }

    #[test]
    fn the_band_is_kept_and_what_lies_above_is_not() {
        let passed = |hz: f64| level(&limited(&sine(hz / 8000.0, 4000)));
        for hz in [100.0, 1000.0, 2000.0, 3000.0] {
            assert!(passed(hz).abs() < 0.1, "{hz} Hz: {} dB", passed(hz));
        }
        assert!((-7.0..-5.0).contains(&passed(3400.0)), "{} dB", passed(3400.0));
        for hz in [3700.0, 3800.0, 3950.0] {
            assert!(passed(hz) < -32.0, "{hz} Hz: {} dB", passed(hz));
        }
    }

    #[test]
    fn full_scale_is_not_turned_over() {
        for (sample, is_loud) in [(i16::MAX, 1), (i16::MIN, -1)] {
            let heard = limited(&[sample; 4 * FRAME]);
            assert!(heard[FRAME..].iter().all(|&sample| i32::from(sample) * is_loud > 32_000));
        }
        // The worst that can come: every product has the same sign.
        let worst: Vec<i16> = ROW.iter().map(|tap| if *tap < 0 { i16::MIN } else { i16::MAX }).collect();
        let heard = limited(&[&worst[..], &[0; 2 * FRAME - SPAN]].concat());
        assert_eq!(heard[PAST], i16::MAX);
    }
}

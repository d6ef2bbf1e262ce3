//! How much loss our encoder should expect from what the peer reports: one bad report is no reason to pay for copies, one
//! good report is none to stop.

/// Smoothed values hold this many parts of a fraction lost of 1/256.
const PARTS: u16 = 64;
/// Copies begin at this loss and end at that, in percent: they cost 0.1 of PESQ where nothing is lost.
const BEGIN_PERCENT: u8 = 2;
const END_PERCENT: u8 = 1;

/// The loss to be expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedLoss {
    /// In 1/256/[`PARTS`].
    smoothed: u16,
    is_noticed: bool,
}

impl ExpectedLoss {
    /// A report came with this fraction lost, in 1/256 (RFC 3550 §6.4.1).
    pub fn on_report(&mut self, fraction_lost: u8) {
        let reported = u16::from(fraction_lost) * PARTS;
        // Up with half of the difference, down with an eighth: some 40 s at the usual interval.
        if reported > self.smoothed {
            self.smoothed += (reported - self.smoothed).div_ceil(2);
        } else {
            self.smoothed -= (self.smoothed - reported).div_ceil(8);
        }
        let percent = self.smoothed_percent();
        self.is_noticed = percent >= if self.is_noticed { END_PERCENT } else { BEGIN_PERCENT };
    }

    fn smoothed_percent(self) -> u8 {
        u8::try_from(u32::from(self.smoothed) * 100 / (256 * u32::from(PARTS))).unwrap_or(100)
    }

    /// What to tell the encoder; 0 when copies are not worth their price.
    #[must_use]
    pub fn percent(&self) -> u8 {
        if self.is_noticed { self.smoothed_percent() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(expected: &mut ExpectedLoss, fractions: &[u8]) -> u8 {
        for fraction in fractions {
            expected.on_report(*fraction);
        }
        expected.percent()
    }

    #[test]
    fn a_little_loss_is_not_worth_copies() {
        assert_eq!(after(&mut ExpectedLoss::default(), &[0, 3, 0, 4, 2, 0, 3]), 0);
    }

    #[test]
    fn much_loss_is_noticed_at_the_first_report_and_known_after_a_few() {
        let mut expected = ExpectedLoss::default();
        assert_eq!(after(&mut expected, &[26]), 5);
        assert!((9..=10).contains(&after(&mut expected, &[26; 5])));
    }

    #[test]
    fn a_good_report_in_between_changes_little_and_many_end_it() {
        let mut expected = ExpectedLoss::default();
        after(&mut expected, &[26; 10]);
        assert!(after(&mut expected, &[0]) >= 8);
        assert!(after(&mut expected, &[0; 6]) > 0);
        assert_eq!(after(&mut expected, &[0; 15]), 0);
    }

    #[test]
    fn at_the_edge_it_does_not_flutter() {
        let mut expected = ExpectedLoss::default();
        after(&mut expected, &[12; 4]);
        let changes = (0..50).filter(|n| {
            let before = expected.percent() > 0;
            (after(&mut expected, &[if n % 2 == 0 { 2 } else { 8 }]) > 0) != before
        });
        assert_eq!(changes.count(), 0);
    }

    #[test]
    fn whatever_is_reported_is_a_percentage() {
        let mut expected = ExpectedLoss::default();
        assert!(after(&mut expected, &[255; 100]) <= 100);
    }
}

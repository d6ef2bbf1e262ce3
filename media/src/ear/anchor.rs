//! Where on our clock a stream's own time lies: where its fastest packets say, moved only where it matters or is not heard.
//!
//! Jitter and stalls move nothing, since the fastest packets do not suffer from them: what comes in a burst afterwards lies
//! where it belongs. A clock that drifts, and a first packet that was slow, do.

/// What the line may be off, in ms, before it is moved in the middle of talk.
const TOLERANCE_MS: i64 = 80;
/// What it may be off in a pause, in ms: there moving is not heard.
const PAUSE_TOLERANCE_MS: i64 = 15;

/// The place of media time 0.
pub struct Anchor {
    per_ms: i64,
    place: Option<i64>,
}

impl Anchor {
    /// For places at this rate.
    #[must_use]
    pub fn new(rate_hz: u32) -> Anchor {
        Anchor { per_ms: i64::from(rate_hz / 1000), place: None }
    }

    /// The place of media time 0 for a piece of the line, in samples, when the fastest packets now say `origin`.
    pub fn follow(&mut self, origin: i64, is_pause: bool) -> i64 {
        let tolerance = self.per_ms * if is_pause { PAUSE_TOLERANCE_MS } else { TOLERANCE_MS };
        let place = self.place.filter(|place| (origin - place).abs() <= tolerance).unwrap_or(origin);
        self.place = Some(place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An anchor at 8 kHz that begins at 0.
    fn anchored() -> Anchor {
        let mut anchor = Anchor::new(8000);
        assert_eq!(anchor.follow(0, false), 0);
        anchor
    }

    #[test]
    fn in_the_middle_of_talk_small_things_move_nothing() {
        let mut anchor = anchored();
        for origin in [640, -640, 8, 0] {
            assert_eq!(anchor.follow(origin, false), 0);
        }
    }

    #[test]
    fn a_first_packet_that_was_slow_is_put_right() {
        assert_eq!(anchored().follow(-120 * 8, false), -120 * 8);
    }

    #[test]
    fn a_clock_that_drifts_is_followed_in_steps() {
        for ppm in [-200, 200] {
            let mut anchor = anchored();
            let hour = (0..180_000).map(|packet| packet * 160 * ppm / 1_000_000);
            let steps: Vec<i64> = hour.map(|origin| anchor.follow(origin, false)).collect();
            let moved = steps.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert_eq!(moved, 8, "720 ms in steps of 80 ms");
        }
    }

    #[test]
    fn a_pause_is_used_to_put_small_things_right() {
        let mut anchor = anchored();
        assert_eq!(anchor.follow(-40 * 8, false), 0);
        assert_eq!(anchor.follow(-40 * 8, true), -40 * 8);
        assert_eq!(anchor.follow(-50 * 8, true), -40 * 8);
    }
}

//! Where on our clock a stream's own time lies: found from its first packet, put right when it has proved wrong.
//!
//! A stall of the sender or the network moves nothing: what comes in a burst afterwards lies where it belongs. A clock
//! that drifts, and a first packet that was slow, show in the promptest packet of some seconds.

use std::time::Duration;

use crate::tap::{Place, place_of};

/// Packets from which the promptest is looked for: 5 s of usual ones.
const WINDOW: u32 = 250;
/// In a pause of the sender, and at first, so many are enough; then twice as many, and so on.
const SHORT_WINDOW: u32 = 25;
/// What the promptest packet may be off before the line is moved in the middle of talk.
const TOLERANCE: Duration = Duration::from_millis(80);
/// What it may be off in a pause, where moving is not heard.
const PAUSE_TOLERANCE: Duration = Duration::from_millis(15);
/// A packet this far from its place belongs to another clock.
const MAX_OFF: Duration = Duration::from_secs(1);

/// Watches how far packets lie from where they arrive.
pub struct Anchor {
    rate_hz: u32,
    /// Of the packets of this window: the least that one came after its place, in samples; negative is before.
    least: i64,
    count: u32,
    /// Packets of this window.
    window: u32,
}

impl Anchor {
    /// For places at this rate.
    #[must_use]
    pub fn new(rate_hz: u32) -> Anchor {
        Anchor { rate_hz, least: i64::MAX, count: 0, window: SHORT_WINDOW }
    }

    /// The place of a packet that arrived at `now` and would continue the line at `place`, perhaps after a pause.
    pub fn place(&mut self, now: Duration, place: Place, after_pause: bool) -> Place {
        let late = place_of(now, self.rate_hz).cast_signed() - place.cast_signed();
        if late.unsigned_abs() > place_of(MAX_OFF, self.rate_hz) {
            self.restart();
            return place.saturating_add_signed(late);
        }
        let shift = self.shift(after_pause);
        self.least = self.least.min(late - shift);
        self.count += 1;
        place.saturating_add_signed(shift)
    }

    /// Another line begins.
    pub fn restart(&mut self) {
        *self = Anchor::new(self.rate_hz);
    }

    /// How far to move the line, from what the window has shown.
    fn shift(&mut self, after_pause: bool) -> i64 {
        let is_over = self.count >= self.window;
        let is_enough = is_over || (after_pause && self.count >= SHORT_WINDOW);
        if !is_enough {
            return 0;
        }
        let least = std::mem::replace(&mut self.least, i64::MAX);
        self.count = 0;
        if is_over {
            self.window = (self.window * 2).min(WINDOW);
        }
        let tolerance = if after_pause { PAUSE_TOLERANCE } else { TOLERANCE };
        if least.unsigned_abs() > place_of(tolerance, self.rate_hz) { least } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms; each is (arrival, what its place is off then), in ms.
    struct Bench {
        anchor: Anchor,
        next: Place,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { anchor: Anchor::new(8000), next: 0 }
        }

        /// How much the line was moved, in ms.
        fn on_packet(&mut self, arrived_ms: u64, after_pause: bool) -> i64 {
            let place = self.anchor.place(Duration::from_millis(arrived_ms), self.next, after_pause);
            let moved = place.cast_signed() - self.next.cast_signed();
            self.next = place + 160;
            moved / 8
        }
    }

    #[test]
    fn jitter_and_stalls_move_nothing() {
        let mut bench = Bench::new();
        for n in 0..1000 {
            let arrived = if (400..420).contains(&n) { 420 * 20 } else { n * 20 + n * 7 % 60 };
            assert_eq!(bench.on_packet(arrived, false), 0, "packet {n}");
        }
    }

    #[test]
    fn a_first_packet_that_was_slow_is_put_right() {
        let mut bench = Bench::new();
        bench.next = 120 * 8;
        let moved: i64 = (0..30).map(|n| bench.on_packet(n * 20, false)).sum();
        assert_eq!(moved, -120);
    }

    #[test]
    fn a_clock_that_drifts_is_followed_in_steps() {
        for (numerator, denominator) in [(201, 10), (199, 10)] {
            let mut bench = Bench::new();
            let packets = 5000;
            let moved: i64 = (0..packets).map(|n| bench.on_packet(n * numerator / denominator, false)).sum();
            let drift =
                i64::try_from(packets * numerator / denominator).unwrap() - i64::try_from(packets * 20).unwrap();
            assert!((moved - drift).abs() <= 130, "{moved} for {drift}");
        }
    }

    #[test]
    fn a_pause_is_used_to_put_small_things_right() {
        let mut bench = Bench::new();
        bench.next = 40 * 8;
        assert_eq!((0..60).map(|n| bench.on_packet(n * 20, false)).sum::<i64>(), 0);
        bench.next += 8 * 8000;
        assert_eq!(bench.on_packet(9200, true), -40);
    }

    #[test]
    fn another_clock_begins_where_it_arrives() {
        let mut bench = Bench::new();
        bench.on_packet(0, false);
        assert_eq!(bench.on_packet(5020, false), 5000);
        bench.next += 8 * 60_000;
        assert_eq!(bench.on_packet(5040, false), -60_000);
    }
}

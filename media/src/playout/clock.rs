//! The source's clock: RTP timestamps become one line of media time that only goes on, whatever the source does with
//! them (RFC 3550 §5.1): wrap, jump, another SSRC.

use super::delay::MAX_DEPTH;

/// A packet whose sequence number is this far from the newest belongs to another numbering (RFC 3550 A.1).
const NUMBERING: std::ops::Range<i16> = -100..3000;
/// Timestamp and time may part by so many µs between two packets before the clock is taken to have jumped.
const MAX_PARTING: i64 = 1_000_000;
/// Packets that come after their time this much longer, in µs, and catch up with none of it, come from a clock that stood
/// still; after a stall of the network they would come all at once.
const STOOD_STILL: i64 = 40_000;
/// So much of it they may catch up by jitter, in µs.
const CATCHING_UP: i64 = 10_000;
const MICROS: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    ticks: i64,
    /// In µs.
    arrived: i64,
}

/// From timestamps to samples.
#[derive(Debug)]
pub struct SourceClock {
    clock_hz: i64,
    rate_hz: i64,
    newest: Option<Newest>,
    /// Arrival and lateness, in µs, of the packet since which every newest one came after its time was given up.
    behind: Option<(i64, i64)>,
}

/// What a packet says about its place in time.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Its SSRC.
    pub ssrc: u32,
    /// Its sequence number.
    pub sequence: u16,
    /// Its timestamp.
    pub timestamp: u32,
}

impl SourceClock {
    /// Timestamps count `clock_hz`, media time counts samples at `rate_hz`.
    #[must_use]
    pub fn new(clock_hz: u32, rate_hz: u32) -> SourceClock {
        SourceClock { clock_hz: clock_hz.into(), rate_hz: rate_hz.into(), newest: None, behind: None }
    }

    /// Whether a packet of this SSRC begins another stream.
    #[must_use]
    pub fn is_other(&self, ssrc: u32) -> bool {
        self.newest.is_some_and(|newest| newest.ssrc != ssrc)
    }

    /// Media time of the first sample of a packet that arrived at `now` (µs), in samples since the first packet's; `None`
    /// for one that was overtaken and whose timestamp does not tell when.
    ///
    /// Where the timestamps jump, or stood still for longer than any depth covers, the packet is placed where one that took
    /// as long as the fastest would be (`base`, µs), but not before `after`, in samples.
    pub fn place(&mut self, now: i64, stamp: Stamp, base: i64, after: i64) -> Option<i64> {
        let Stamp { ssrc, sequence, timestamp } = stamp;
        let Some(newest) = self.newest else {
            self.newest = Some(Newest { ssrc, sequence, timestamp, ticks: 0, arrived: now });
            return Some(0);
        };
        let step = sequence.wrapping_sub(newest.sequence).cast_signed();
        let advance = i64::from(timestamp.wrapping_sub(newest.timestamp).cast_signed());
        let parting = advance * MICROS / self.clock_hz - (now - newest.arrived);
        let keeps_time = parting.abs() <= MAX_PARTING;
        let continues = newest.ssrc == ssrc && NUMBERING.contains(&step);
        if continues && step <= 0 {
            return (keeps_time && advance <= 0).then(|| self.samples(newest.ticks + advance));
        }
        let goes_on = newest.ticks + advance;
        let ticks = if continues && keeps_time && advance >= 0 && !self.stood_still(now, goes_on, base, after) {
            goes_on
        } else {
            self.behind = None;
            let on_time = (now - base) * self.clock_hz / MICROS;
            on_time.max(after * self.clock_hz / self.rate_hz)
        };
        self.newest = Some(Newest { ssrc, sequence, timestamp, ticks, arrived: now });
        Some(self.samples(ticks))
    }

    /// Whether packets have come later than any depth covers for a while, without catching up, the latest at `ticks`.
    fn stood_still(&mut self, now: i64, ticks: i64, base: i64, after: i64) -> bool {
        let late = now - base - ticks * MICROS / self.clock_hz;
        if late <= MAX_DEPTH || self.samples(ticks) >= after {
            self.behind = None;
            return false;
        }
        let (since, at_first) = *self.behind.get_or_insert((now, late));
        if late < at_first - CATCHING_UP {
            self.behind = Some((now, late));
            return false;
        }
        now - since >= STOOD_STILL
    }

    fn samples(&self, ticks: i64) -> i64 {
        ticks * self.rate_hz / self.clock_hz
    }

    /// How long so many samples last, in µs.
    #[must_use]
    pub fn micros(&self, samples: i64) -> i64 {
        samples * MICROS / self.rate_hz
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1000;

    fn place(clock: &mut SourceClock, ms: i64, ssrc: u32, sequence: u16, timestamp: u32) -> i64 {
        clock.place(ms * MS, Stamp { ssrc, sequence, timestamp }, 0, 0).expect("in its time")
    }

    #[test]
    fn timestamps_count_on_over_the_wrap_and_backwards_for_reordered_packets() {
        let mut clock = SourceClock::new(48_000, 8000);
        assert_eq!(place(&mut clock, 0, 1, 65_535, u32::MAX - 959), 0);
        assert_eq!(place(&mut clock, 40, 1, 1, 960), 320);
        assert_eq!(place(&mut clock, 41, 1, 0, 0), 160);
        assert_eq!(place(&mut clock, 60, 1, 2, 1920), 480);
    }

    #[test]
    fn the_inner_rate_may_be_above_the_clock() {
        let mut clock = SourceClock::new(8000, 16_000);
        place(&mut clock, 0, 1, 1, 0);
        assert_eq!(place(&mut clock, 20, 1, 2, 160), 320);
    }

    #[test]
    fn a_pause_of_the_sender_is_time_that_passes() {
        let mut clock = SourceClock::new(8000, 8000);
        place(&mut clock, 0, 1, 1, 0);
        assert_eq!(place(&mut clock, 600_000, 1, 2, 4_800_000), 4_800_000);
    }

    #[test]
    fn a_jump_of_the_timestamps_is_none_of_media_time() {
        for timestamp in [4_000_000_000, 100_000, 16_000] {
            let mut clock = SourceClock::new(8000, 8000);
            place(&mut clock, 0, 1, 1, 90_000);
            assert_eq!(place(&mut clock, 20, 1, 2, timestamp), 160, "{timestamp}");
            assert_eq!(place(&mut clock, 40, 1, 3, timestamp + 160), 320);
        }
    }

    #[test]
    fn another_stream_goes_on_in_the_same_time() {
        let mut clock = SourceClock::new(8000, 8000);
        place(&mut clock, 0, 1, 1, 90_000);
        assert!(clock.is_other(2));
        assert_eq!(place(&mut clock, 50, 2, 40_000, 7), 400);
        assert_eq!(place(&mut clock, 70, 2, 40_001, 167), 560);
        assert_eq!(clock.place(71 * MS, Stamp { ssrc: 2, sequence: 9, timestamp: 0 }, 0, 720), Some(720));
    }

    #[test]
    fn an_overtaken_packet_with_a_far_timestamp_has_no_place_and_changes_none() {
        for timestamp in [1_000_000, 1_600, 161, u32::MAX - 8_000, 1 << 31] {
            let mut clock = SourceClock::new(8000, 8000);
            place(&mut clock, 0, 1, 1, 0);
            place(&mut clock, 20, 1, 3, 160);
            let overtaken = Stamp { ssrc: 1, sequence: 2, timestamp };
            assert_eq!(clock.place(21 * MS, overtaken, 0, 0), None, "{timestamp}");
            assert_eq!(place(&mut clock, 40, 1, 4, 320), 320);
        }
    }
}

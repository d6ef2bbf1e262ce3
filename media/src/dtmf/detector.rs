//! Telephone-events in, digits out: each exactly once, whatever is lost, repeated or reordered.
//!
//! Its stream and RTP timestamp name an event (RFC 4733 §2.5.1.2), so they alone tell one digit from the next, whatever becomes
//! of sequence numbers. The marker bit is not looked at: Chromium sets it on every packet of a train. Timestamps are compared, never subtracted from durations, because
//! browsers stamp telephone-event/8000 with Opus's 48 kHz clock.

use std::time::Duration;

use super::{Digit, parse};
use crate::rtp::Ssrc;

/// A held digit is over when its train stops for so long: ten packets of a regular train, two of the slowest seen.
const LOST_END: Duration = Duration::from_millis(200);
/// How many finished events are remembered against their late and repeated packets.
const REMEMBERED: usize = 4;
/// Last DTMF event code; flash and tones are no digits.
const LAST_DIGIT: u8 = 15;

/// What names an event.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    ssrc: Ssrc,
    timestamp: u32,
    event: u8,
}

/// The event that goes on.
#[derive(Clone, Copy)]
struct Held {
    key: Key,
    /// Of its durations, which may not be that of the event before: a peer may have several payload types.
    clock_rate_hz: u32,
    /// Ticks in earlier segments of a long event (RFC 4733 §2.5.1.3).
    earlier: u32,
    duration: u16,
    heard: Duration,
}

impl Held {
    /// A new segment of the same event: its predecessor was full, or it starts where that is full.
    fn is_continued_by(&self, key: Key) -> bool {
        let full = self.duration == u16::MAX || key.timestamp.wrapping_sub(self.key.timestamp) == u32::from(u16::MAX);
        (self.key.ssrc, self.key.event) == (key.ssrc, key.event) && full
    }
}

/// Turns packets of telephone-events into digits, each exactly once.
#[derive(Default)]
pub struct Detector {
    held: Option<Held>,
    finished: [Option<Key>; REMEMBERED],
}

impl Detector {
    /// One telephone-event payload with its stream, RTP timestamp and the clock that was negotiated for its payload type,
    /// which scales durations only. Up to two digits can come out: one whose end was lost, and this one.
    pub fn on_packet(
        &mut self,
        now: Duration,
        ssrc: Ssrc,
        timestamp: u32,
        clock_rate_hz: u32,
        payload: &[u8],
        emit: &mut dyn FnMut(Digit),
    ) {
        let Some(packet) = parse(payload).filter(|packet| packet.event <= LAST_DIGIT) else { return };
        let key = Key { ssrc, timestamp, event: packet.event };
        if self.finished.contains(&Some(key)) {
            return;
        }
        let new = Held { key, clock_rate_hz, earlier: 0, duration: 0, heard: now };
        let mut held = self.continued(new, emit);
        if held.clock_rate_hz == clock_rate_hz {
            held.duration = held.duration.max(packet.duration);
        }
        held.heard = now;
        self.held = Some(held);
        if packet.end {
            self.finish().into_iter().for_each(emit);
        }
    }

    /// Report the digit whose end packets are lost, when its time has come.
    pub fn on_tick(&mut self, now: Duration) -> Option<Digit> {
        if self.deadline()? <= now { self.finish() } else { None }
    }

    /// When `on_tick` has something to say at the earliest.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.held.map(|held| held.heard + LOST_END)
    }

    /// The held event if `new` belongs to it, else that one in its place.
    fn continued(&mut self, new: Held, emit: &mut dyn FnMut(Digit)) -> Held {
        match self.held {
            Some(held) if held.key == new.key => held,
            Some(held) if held.is_continued_by(new.key) => {
                self.remember(held.key);
                Held { earlier: held.earlier.saturating_add(u32::from(u16::MAX)), ..new }
            }
            _ => {
                self.finish().into_iter().for_each(emit);
                new
            }
        }
    }

    fn finish(&mut self) -> Option<Digit> {
        let held = self.held.take()?;
        self.remember(held.key);
        let ticks = u64::from(held.earlier) + u64::from(held.duration);
        let duration_ms = u32::try_from(ticks * 1000 / u64::from(held.clock_rate_hz.max(1))).unwrap_or(u32::MAX);
        Some(Digit { event: held.key.event, duration_ms })
    }

    fn remember(&mut self, key: Key) {
        self.finished.rotate_right(1);
        self.finished[0] = Some(key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::TelephoneEvent;
    use super::*;

    const SSRC: Ssrc = Ssrc(1);

    /// A packet as (ms, RTP timestamp, event, end, duration).
    type Row = (u64, u32, u8, bool, u16);

    fn feed(detector: &mut Detector, rows: &[Row]) -> Vec<(char, u32)> {
        feed_from((SSRC, 8000), detector, rows)
    }

    /// From a stream with a clock.
    fn feed_from((ssrc, clock_rate_hz): (Ssrc, u32), detector: &mut Detector, rows: &[Row]) -> Vec<(char, u32)> {
        let mut digits = Vec::new();
        for &(now_ms, timestamp, event, end, duration) in rows {
            let now = Duration::from_millis(now_ms);
            let payload = TelephoneEvent { event, end, volume: 10, duration }.to_bytes();
            digits.extend(detector.on_tick(now));
            detector.on_packet(now, ssrc, timestamp, clock_rate_hz, &payload, &mut |digit| digits.push(digit));
        }
        digits.into_iter().map(|digit| (digit.as_char(), digit.duration_ms)).collect()
    }

    #[test]
    fn a_regular_train_is_one_digit() {
        let rows = [
            (0, 1000, 5, false, 160),
            (20, 1000, 5, false, 320),
            (40, 1000, 5, true, 480),
            (60, 1000, 5, true, 480),
            (80, 1000, 5, true, 480),
        ];
        assert_eq!(feed(&mut Detector::default(), &rows), [('5', 60)]);
    }

    #[test]
    fn chromiums_three_end_packets_are_one_digit() {
        // 48 kHz timestamps, 8 kHz durations, every packet with M and E (seen with telephone-event/8000 beside Opus).
        let rows = [(0, 48_000, 1, true, 960), (1, 48_000, 1, true, 960), (2, 48_000, 1, true, 960)];
        assert_eq!(feed(&mut Detector::default(), &rows), [('1', 120)]);
    }

    #[test]
    fn durations_have_the_clock_that_was_negotiated() {
        for (clock_rate_hz, ticks) in [(8000, 800), (16_000, 1600), (48_000, 4800)] {
            let rows = [(0, 0, 5, true, ticks)];
            assert_eq!(feed_from((SSRC, clock_rate_hz), &mut Detector::default(), &rows), [('5', 100)]);
        }
    }

    #[test]
    fn a_digit_whose_end_was_lost_keeps_its_clock_beside_one_of_another() {
        let mut detector = Detector::default();
        assert_eq!(feed(&mut detector, &[(0, 0, 5, false, 800)]), []);
        let rows = [(20, 9600, 6, true, 4800), (40, 9600, 6, true, 4800)];
        assert_eq!(feed_from((SSRC, 48_000), &mut detector, &rows), [('5', 100), ('6', 100)]);
    }

    #[test]
    fn a_digit_that_comes_under_two_payload_types_is_one() {
        let mut detector = Detector::default();
        assert_eq!(feed(&mut detector, &[(0, 0, 5, true, 800)]), [('5', 100)]);
        assert_eq!(feed_from((SSRC, 48_000), &mut detector, &[(1, 0, 5, true, 4800)]), []);
    }

    #[test]
    fn the_same_key_twice_is_two_digits() {
        let rows = [(0, 0, 9, true, 800), (5, 0, 9, true, 800), (200, 1600, 9, false, 160), (220, 1600, 9, true, 800)];
        assert_eq!(feed(&mut Detector::default(), &rows), [('9', 100), ('9', 100)]);
    }

    #[test]
    fn a_lost_end_is_found_by_the_next_digit() {
        let rows = [(0, 0, 1, false, 160), (20, 0, 1, false, 320), (160, 1280, 2, true, 800), (180, 0, 1, true, 800)];
        assert_eq!(feed(&mut Detector::default(), &rows), [('1', 40), ('2', 100)]);
    }

    #[test]
    fn a_lost_end_is_found_by_time() {
        let mut detector = Detector::default();
        assert_eq!(feed_from((SSRC, 48_000), &mut detector, &[(100, 0, 12, false, 4800)]), []);
        assert_eq!(detector.on_tick(Duration::from_millis(299)), None);
        assert_eq!(detector.deadline(), Some(Duration::from_millis(300)));
        assert_eq!(detector.on_tick(Duration::from_millis(300)), Some(Digit { event: 12, duration_ms: 100 }));
        assert_eq!(detector.deadline(), None);
        assert_eq!(feed(&mut detector, &[(400, 0, 12, true, 9600)]), []);
    }

    #[test]
    fn every_packet_but_one_may_be_lost() {
        let mut detector = Detector::default();
        assert_eq!(feed(&mut detector, &[(0, 0, 3, true, 800)]), [('3', 100)]);
        assert_eq!(feed(&mut detector, &[(900, 7200, 4, false, 160)]), []);
        assert_eq!(detector.on_tick(Duration::from_secs(2)), Some(Digit { event: 4, duration_ms: 20 }));
    }

    #[test]
    fn reordered_packets_of_one_digit_keep_its_longest_duration() {
        let rows = [(0, 0, 7, false, 320), (1, 0, 7, false, 160), (2, 0, 7, true, 640), (3, 0, 7, false, 480)];
        assert_eq!(feed(&mut Detector::default(), &rows), [('7', 80)]);
    }

    #[test]
    fn a_long_digit_in_segments_is_one() {
        let second = 0xffff;
        let rows = [
            (0, 0, 0, false, 60_000),
            (100, 0, 0, false, 0xffff),
            (120, second, 0, false, 800),
            (130, 0, 0, false, 0xffff),
            (140, second, 0, true, 1601),
        ];
        assert_eq!(feed(&mut Detector::default(), &rows), [('0', (0xffff + 1601) / 8)]);
    }

    #[test]
    fn flash_and_short_payloads_are_no_digits() {
        let mut detector = Detector::default();
        assert_eq!(feed(&mut detector, &[(0, 0, 16, true, 800), (0, 0, 255, true, 800)]), []);
        detector.on_packet(Duration::ZERO, SSRC, 0, 8000, &[1, 0x80, 0], &mut |digit| panic!("{digit:?}"));
        assert_eq!(detector.deadline(), None);
    }

    #[test]
    fn a_new_ssrc_may_use_the_old_timestamps() {
        let mut detector = Detector::default();
        assert_eq!(feed(&mut detector, &[(0, 0, 1, true, 800), (10, 800, 2, false, 160)]), [('1', 100)]);
        assert_eq!(feed_from((Ssrc(2), 8000), &mut detector, &[(20, 0, 1, true, 800)]), [('2', 20), ('1', 100)]);
    }
}

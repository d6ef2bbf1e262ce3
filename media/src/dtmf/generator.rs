//! Digits in, regular trains of telephone-events out (RFC 4733 §2.5.1).
//!
//! As with audio, a packet leaves at the end of the interval that it describes: the first one says 20 ms and carries the
//! timestamp that an audio packet leaving now would carry.

use std::collections::VecDeque;
use std::time::Duration;

use super::{DIGITS, TelephoneEvent};

/// Time between updates, in ms (RFC 4733 §2.5.1.2 wants that of the audio before it).
const INTERVAL_MS: u32 = 20;
/// How often the end is said (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Shortest digit that every receiver knows (ITU-T Q.24 lets them ignore less), and the longest that we send.
const DURATIONS_MS: (u32, u32) = (40, 60_000);
/// Shortest and longest pause after a digit.
const GAPS_MS: (u32, u32) = (40, 10_000);
/// Digits that wait at most.
const QUEUE: usize = 64;
/// Power of a digit, -10 dBm0, as most senders have it.
const VOLUME: u8 = 10;

/// One RTP packet that the generator wants sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// RTP marker bit: first packet of a digit.
    pub marker: bool,
    /// RTP timestamp: the start of the event (or of this segment of a long one).
    pub timestamp: u32,
    /// RTP payload.
    pub payload: [u8; 4],
}

#[derive(Clone, Copy)]
struct Key {
    event: u8,
    duration_ms: u32,
    gap_ms: u32,
}

/// The train on its way.
#[derive(Clone, Copy)]
struct Train {
    key: Key,
    start: Duration,
    /// RTP timestamp of the segment.
    timestamp: u32,
    /// Ticks of the event before this segment.
    earlier: u32,
    /// Number of the interval whose packet goes next.
    interval: u32,
    ends: u8,
}

impl Train {
    fn due(&self) -> Duration {
        self.start + millis(self.interval * INTERVAL_MS)
    }
}

/// Sends digits as regular trains: a packet every 20 ms, the end three times, a gap between digits.
pub struct Generator {
    event_rate_hz: u32,
    timestamp_rate_hz: u32,
    queue: VecDeque<Key>,
    train: Option<Train>,
    /// The gap after the last digit ends here.
    free_at: Duration,
}

impl Generator {
    /// `event_rate_hz` is the clock of durations, `timestamp_rate_hz` that of the RTP stream (they differ only where Opus
    /// carries telephone-event/8000).
    #[must_use]
    pub fn new(event_rate_hz: u32, timestamp_rate_hz: u32) -> Self {
        Self {
            event_rate_hz: event_rate_hz.clamp(1, 192_000),
            timestamp_rate_hz: timestamp_rate_hz.clamp(1, 192_000),
            queue: VecDeque::new(),
            train: None,
            free_at: Duration::ZERO,
        }
    }

    /// Queue a digit, its length brought to 40 ms to 60 s and its gap to at least 40 ms; false when the queue is full or
    /// `event` is no digit.
    #[must_use]
    pub fn push(&mut self, event: u8, duration_ms: u32, gap_ms: u32) -> bool {
        if usize::from(event) >= DIGITS.len() || self.queue.len() >= QUEUE {
            return false;
        }
        self.queue.push_back(Key {
            event,
            duration_ms: duration_ms.clamp(DURATIONS_MS.0, DURATIONS_MS.1),
            gap_ms: gap_ms.clamp(GAPS_MS.0, GAPS_MS.1),
        });
        true
    }

    /// The packet due at `now`, if any; call again until `None`.
    ///
    /// `rtp_now` is the timestamp that an audio packet leaving now would have; a digit that starts now takes it. A late call
    /// skips the updates that were missed, so that the train never lags behind its time.
    pub fn next(&mut self, now: Duration, rtp_now: u32) -> Option<Packet> {
        let mut train = self.train.or_else(|| self.start(now, rtp_now))?;
        let packet = if train.due() <= now { Some(self.advance(&mut train, now)) } else { None };
        self.train = Some(train);
        if train.ends == ENDS {
            self.train = None;
            self.free_at = train.due().max(train.start + millis(train.key.duration_ms + train.key.gap_ms));
        }
        packet
    }

    /// When `next` has something to send; `Duration::ZERO` for at once, `None` when all is sent.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match self.train {
            Some(train) => Some(train.due()),
            None if self.queue.is_empty() => None,
            None => Some(self.free_at),
        }
    }

    /// Digits are on their way or wait: audio pauses.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.train.is_some() || !self.queue.is_empty()
    }

    fn start(&mut self, now: Duration, rtp_now: u32) -> Option<Train> {
        if now < self.free_at {
            return None;
        }
        let key = self.queue.pop_front()?;
        Some(Train { key, start: now, timestamp: rtp_now, earlier: 0, interval: 0, ends: 0 })
    }

    fn advance(&self, train: &mut Train, now: Duration) -> Packet {
        let intervals = now.saturating_sub(train.start).as_millis() / u128::from(INTERVAL_MS);
        let interval = u32::try_from(intervals).unwrap_or(u32::MAX / INTERVAL_MS - 1);
        let elapsed_ms = ((interval + 1) * INTERVAL_MS).min(train.key.duration_ms);
        let marker = train.interval == 0 && train.earlier == 0;
        let in_segment = self.ticks(elapsed_ms) - train.earlier;
        let packet = |duration, end| Packet {
            marker,
            timestamp: train.timestamp,
            payload: TelephoneEvent { event: train.key.event, end, volume: VOLUME, duration }.to_bytes(),
        };
        let Ok(duration) = u16::try_from(in_segment) else {
            let full = packet(u16::MAX, false);
            self.begin_segment(train);
            return full;
        };
        let end = elapsed_ms == train.key.duration_ms;
        let packet = packet(duration, end);
        train.ends += u8::from(end);
        train.interval = interval + 1;
        packet
    }

    /// The event goes on under a new timestamp (RFC 4733 §2.5.1.3).
    fn begin_segment(&self, train: &mut Train) {
        let full = u64::from(u16::MAX);
        train.earlier += u32::from(u16::MAX);
        let step = full * u64::from(self.timestamp_rate_hz) / u64::from(self.event_rate_hz);
        train.timestamp = train.timestamp.wrapping_add(u32::try_from(step).unwrap_or(u32::MAX));
    }

    fn ticks(&self, elapsed_ms: u32) -> u32 {
        u32::try_from(u64::from(elapsed_ms) * u64::from(self.event_rate_hz) / 1000).unwrap_or(u32::MAX)
    }
}

fn millis(milliseconds: u32) -> Duration {
    Duration::from_millis(u64::from(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, parse};
    use super::*;

    /// Run until all is sent, calling at each deadline; gives (ms, packet).
    fn run(generator: &mut Generator, rtp_per_ms: u32) -> Vec<(u32, Packet)> {
        let mut sent = Vec::new();
        let mut now = Duration::from_secs(1);
        while let Some(deadline) = generator.deadline() {
            now = now.max(deadline);
            let now_ms = u32::try_from(now.as_millis()).expect("short test");
            while let Some(packet) = generator.next(now, now_ms * rtp_per_ms) {
                sent.push((now_ms - 1000, packet));
            }
        }
        sent
    }

    #[test]
    fn a_digit_is_a_regular_train_with_three_ends() {
        let mut generator = Generator::new(8000, 8000);
        assert!(generator.push(5, 80, 80));
        assert!(generator.is_sending());
        let seen = run(&mut generator, 8).into_iter().map(|(now_ms, packet)| {
            let event = parse(&packet.payload).expect("four bytes");
            assert_eq!((event.event, packet.timestamp), (5, 8000));
            (now_ms, packet.marker, event.end, event.duration)
        });
        let expected = [
            (0, true, false, 160),
            (20, false, false, 320),
            (40, false, false, 480),
            (60, false, true, 640),
            (80, false, true, 640),
            (100, false, true, 640),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert!(!generator.is_sending());
    }

    #[test]
    fn digits_keep_their_gap_and_get_their_own_timestamps() {
        let mut generator = Generator::new(48_000, 48_000);
        assert!(generator.push(1, 100, 60) && generator.push(1, 100, 60));
        let starts: Vec<_> = run(&mut generator, 48)
            .into_iter()
            .filter(|(_, packet)| packet.marker)
            .map(|(now_ms, packet)| (now_ms, packet.timestamp))
            .collect();
        assert_eq!(starts, [(0, 48_000), (160, 55_680)]);
    }

    #[test]
    fn a_digit_longer_than_the_duration_field_goes_on_in_segments() {
        let mut generator = Generator::new(48_000, 48_000);
        assert!(generator.push(0, 3000, 80));
        let sent = run(&mut generator, 48);
        let mut timestamps: Vec<_> = sent.iter().map(|(_, packet)| packet.timestamp).collect();
        timestamps.dedup();
        assert_eq!(timestamps, [48_000, 48_000 + 0xffff, 48_000 + 2 * 0xffff]);
        assert_eq!(sent.iter().filter(|(_, packet)| packet.marker).count(), 1);
        let last = parse(&sent[sent.len() - 1].1.payload).expect("four bytes");
        assert_eq!((last.end, u32::from(last.duration)), (true, 144_000 - 2 * 0xffff));
        let mut detector = Detector::default();
        let mut digits = Vec::new();
        for (now_ms, packet) in sent {
            let emit = &mut |digit| digits.push(digit);
            let (now, ssrc) = (millis(now_ms), crate::rtp::Ssrc(1));
            detector.on_packet(now, ssrc, packet.timestamp, 48_000, &packet.payload, emit);
        }
        assert_eq!(digits.iter().map(|digit| digit.duration_ms).collect::<Vec<_>>(), [3000]);
    }

    #[test]
    fn segments_follow_the_clock_of_the_stream() {
        let mut generator = Generator::new(8000, 48_000);
        assert!(generator.push(0, 10_000, 80));
        let sent = run(&mut generator, 48);
        assert_eq!(sent[sent.len() - 1].1.timestamp, 48_000 + 6 * 0xffff);
    }

    #[test]
    fn a_late_caller_gets_one_packet_that_tells_the_time() {
        let mut generator = Generator::new(8000, 8000);
        assert!(generator.push(2, 200, 80));
        let now = Duration::from_secs(5);
        assert!(generator.next(now, 77).is_some_and(|packet| packet.marker));
        assert_eq!(generator.next(now, 77), None);
        let late = generator.next(now + millis(95), 837).expect("one is due");
        assert_eq!(parse(&late.payload).map(|event| event.duration), Some(800));
        assert_eq!((late.marker, late.timestamp), (false, 77));
        assert_eq!(generator.next(now + millis(95), 837), None);
        assert_eq!(generator.deadline(), Some(now + millis(100)));
        let very_late = generator.next(now + Duration::from_secs(1_000_000), 0).expect("one is due");
        assert_eq!(parse(&very_late.payload).map(|event| (event.end, event.duration)), Some((true, 1600)));
    }

    #[test]
    fn what_is_no_digit_or_too_much_is_refused() {
        let mut generator = Generator::new(8000, 8000);
        assert_eq!(generator.deadline(), None);
        assert!(!generator.push(16, 100, 100));
        for _ in 0..QUEUE {
            assert!(generator.push(1, 0, 0));
        }
        assert!(!generator.push(1, 100, 100));
        assert_eq!(run(&mut generator, 8).len(), QUEUE * 4);
    }
}

//! The RTP stream that a leg sends: its SSRC, sequence numbers and timestamps belong to the leg, whatever the source, so
//! that a change of source is never heard as a jump (RFC 3550 §5.1).

use std::time::Duration;

use crate::path::LegId;
use crate::rtp::{Header, Pt, SeqNo, Ssrc};

/// A source that falls back further has restarted its numbering: the limit of RFC 3550 A.1, as in `rtcp`, which lets
/// such a packet pass only once the next one has confirmed it. Following it would use our numbers twice.
const MAX_BACKWARD: i16 = -100;
/// A source that leaps this far has restarted its numbering.
const MAX_FORWARD: i16 = 3000;
/// A source's clock may differ from ours by this much between two packets before it is taken for a restart.
const MAX_CLOCK_STEP: Duration = Duration::from_secs(3);

/// Frames of ours may be this far ahead of their time.
const MAX_LEAD: Duration = Duration::from_millis(100);

/// So much of a source may come too late behind frames of ours that took its time; more of it, and its clock stood still.
const MAX_TAKEN: Duration = Duration::from_millis(200);

/// Whose numbering is being followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The leg that received the packets.
    pub leg: LegId,
    /// Their SSRC.
    pub ssrc: Ssrc,
}

/// How the numbers of a source become ours.
#[derive(Clone, Copy)]
struct Mapping {
    origin: Origin,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// Older packets of the source belong to before the mapping.
    floor: SeqNo,
    newest: SeqNo,
    newest_timestamp: u32,
    newest_at: Duration,
    hole: Hole,
}

/// What came since the source's newest packet; behind a hole its next newer packet gets the next number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// Nothing.
    None,
    /// A packet that is not passed on, or those of an event.
    Skipped,
    /// Frames of ours, which took the time of the source's.
    Filled,
}

/// Where the next frame of ours starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Where the one before ended, whenever it is sent.
    Follows,
    /// There, too, unless a frame or more has passed since then.
    Joins,
    /// When it is sent, marked.
    Resumes,
}

/// Sequence number, timestamp and marker for one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Sequence number.
    pub sequence: SeqNo,
    /// Timestamp.
    pub timestamp: u32,
    /// The stream resumes here.
    pub marker: bool,
}

/// Numbering of one outgoing stream.
pub struct Stream {
    ssrc: Ssrc,
    rate_hz: u32,
    next_sequence: SeqNo,
    /// Timestamp of the sample after the last one sent, and when that is due.
    next_timestamp: u32,
    next_at: Duration,
    /// The newest timestamp sent: what is sent next belongs to no time before.
    newest: Option<u32>,
    start: Start,
    /// The next frame of ours is the first after a silence.
    marks: bool,
    mapping: Option<Mapping>,
}

/// `time` in ticks of a clock, modulo 2^32.
#[allow(clippy::cast_possible_truncation, reason = "RTP timestamps count modulo 2^32")]
fn ticks(time: Duration, rate_hz: u32) -> u32 {
    (time.as_micros() * u128::from(rate_hz) / 1_000_000) as u32
}

fn time(ticks: u32, rate_hz: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(rate_hz.max(1)))
}

impl Stream {
    /// A stream that starts with these random numbers (RFC 3550 §5.1).
    #[must_use]
    pub fn new(ssrc: Ssrc, sequence: u16, timestamp: u32) -> Stream {
        Stream {
            ssrc,
            rate_hz: 8000,
            next_sequence: SeqNo(sequence & 0x7fff),
            next_timestamp: timestamp,
            next_at: Duration::ZERO,
            newest: None,
            start: Start::Resumes,
            marks: true,
            mapping: None,
        }
    }

    /// Our SSRC.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Change the clock; what follows resumes at the time it is sent.
    pub fn set_rate(&mut self, rate_hz: u32) {
        if rate_hz != self.rate_hz {
            self.rate_hz = rate_hz;
            self.mapping = None;
            self.pause();
        }
    }

    /// The timestamp of a sample taken at `now`: never before what was already sent.
    #[must_use]
    pub fn clock(&self, now: Duration) -> u32 {
        self.next_timestamp.wrapping_add(ticks(now.saturating_sub(self.next_at), self.rate_hz))
    }

    /// A header of this stream.
    #[must_use]
    pub fn header(&self, place: Place, payload_type: Pt, marker: bool) -> Header {
        Header {
            marker: marker || place.marker,
            payload_type,
            sequence: place.sequence,
            timestamp: place.timestamp,
            ssrc: self.ssrc,
        }
    }

    /// The place of a packet that is passed on as it is; `None` when it is older than what the stream follows.
    pub fn relay(&mut self, now: Duration, origin: Origin, header: &Header, duration: u32) -> Option<Place> {
        let resumed = self.follow(now, origin, header, duration)?;
        let mapping = self.mapping.as_mut()?;
        mapping.note(now, header);
        let sequence = SeqNo(header.sequence.0.wrapping_add(mapping.sequence_offset));
        let timestamp = header.timestamp.wrapping_add(mapping.timestamp_offset);
        self.sent(now, sequence, timestamp, duration);
        self.marks = false;
        Some(Place { sequence, timestamp, marker: resumed })
    }

    /// Make the mapping fit this packet; true when the stream resumes with it.
    fn follow(&mut self, now: Duration, origin: Origin, header: &Header, duration: u32) -> Option<bool> {
        let Some(mapping) = self.mapping.filter(|mapping| mapping.continues(now, origin, header, self.rate_hz)) else {
            self.resume(now, origin, header);
            return Some(true);
        };
        if header.sequence.since(mapping.floor) < 0 {
            return None;
        }
        if mapping.hole == Hole::None {
            return Some(false);
        }
        if header.sequence.since(mapping.newest) <= 0 {
            return None;
        }
        let timestamp = header.timestamp.wrapping_add(mapping.timestamp_offset);
        let ahead = timestamp.wrapping_sub(self.next_timestamp).cast_signed();
        let is_filled = mapping.hole == Hole::Filled;
        let near = (duration / 2).cast_signed();
        if is_filled && (-ticks(MAX_TAKEN, self.rate_hz).cast_signed()..-near).contains(&ahead) {
            return None;
        }
        let lead = timestamp.wrapping_sub(self.clock(now)).cast_signed();
        let runs_ahead = is_filled && lead > ticks(MAX_LEAD, self.rate_hz).cast_signed();
        if runs_ahead || self.newest.is_some_and(|newest| timestamp.wrapping_sub(newest).cast_signed() < 0) {
            // The source's clock stood still, ran away, or was another one, while we sent something of our own.
            self.resume(now, origin, header);
            return Some(true);
        }
        // Behind frames of ours its clock and ours may have drifted apart: no frame is as short as that.
        let drift = if is_filled && ahead <= near { ahead } else { 0 };
        self.mapping = Some(Mapping {
            sequence_offset: self.next_sequence.0.wrapping_sub(header.sequence.0),
            timestamp_offset: mapping.timestamp_offset.wrapping_sub(drift.cast_unsigned()),
            floor: header.sequence,
            hole: Hole::None,
            ..mapping
        });
        Some(is_filled && ahead > near)
    }

    fn resume(&mut self, now: Duration, origin: Origin, header: &Header) {
        // Else the signed distance of `sent` is negative once half of all timestamps have passed: in 12 h at 48 kHz.
        (self.next_timestamp, self.next_at) = (self.clock(now), now);
        self.mapping = Some(Mapping {
            origin,
            sequence_offset: self.next_sequence.0.wrapping_sub(header.sequence.0),
            timestamp_offset: self.next_timestamp.wrapping_sub(header.timestamp),
            floor: header.sequence,
            newest: header.sequence,
            newest_timestamp: header.timestamp,
            newest_at: now,
            hole: Hole::None,
        });
        self.pause();
    }

    fn sent(&mut self, now: Duration, sequence: SeqNo, timestamp: u32, duration: u32) {
        if sequence.since(self.next_sequence) >= 0 {
            self.next_sequence = sequence.plus(1);
            self.newest = Some(timestamp);
        }
        let next = timestamp.wrapping_add(duration);
        if next.wrapping_sub(self.next_timestamp).cast_signed() > 0 {
            self.next_timestamp = next;
            self.next_at = now + time(duration, self.rate_hz);
        }
    }

    /// The source has a packet that is not passed on: close the hole it would leave in the numbering.
    pub fn skip_source_packet(&mut self) {
        if let Some(mapping) = self.mapping.as_mut().filter(|mapping| mapping.hole == Hole::None) {
            mapping.hole = Hole::Skipped;
        }
    }

    /// The source has a packet in the place of which something of ours is sent.
    pub fn overhear(&mut self, now: Duration, origin: Origin, header: &Header) {
        let rate_hz = self.rate_hz;
        if let Some(mapping) = self.mapping.as_mut().filter(|mapping| mapping.continues(now, origin, header, rate_hz)) {
            mapping.note(now, header);
        }
    }

    fn dig(&mut self, hole: Hole) {
        if let Some(mapping) = &mut self.mapping {
            mapping.hole = hole;
        }
    }

    /// When what was sent so far will have been heard: a frame of ours that starts then leaves no gap.
    #[must_use]
    pub fn free_at(&self) -> Duration {
        self.next_at
    }

    /// Frames of ours take the place of the source's: the first begins where those end.
    pub fn join(&mut self) {
        self.start = Start::Joins;
    }

    /// Where the next frame of ours starts, if that is settled before it is sent.
    #[must_use]
    pub fn following(&self) -> Option<u32> {
        (self.start == Start::Follows).then_some(self.next_timestamp)
    }

    /// The place of a frame that we made ourselves, `duration` ticks after the one before.
    pub fn append(&mut self, now: Duration, duration: u32) -> Place {
        let resumes = match std::mem::replace(&mut self.start, Start::Follows) {
            Start::Follows => false,
            Start::Joins => ticks(now.saturating_sub(self.next_at), self.rate_hz) >= duration,
            Start::Resumes => true,
        };
        let marker = std::mem::take(&mut self.marks) || resumes;
        if resumes {
            self.next_timestamp = self.clock(now);
            self.next_at = now;
        }
        let place = Place { sequence: self.next_sequence, timestamp: self.next_timestamp, marker };
        self.newest = Some(place.timestamp);
        self.next_sequence = place.sequence.plus(1);
        self.next_timestamp = place.timestamp.wrapping_add(duration);
        // A source whose clock runs fast gets ahead of ours; that must not be missing from the next pause.
        self.next_at = self.next_at.clamp(now, now + MAX_LEAD) + time(duration, self.rate_hz);
        self.dig(Hole::Filled);
        place
    }

    /// The place of comfort noise in the place of such a frame: it is no talk, so the next frame is marked and it is not
    /// (RFC 3551 §4.1).
    pub fn append_noise(&mut self, now: Duration, duration: u32) -> Place {
        let place = self.append(now, duration);
        self.marks = true;
        Place { marker: false, ..place }
    }

    /// Time passes that no packet fills: the next frame of ours starts `ticks` later, marked; unless it starts when it is
    /// sent, whatever has passed.
    pub fn pass(&mut self, ticks: u32) {
        self.marks = true;
        if self.start == Start::Resumes {
            return;
        }
        self.next_timestamp = self.next_timestamp.wrapping_add(ticks);
        self.next_at += time(ticks, self.rate_hz);
    }

    /// The next frame of ours starts at the time it is sent, marked.
    pub fn pause(&mut self) {
        self.start = Start::Resumes;
        self.marks = true;
    }

    /// The place of a telephone-event packet, whose timestamp is the start of its event (RFC 4733 §2.2.2).
    pub fn place_event(&mut self, now: Duration, timestamp: u32) -> Place {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.plus(1);
        if self.clock(now).wrapping_sub(self.next_timestamp).cast_signed() > 0 {
            self.next_timestamp = self.clock(now);
            self.next_at = now;
        }
        self.newest = Some(timestamp);
        self.dig(Hole::Skipped);
        self.pause();
        Place { sequence, timestamp, marker: false }
    }
}

impl Mapping {
    fn note(&mut self, now: Duration, header: &Header) {
        if header.sequence.since(self.newest) >= 0 {
            self.newest = header.sequence;
            self.newest_timestamp = header.timestamp;
            self.newest_at = now;
            // Numbers wrap: from 32,768 packets away the floor would seem to lie ahead.
            if header.sequence.since(self.floor) > MAX_FORWARD {
                self.floor = header.sequence.plus(MAX_FORWARD.cast_unsigned().wrapping_neg());
            }
        }
    }

    fn continues(&self, now: Duration, origin: Origin, header: &Header, rate_hz: u32) -> bool {
        let step = header.sequence.since(self.newest);
        let goes_back = step > 0 && header.timestamp.wrapping_sub(self.newest_timestamp).cast_signed() < 0;
        self.origin == origin
            && (MAX_BACKWARD..MAX_FORWARD).contains(&step)
            && !goes_back
            && self.keeps_time(now, header, rate_hz)
    }

    /// Whether the timestamp advanced about as much as the time did.
    fn keeps_time(&self, now: Duration, header: &Header, rate_hz: u32) -> bool {
        let expected = ticks(now.saturating_sub(self.newest_at), rate_hz);
        let actual = header.timestamp.wrapping_sub(self.newest_timestamp);
        actual.wrapping_sub(expected).cast_signed().unsigned_abs() <= ticks(MAX_CLOCK_STEP, rate_hz)
    }
}

#[cfg(test)]
mod tests;

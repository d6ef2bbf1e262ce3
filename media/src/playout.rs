//! From the packets of one stream to a line of samples without gaps, each at its time: an adaptive jitter buffer and the
//! decoder behind it (ADR 0014).
//!
//! A packet that is on time leaves at once. Only what is early, missing or late needs the clock: the caller asks for
//! [`Playout::deadline`] and calls [`Playout::pull`] then. Nothing is stretched: when the buffer deepens, pieces leave
//! later, and keep their media time.

pub mod clock;
pub mod delay;
mod listener;
mod piece;
pub mod queue;

use std::time::Duration;

use crate::codec::{Codec, CodecError, Decoder};
use crate::inbound::Media;
use crate::rtp::Header;
use clock::{SourceClock, Stamp};
use delay::{Delay, MAX_DEPTH};
pub use listener::Listener;
pub use piece::{Kind, Piece, Repairs};
use queue::{Content, Queue, Verdict};

/// A piece may leave this early, so that what is almost due needs no timer (one tick of the relay), in µs.
const SLACK: i64 = 5_000;
/// A missing packet is waited for this much longer than the depth, since the depth does not cover every packet, in µs.
const GRACE: i64 = 15_000;
/// How late the copy of a lost packet is that the next one carries: in µs, a frame and some jitter.
const COPY_DELAY: i64 = 25_000;
/// The most that is concealed, in ms: nobody expects more talk after that.
const MAX_CONCEAL_MS: i64 = 120;
/// Time that is too short to be a pause: rounding of the source, in ms.
const ROUNDING_MS: i64 = 2;
/// Mean amplitude below which samples are silence: -54 dB of full scale.
const SILENCE: u64 = 64;

/// What the source is thought to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// It talks: a packet that is not there is lost or late.
    Talking,
    /// It said that it is silent and will send little.
    Discontinuous,
    /// It pauses.
    Paused,
}

/// A jitter buffer with a decoder.
pub struct Playout {
    listener: Listener,
    decoder: Decoder,
    queue: Queue,
    clock: SourceClock,
    delay: Delay,
    flow: Flow,
    /// Media time up to which the line is made, in samples.
    position: i64,
    /// Samples of the latest packet: what a missing one most likely holds.
    frame: i64,
    /// Samples invented since something was heard.
    concealed: i64,
    /// When the latest packet came, in µs.
    arrived: i64,
    per_ms: i64,
    repairs: Repairs,
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

impl Playout {
    /// For a stream of `codec`, giving `listener` samples at `rate_hz`.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn new(codec: Codec, rate_hz: u32, listener: Listener) -> Result<Playout, CodecError> {
        let per_ms = i64::from(rate_hz / 1000);
        Ok(Playout {
            listener,
            decoder: Decoder::new(codec, rate_hz)?,
            queue: Queue::default(),
            clock: SourceClock::new(codec.clock_rate_hz(), rate_hz),
            delay: Delay::default(),
            flow: Flow::Paused,
            position: 0,
            frame: 20 * per_ms,
            concealed: 0,
            arrived: 0,
            per_ms,
            repairs: Repairs::default(),
        })
    }

    /// What was repaired so far.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.repairs
    }

    /// How long packets wait, so that later ones are in time.
    #[must_use]
    pub fn depth(&self) -> Duration {
        duration(self.delay.depth())
    }

    /// When the sample at media time 0 would have come with the fastest packets, in samples of our clock; a source that runs
    /// fast may seem to have begun before it.
    #[must_use]
    pub fn origin(&self) -> i64 {
        self.delay.base() * self.per_ms / 1000
    }

    /// When the sample at `at` is to be played.
    #[must_use]
    pub fn due(&self, at: i64) -> Duration {
        duration(self.due_at(at) - SLACK)
    }

    fn due_at(&self, at: i64) -> i64 {
        self.delay.base() + self.clock.micros(at) + self.delay.depth()
    }

    /// Whether a piece that begins at `at` may leave.
    fn is_due(&self, now: i64, at: i64) -> bool {
        self.listener == Listener::Later || now >= self.due_at(at) - SLACK
    }

    /// When a packet for the line's next sample is no longer waited for.
    fn given_up_at(&self) -> i64 {
        let wait = (self.delay.depth() + GRACE).max(self.listener.patience());
        self.delay.base() + self.clock.micros(self.position) + wait
    }

    /// Take a packet; call [`Playout::pull`] then.
    pub fn push(&mut self, now: Duration, media: &Media) -> Verdict {
        let header = &media.packet.header;
        self.arrived = micros(now);
        if self.clock.is_other(header.ssrc.0) {
            self.queue.clear();
        }
        if let Some(noise) = media.comfort_noise() {
            return self.hear_of_silence(now, header, noise);
        }
        if !media.is_audio() {
            return self.queue.push(header.sequence.0, Content::Other, 0, &[]);
        }
        let (now, sequence) = (micros(now), header.sequence.0);
        let Some(at) = self.place(now, header) else {
            self.repairs.late += 1;
            return Verdict::Late;
        };
        let verdict = self.queue.push(sequence, Content::Audio, at, media.packet.payload);
        if verdict != Verdict::Duplicate {
            let late = self.delay.on_arrival(now, self.clock.micros(at));
            if verdict == Verdict::Late {
                self.too_late(now, late);
            }
        }
        verdict
    }

    fn place(&mut self, now: i64, header: &Header) -> Option<i64> {
        let stamp = Stamp { ssrc: header.ssrc.0, sequence: header.sequence.0, timestamp: header.timestamp };
        let base = self.delay.base();
        let passed = self.listener.passed(self.position, (now - base - MAX_DEPTH) * self.per_ms / 1000);
        self.clock.place(now, stamp, base, passed)
    }

    /// The source tells what its silence sounds like, and then sends little.
    fn hear_of_silence(&mut self, now: Duration, header: &Header, noise: &[u8]) -> Verdict {
        let now = micros(now);
        let Some(at) = self.place(now, header) else {
            return Verdict::Late;
        };
        let verdict = self.queue.push(header.sequence.0, Content::ComfortNoise, at, noise);
        if verdict == Verdict::Taken {
            self.delay.on_arrival(now, self.clock.micros(at));
        }
        verdict
    }

    /// The silence begins that the first packet tells of.
    fn fall_silent(&mut self) {
        if let Some(held) = self.queue.pop() {
            self.decoder.describe_silence(&held.payload);
        }
        self.flow = Flow::Discontinuous;
    }

    fn too_late(&mut self, now: i64, late: i64) {
        self.repairs.late += 1;
        self.delay.on_too_late(now, late);
    }

    /// The next piece that is due, its samples appended to `line`; call again until `None`.
    pub fn pull(&mut self, now: Duration, line: &mut Vec<i16>) -> Option<Piece> {
        let now = micros(now);
        while let Some((missing, held)) = self.queue.first() {
            let gap = held.at - self.position;
            if held.content == Content::Other {
                if missing > 0 && now < self.given_up_at() {
                    return None;
                }
                self.queue.pop();
                self.flow = Flow::Paused;
            } else if missing > 0 && gap > 0 {
                return (now >= self.given_up_at()).then(|| self.bridge(missing, gap, line));
            } else if !self.is_due(now, held.at) {
                return self.run_dry(now, gap, line);
            } else if gap > ROUNDING_MS * self.per_ms {
                return Some(self.pass(gap, line));
            } else if held.content == Content::ComfortNoise {
                self.fall_silent();
            } else if -gap >= self.frame {
                let late = now - self.delay.base() - self.clock.micros(held.at);
                self.queue.pop();
                self.too_late(now, late);
            } else {
                return Some(self.decode(now, gap, line));
            }
        }
        self.run_dry(now, i64::MAX, line)
    }

    /// Decode the first packet, which begins `gap` after the line's end, or before it.
    fn decode(&mut self, now: i64, gap: i64, line: &mut Vec<i16>) -> Piece {
        let start = line.len();
        let decoded = self.queue.pop().and_then(|held| {
            let is_last = self.decoder.is_last_before_silence(&held.payload);
            self.decoder
                .decode(&held.payload, line)
                .ok()
                .filter(|samples| *samples > 0)
                .map(|samples| (samples, is_last))
        });
        let Some((samples, is_last)) = decoded else {
            self.repairs.undecodable += 1;
            return self.invent(Kind::Concealed, self.frame, line);
        };
        self.frame = signed(samples);
        self.concealed = 0;
        self.flow = if is_last { Flow::Discontinuous } else { Flow::Talking };
        if gap < -ROUNDING_MS * self.per_ms {
            // What was invented in its place has been played already.
            let played = usize::try_from(-gap).unwrap_or(0).min(samples);
            line.drain(start..start + played);
        }
        self.delay.on_played(now, is_silent(&line[start..]));
        self.piece(Kind::Heard, line.len() - start)
    }

    /// Fill some of the gap before the first packet that waits: others before it are lost.
    fn bridge(&mut self, missing: u16, gap: i64, line: &mut Vec<i16>) -> Piece {
        if gap > self.frame {
            let most = self.frame.min(gap - self.frame);
            return if self.may_conceal() {
                self.invent(Kind::Concealed, most, line)
            } else {
                self.pause(gap - self.frame)
            };
        }
        (0..missing.min(3)).for_each(|_| self.delay.note(COPY_DELAY));
        let count = usize::try_from(gap).unwrap_or(0);
        let next = self.queue.first().map(|(_, held)| held);
        if next.is_some_and(|next| self.decoder.recover(&next.payload, count, line)) {
            self.repairs.recovered += 1;
            return self.piece(Kind::Recovered, count);
        }
        self.invent(Kind::Concealed, gap, line)
    }

    /// Time passed that the source sent nothing for, and it is over.
    fn pass(&mut self, gap: i64, line: &mut Vec<i16>) -> Piece {
        if self.flow == Flow::Discontinuous && gap <= MAX_CONCEAL_MS * self.per_ms {
            return self.invent(Kind::Comfort, gap, line);
        }
        self.pause(gap)
    }

    /// Nothing is there to be played now; the next packet begins after `gap`.
    fn run_dry(&mut self, now: i64, gap: i64, line: &mut Vec<i16>) -> Option<Piece> {
        let samples = self.frame.min(gap);
        if samples <= 0 || self.dry_at().is_none_or(|at| now < at) {
            return None;
        }
        if self.flow == Flow::Discontinuous {
            return Some(self.invent(Kind::Comfort, samples, line));
        }
        if self.may_conceal() {
            return Some(self.invent(Kind::Concealed, samples, line));
        }
        self.flow = Flow::Paused;
        None
    }

    /// When the line has to go on without a packet. While packets come, be it late, nothing is invented in the place of
    /// the next one; and who hears the line later need not be given anything.
    fn dry_at(&self) -> Option<i64> {
        if self.listener == Listener::Later {
            return None;
        }
        let frame = self.clock.micros(self.frame);
        match self.flow {
            // The next packet may bring the copy of this one.
            Flow::Talking => Some((self.given_up_at() + frame).max(self.arrived + frame + self.listener.patience())),
            Flow::Discontinuous => Some((self.due_at(self.position) + SLACK).max(self.arrived + frame)),
            Flow::Paused => None,
        }
    }

    fn may_conceal(&self) -> bool {
        self.concealed < MAX_CONCEAL_MS * self.per_ms
    }

    /// Append samples that nobody sent; beyond the most that is concealed, time only passes.
    fn invent(&mut self, kind: Kind, samples: i64, line: &mut Vec<i16>) -> Piece {
        if kind == Kind::Concealed {
            if !self.may_conceal() {
                return self.pause(samples);
            }
            self.concealed += samples;
            self.repairs.concealed += 1;
        }
        let count = usize::try_from(samples).unwrap_or(0);
        if kind == Kind::Comfort {
            self.decoder.comfort(count, line);
        } else {
            self.decoder.conceal(count, line);
        }
        self.piece(kind, count)
    }

    fn pause(&mut self, samples: i64) -> Piece {
        self.flow = Flow::Paused;
        self.piece(Kind::Pause, usize::try_from(samples).unwrap_or(0))
    }

    fn piece(&mut self, kind: Kind, samples: usize) -> Piece {
        let at = self.position;
        self.position += signed(samples);
        Piece { kind, at, samples }
    }

    /// When `pull` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let dry = self.dry_at();
        let next = match self.queue.first() {
            None => dry,
            Some((missing, held)) if missing > 0 && (held.content == Content::Other || held.at > self.position) => {
                Some(self.given_up_at())
            }
            Some((_, held)) => {
                let due = self.due_at(held.at) - SLACK;
                Some(dry.filter(|_| held.at > self.position).map_or(due, |dry| due.min(dry)))
            }
        };
        next.map(duration)
    }
}

fn signed(samples: usize) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

fn is_silent(samples: &[i16]) -> bool {
    let sum: u64 = samples.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
    sum < SILENCE * samples.len() as u64
}

#[cfg(test)]
mod tests;

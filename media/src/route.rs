//! The way from one leg's stream to another's when their codecs differ: reorder, decode, conceal, encode, and keep
//! time, whatever is lost (RFC 3550 §5.1). Packets of equal codecs take the short way, `stream::Stream::relay`.

use std::time::Duration;

use crate::codec::{Codec, CodecError, Transcoder};
use crate::inbound::Media;
use crate::reorder::{Output, Reorder, Verdict};
use crate::rtp::{self, Packet, Pt};
use crate::stream::{Origin, Place, Stream};

/// Packets that may wait for a missing one.
const REORDER_DEPTH: usize = 3;
/// How long they may wait: a little more than two frames' jitter, so that no audible delay builds up.
const REORDER_WAIT: Duration = Duration::from_millis(50);
/// The most that is concealed; a longer gap is silence.
const MAX_CONCEAL_8K: u32 = 8 * 120;
/// A source that falls back this far in time has restarted its clock.
const MAX_OVERLAP_8K: i64 = 8 * 1000;
/// A gap longer than this is no gap but another clock.
const MAX_GAP_8K: i64 = 8 * 10_000;

/// What a route is made for; another one needs another route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose stream.
    pub origin: Origin,
    /// Its codec.
    pub from: Codec,
    /// Its payload type.
    pub audio: Pt,
    /// The codec of the receiving leg.
    pub to: Codec,
    /// The frames that it wants.
    pub ptime_ms: u32,
}

/// A transcoding route.
pub struct Transcode {
    key: Key,
    reorder: Reorder,
    line: Line,
}

/// The part behind the reorder window: a line of samples in time.
struct Line {
    audio: Pt,
    source_rate_hz: u32,
    target_rate_hz: u32,
    transcoder: Transcoder,
    /// Timestamp that continues the samples seen so far.
    expected: Option<u32>,
    /// Packets given up before the next one.
    lost: u16,
    /// Ticks taken in and not yet given out; negative after a frame was filled up.
    pending: i64,
}

/// Takes each finished frame with its place in the stream.
pub type Send<'s> = &'s mut dyn FnMut(&Stream, Place, &[u8]);

impl Transcode {
    /// A route for `key`.
    ///
    /// # Errors
    /// The codec library refuses.
    pub fn new(key: Key, complexity: i32) -> Result<Transcode, CodecError> {
        let line = Line {
            audio: key.audio,
            source_rate_hz: key.from.clock_rate_hz(),
            target_rate_hz: key.to.clock_rate_hz(),
            transcoder: Transcoder::new(key.from, key.to, key.ptime_ms, complexity)?,
            expected: None,
            lost: 0,
            pending: 0,
        };
        Ok(Transcode { key, reorder: Reorder::new(REORDER_DEPTH, REORDER_WAIT), line })
    }

    /// What the route is made for.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Take a packet of the source; finished frames go to `send`.
    pub fn push(&mut self, now: Duration, media: &Media, stream: &mut Stream, send: Send) -> Verdict {
        let line = &mut self.line;
        let header = &media.packet.header;
        self.reorder.push(now, header.ssrc.0, header.sequence.0, media.bytes, &mut |output| {
            line.take(now, output, stream, send);
        })
    }

    /// Give up what has waited long enough.
    pub fn on_timer(&mut self, now: Duration, stream: &mut Stream, send: Send) {
        let line = &mut self.line;
        self.reorder.on_timer(now, &mut |output| line.take(now, output, stream, send));
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.reorder.deadline()
    }

    /// The loss that the receiver of this route reports.
    pub fn set_expected_loss(&mut self, percent: u8) {
        self.line.transcoder.set_expected_loss(percent);
    }

    /// Payloads that could not be decoded or encoded.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.line.transcoder.errors()
    }
}

impl Line {
    fn take(&mut self, now: Duration, output: Output, stream: &mut Stream, send: Send) {
        match output {
            Output::Lost(count) => self.lost = self.lost.saturating_add(count),
            Output::Restart => self.restart(stream),
            Output::Packet(bytes) => {
                if let Some(packet) = rtp::parse(bytes).filter(|packet| packet.header.payload_type == self.audio) {
                    self.take_audio(now, &packet, stream, send);
                }
            }
        }
    }

    fn restart(&mut self, stream: &mut Stream) {
        self.expected = None;
        self.lost = 0;
        self.pending = 0;
        stream.pause();
    }

    fn take_audio(&mut self, now: Duration, packet: &Packet, stream: &mut Stream, send: Send) {
        self.catch_up(now, packet.header.timestamp, stream, send);
        self.lost = 0;
        let pending = &mut self.pending;
        self.transcoder.push(packet.payload, &mut |frame, duration| {
            *pending -= i64::from(duration);
            let place = stream.append(now, duration);
            send(stream, place, frame);
        });
        let samples = self.transcoder.last_samples_8k();
        self.pending += i64::from(samples * (self.target_rate_hz / 8000));
        let ticks = samples * (self.source_rate_hz / 8000);
        self.expected = Some(packet.header.timestamp.wrapping_add(ticks));
    }

    /// Fill the time between what came last and `timestamp`: lost packets by concealment, the rest by a pause.
    fn catch_up(&mut self, now: Duration, timestamp: u32, stream: &mut Stream, send: Send) {
        let Some(expected) = self.expected else {
            return;
        };
        let ticks = i64::from(timestamp.wrapping_sub(expected).cast_signed());
        let gap = ticks / i64::from(self.source_rate_hz / 8000);
        if !(-MAX_OVERLAP_8K..=MAX_GAP_8K).contains(&gap) {
            self.restart(stream);
            return;
        }
        let Ok(gap) = u32::try_from(gap) else {
            return;
        };
        let frame = self.transcoder.last_samples_8k();
        let concealed = gap.min(u32::from(self.lost) * frame).min(MAX_CONCEAL_8K);
        self.conceal(now, concealed, stream, send);
        self.pause(now, gap - concealed, stream, send);
    }

    fn conceal(&mut self, now: Duration, samples: u32, stream: &mut Stream, send: Send) {
        if samples == 0 {
            return;
        }
        let pending = &mut self.pending;
        *pending += i64::from(samples * (self.target_rate_hz / 8000));
        self.transcoder.conceal(samples, &mut |frame, duration| {
            *pending -= i64::from(duration);
            let place = stream.append(now, duration);
            send(stream, place, frame);
        });
    }

    fn pause(&mut self, now: Duration, samples: u32, stream: &mut Stream, send: Send) {
        if samples == 0 {
            return;
        }
        let pending = &mut self.pending;
        self.transcoder.flush(&mut |frame, duration| {
            *pending -= i64::from(duration);
            let place = stream.append(now, duration);
            send(stream, place, frame);
        });
        let ticks = i64::from(samples * (self.target_rate_hz / 8000)) + *pending;
        *pending = ticks.min(0);
        if let Ok(ticks @ 1..) = u32::try_from(ticks) {
            stream.pass(ticks);
        }
    }
}

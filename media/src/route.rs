//! The way from one leg's stream to another's when their codecs differ: a line of samples from the source's packets, cut
//! into frames, encoded, each sent at its time (RFC 3550 §5.1). Packets of equal codecs take the short way,
//! `stream::Stream::relay`.

mod hush;

use std::time::Duration;

use crate::codec::{self, Codec, CodecError, Encoder, MAX_PAYLOAD};
use crate::command::Format;
use crate::inbound::Media;
use crate::path::LegId;
use crate::playout::queue::Verdict;
use crate::playout::{Kind, Listener, Playout, Repairs};
use crate::rtp::Pt;
use crate::stream::{Place, Stream};
use hush::{Hush, Say};

/// So much of the source's line is kept while something else is sent in its place, in ms: as far as frames may be ahead
/// of their time (`stream`).
const KEPT_MS: u32 = 100;

/// Where the source's time and ours have come so far apart while something else was sent, in an hour of music perhaps, the
/// source begins anew.
const APART: Duration = Duration::from_millis(200);

/// What a route is made for; another one needs another route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who receives the stream.
    pub source: LegId,
    /// Its codec.
    pub from: Codec,
    /// Its payload type.
    pub audio: Pt,
    /// What the peer of the sending leg speaks.
    pub to: Format,
}

impl Key {
    /// From the stream of `media` to a peer that wants `format`.
    #[must_use]
    pub fn between(media: &Media, format: Format) -> Key {
        Key { source: media.origin.leg, from: media.codec, audio: media.audio, to: format }
    }
}

/// A transcoding route.
pub struct Transcode {
    key: Key,
    playout: Playout,
    encoder: Encoder,
    /// Where the peer takes comfort noise: tells silence from talk.
    hush: Option<Box<Hush>>,
    /// Sampling rate between decoder and encoder: the narrow side's (design.md D6).
    rate_hz: u32,
    /// Samples that are not sent yet.
    line: Vec<i16>,
    /// Media time of the first one.
    at: i64,
    /// Something else is sent in the place of the source.
    is_muted: bool,
    /// Media time when that began, and its timestamp in the stream.
    left: Option<(i64, u32)>,
    /// Media time from which the source is sent again.
    returns: Option<i64>,
    errors: u64,
}

/// Takes each finished payload with its place in the stream and its type.
pub type Send<'s> = &'s mut dyn FnMut(&Stream, Place, Pt, &[u8]);

impl Transcode {
    /// A route for `key`.
    ///
    /// # Errors
    /// The codec library refuses.
    pub fn new(key: Key, complexity: i32) -> Result<Transcode, CodecError> {
        let rate_hz = codec::inner_rate_hz(key.from, key.to.codec);
        let playout = Playout::new(key.from, rate_hz, Listener::Party)?;
        let mut encoder = Encoder::new(key.to.codec, rate_hz, key.to.ptime_ms, complexity)?;
        encoder.save_silence();
        let hush = key.to.comfort_noise.map(|_| Box::new(Hush::new(encoder.frame_ms())));
        Ok(Transcode {
            key,
            playout,
            encoder,
            hush,
            rate_hz,
            line: Vec::new(),
            at: 0,
            is_muted: false,
            left: None,
            returns: None,
            errors: 0,
        })
    }

    /// What the route is made for.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Take a packet of the source; finished frames go to `send`.
    pub fn push(&mut self, now: Duration, media: &Media, stream: &mut Stream, send: Send) -> Verdict {
        self.unmute(stream);
        let verdict = self.playout.push(now, media);
        self.on_timer(now, stream, send);
        verdict
    }

    /// Something else is sent in the place of the source from now on.
    pub fn mute(&mut self, stream: &Stream) {
        if !std::mem::replace(&mut self.is_muted, true) {
            // The way back from what was sent before may not be complete yet.
            let at = self.returns.take().unwrap_or(self.at);
            self.left = stream.following().map(|timestamp| (at, timestamp));
        }
    }

    /// The source is sent again, from the sample on whose time the other frames have left free.
    pub fn unmute(&mut self, stream: &mut Stream) {
        if !std::mem::take(&mut self.is_muted) {
            return;
        }
        self.encoder.reset();
        self.returns = self
            .left
            .take()
            .zip(stream.following())
            .map(|((at, left), timestamp)| at + self.samples(timestamp.wrapping_sub(left)));
        if self.returns.is_none() {
            self.drop_line(0);
            stream.pause();
        }
    }

    /// Take a packet of the source that is not to be sent. The jitter buffer and the decoder keep up, since a decoder that
    /// begins in the midst of speech gives 60 ms of it too quiet.
    pub fn overhear(&mut self, now: Duration, media: &Media, stream: &Stream) {
        self.mute(stream);
        self.playout.push(now, media);
        self.skip(now);
    }

    /// Decode what is due, for the decoder's sake and for what may be sent after all.
    fn skip(&mut self, now: Duration) {
        let kept = (self.rate_hz * KEPT_MS / 1000) as usize;
        while let Some(piece) = self.playout.pull(now, &mut self.line) {
            if piece.kind == Kind::Pause {
                self.drop_line(0);
                self.at += signed(piece.samples);
            } else {
                self.drop_line(kept);
            }
        }
    }

    /// Drop all of the line but its last samples.
    fn drop_line(&mut self, kept: usize) {
        self.drop_samples(self.line.len().saturating_sub(kept));
    }

    fn drop_samples(&mut self, count: usize) {
        self.line.drain(..count);
        self.at += signed(count);
    }

    /// Drop samples whose time was taken by something else; a pause that it did not fill passes.
    fn come_back(&mut self, now: Duration, stream: &mut Stream) {
        let Some(returns) = self.returns.filter(|_| !self.line.is_empty()) else {
            return;
        };
        if self.playout.due(returns).abs_diff(now) > APART {
            self.returns = None;
            let frame = self.encoder.frame();
            while self.line.len() >= frame && self.playout.due(self.at + signed(frame)) <= now {
                self.drop_samples(frame);
            }
            return stream.pause();
        }
        let taken = usize::try_from(returns - self.at).unwrap_or(0);
        self.drop_samples(taken.min(self.line.len()));
        if self.line.is_empty() {
            return;
        }
        self.returns = None;
        let gap = usize::try_from(self.at - returns).unwrap_or(0);
        if gap > self.encoder.frame() / 2 {
            stream.pass(self.ticks(gap));
        }
    }

    /// Send what is due.
    pub fn on_timer(&mut self, now: Duration, stream: &mut Stream, send: Send) {
        if self.is_muted {
            return self.skip(now);
        }
        self.send_frames(now, stream, send, false);
        while let Some(piece) = self.playout.pull(now, &mut self.line) {
            if piece.kind == Kind::Pause {
                self.pause(now, piece.samples, stream, send);
            } else {
                self.send_frames(now, stream, send, false);
            }
        }
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let sends = !self.is_muted && self.line.len() >= self.encoder.frame();
        let frame = sends.then(|| self.playout.due(self.at));
        self.playout.deadline().into_iter().chain(frame).min()
    }

    /// The loss that the receiver of this route reports.
    pub fn set_expected_loss(&mut self, percent: u8) {
        self.encoder.set_expected_loss(percent);
    }

    /// Change the effort of an Opus encoder, 0 to 10.
    pub fn set_complexity(&mut self, complexity: i32) {
        self.encoder.set_complexity(u8::try_from(complexity).unwrap_or(0));
    }

    /// Frames that could not be encoded.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// What was done to keep the source's line whole.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.playout.repairs()
    }

    /// How long the source's packets wait, so that later ones are in time.
    #[must_use]
    pub fn depth(&self) -> Duration {
        self.playout.depth()
    }

    /// Send the whole frames of the line that are due, or all.
    fn send_frames(&mut self, now: Duration, stream: &mut Stream, send: Send, all: bool) {
        self.come_back(now, stream);
        let frame = self.encoder.frame();
        while self.line.len() >= frame && (all || self.playout.due(self.at) <= now) {
            self.send_frame(now, stream, send);
            self.drop_samples(frame);
        }
    }

    /// Send the first frame of the line, or what silence needs in its place.
    fn send_frame(&mut self, now: Duration, stream: &mut Stream, send: Send) {
        let (frame, ticks) = (&self.line[..self.encoder.frame()], self.encoder.frame_ticks());
        let say = self.hush.as_mut().map_or(Say::Audio, |hush| hush.hear(frame));
        match (say, self.key.to.comfort_noise) {
            (Say::Noise(payload), Some(payload_type)) => {
                let place = stream.append_noise(now, ticks);
                send(stream, place, payload_type, &payload);
            }
            (Say::Nothing, _) => stream.pass(ticks),
            _ => {
                let mut payload = [0; MAX_PAYLOAD];
                if let Ok(len) = self.encoder.encode(frame, &mut payload) {
                    let place = stream.append(now, ticks);
                    send(stream, place, self.key.to.payload_type, &payload[..len]);
                } else {
                    self.errors += 1;
                    stream.pass(ticks);
                }
            }
        }
    }

    /// The source paused for `samples`: what waits for a whole frame is filled up with silence, the rest passes.
    fn pause(&mut self, now: Duration, samples: usize, stream: &mut Stream, send: Send) {
        if self.returns.is_some() {
            self.at += signed(samples);
            return;
        }
        let whole = self.line.len().next_multiple_of(self.encoder.frame());
        let filled = samples.min(whole - self.line.len());
        self.line.resize(self.line.len() + filled, 0);
        if self.line.len() == whole {
            self.send_frames(now, stream, send, true);
            let passed = samples - filled;
            self.at += signed(passed);
            stream.pass(self.ticks(passed));
        }
    }

    /// So many ticks of the RTP clock in samples.
    fn samples(&self, ticks: u32) -> i64 {
        i64::from(ticks) * i64::from(self.rate_hz) / i64::from(self.key.to.codec.clock_rate_hz())
    }

    /// So many samples on the RTP clock, modulo 2^32 as timestamps are.
    #[expect(clippy::cast_possible_truncation, reason = "timestamps count modulo 2^32")]
    fn ticks(&self, samples: usize) -> u32 {
        (samples as u64 * u64::from(self.key.to.codec.clock_rate_hz()) / u64::from(self.rate_hz)) as u32
    }
}

fn signed(samples: usize) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

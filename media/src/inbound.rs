//! What a leg receives: statistics, payload types, digits.

use std::time::Duration;

use crate::codec::Codec;
use crate::command::Format;
use crate::counters::Dropped;
use crate::dtmf::{Detector, Digit};
use crate::rtcp::{Arrival, ReceiverStats};
use crate::rtp::{Packet, Pt};
use crate::stream::Origin;

/// Comfort noise at a clock of 8000 Hz has this payload type, negotiated or not (RFC 3389 §4): it says what the silence
/// sounds like that begins now.
const COMFORT_NOISE: Pt = Pt(13);

/// A stream that another one replaced is heard again once that has been silent for so long: where early media runs on
/// beside the call's own, nobody wants to hear both by turns.
const REPLACED: Duration = Duration::from_millis(200);

/// A packet on its way from one leg to others.
#[derive(Clone, Copy)]
pub struct Media<'a> {
    /// Whose stream it belongs to.
    pub origin: Origin,
    /// The codec of the stream's audio.
    pub codec: Codec,
    /// Payload type of the stream's audio.
    pub audio: Pt,
    /// That of its comfort noise, if negotiated.
    pub noise: Option<Pt>,
    /// Header and payload.
    pub packet: Packet<'a>,
}

impl Media<'_> {
    /// Whether this is audio; otherwise it only takes its place in the sequence.
    #[must_use]
    pub fn is_audio(&self) -> bool {
        self.packet.header.payload_type == self.audio
    }

    /// What the silence sounds like that begins with this packet, if it says so.
    #[must_use]
    pub fn comfort_noise(&self) -> Option<&[u8]> {
        let is_static = is_static_noise(self.packet.header.payload_type, self.codec);
        (!self.is_audio() && (is_static || self.is_agreed_noise())).then_some(self.packet.payload)
    }

    /// Whether it is comfort noise that was negotiated.
    #[must_use]
    pub fn is_agreed_noise(&self) -> bool {
        self.noise == Some(self.packet.header.payload_type)
    }
}

fn is_static_noise(payload_type: Pt, codec: Codec) -> bool {
    payload_type == COMFORT_NOISE && codec.clock_rate_hz() == 8000
}

/// What an RTP packet is to the leg that receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Audio in the negotiated codec.
    Audio,
    /// A digit, or part of one; its duration has this clock.
    TelephoneEvent(u32),
    /// Comfort noise, negotiated or not: a decoder listens to it.
    ComfortNoise,
    /// Not passed on, for this reason.
    Nothing(Dropped),
}

/// The receiving half of a leg.
pub struct Inbound {
    format: Option<Format>,
    stats: ReceiverStats,
    rate_hz: u32,
    detector: Detector,
    /// The stream that the present one took the place of.
    former: Option<u32>,
    heard: Duration,
    /// Loss, reordered, duplicates and bursts of before the clock rate changed.
    before: [u64; 4],
}

impl Default for Inbound {
    /// Nothing received yet.
    fn default() -> Inbound {
        Inbound {
            format: None,
            stats: ReceiverStats::new(8000),
            rate_hz: 8000,
            detector: Detector::default(),
            former: None,
            heard: Duration::ZERO,
            before: [0; 4],
        }
    }
}

impl Inbound {
    /// The peer speaks this.
    pub fn set_format(&mut self, format: Format) {
        let rate_hz = format.codec.clock_rate_hz();
        if rate_hz != self.rate_hz {
            self.before = self.totals();
            self.stats = ReceiverStats::new(rate_hz);
            self.rate_hz = rate_hz;
        }
        self.format = Some(format);
    }

    /// What the peer speaks.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The peer's stream.
    pub fn stats(&mut self) -> &mut ReceiverStats {
        &mut self.stats
    }

    /// SSRC of the peer's stream.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.stats.ssrc()
    }

    /// Jitter of the peer's stream.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        self.stats.jitter_ms()
    }

    /// Packets lost, reordered and duplicated since the leg began, and in how many bursts they were lost.
    #[must_use]
    pub fn totals(&self) -> [u64; 4] {
        let stats = &self.stats;
        let now = [stats.lost(), stats.reordered(), stats.duplicates(), stats.loss_bursts()];
        std::array::from_fn(|index| self.before[index] + now[index])
    }

    /// Count a packet of a believed source and say what it is, and whether another numbering begins with it. A digit that
    /// ends, because of it or before it, is given to `digit`.
    ///
    /// # Errors
    /// Why it must not even take its place in the sequence.
    pub fn on_packet(
        &mut self,
        now: Duration,
        packet: &Packet,
        digit: &mut dyn FnMut(Digit),
    ) -> Result<(Use, bool), Dropped> {
        let header = &packet.header;
        let kind = self.kind(header.payload_type);
        let others = self.stats.ssrc().filter(|present| *present != header.ssrc.0);
        if matches!(kind, Use::TelephoneEvent(_)) && others.is_some() {
            // Events may have a stream of their own (RFC 4733 §2.6): it takes no other's place.
            self.detect(now, kind, packet, digit);
            return Ok((kind, false));
        }
        if others.is_some() && self.former == Some(header.ssrc.0) && now < self.heard + REPLACED {
            return Err(Dropped::Superseded);
        }
        (self.former, self.heard) = (others.or(self.former), now);
        let arrival = self.stats.on_packet(now, header.ssrc.0, header.sequence.0, header.timestamp);
        match arrival {
            Arrival::Duplicate => return Err(Dropped::Duplicate),
            Arrival::Probation => return Err(Dropped::Probation),
            Arrival::Restart | Arrival::Newer | Arrival::Reordered => {}
        }
        self.detect(now, kind, packet, digit);
        Ok((kind, arrival == Arrival::Restart))
    }

    fn detect(&mut self, now: Duration, kind: Use, packet: &Packet, digit: &mut dyn FnMut(Digit)) {
        if let Use::TelephoneEvent(rate_hz) = kind {
            let header = &packet.header;
            self.detector.on_packet(now, header.ssrc, header.timestamp, rate_hz, packet.payload, digit);
        }
    }

    fn kind(&self, payload_type: Pt) -> Use {
        match self.format {
            Some(format) if format.payload_type == payload_type => Use::Audio,
            Some(format) if format.comfort_noise == Some(payload_type) => Use::ComfortNoise,
            format => match format.and_then(|format| format.event_rate_hz(payload_type)) {
                Some(rate_hz) => Use::TelephoneEvent(rate_hz),
                None if format.is_some_and(|format| is_static_noise(payload_type, format.codec)) => Use::ComfortNoise,
                None if payload_type == COMFORT_NOISE => Use::Nothing(Dropped::ComfortNoise),
                None => Use::Nothing(Dropped::UnknownPayload),
            },
        }
    }

    /// A digit whose end was lost.
    pub fn on_timer(&mut self, now: Duration) -> Option<Digit> {
        self.detector.on_tick(now)
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.detector.deadline()
    }
}

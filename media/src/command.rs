//! What may be asked of a leg.

use std::net::SocketAddr;

use crate::codec::Codec;
use crate::dtmf::{Digit, Form};
use crate::path::LegId;
use crate::player::Play;
use crate::rtp::Pt;
use crate::sdes;
use crate::srtp::{Receiver, Sender};
use crate::tap::TapWriter;

/// How many payload types of telephone-event a peer may have: Chromium names four.
pub const MOST_EVENT_TYPES: usize = 4;

/// A payload type of telephone-event and the clock of its durations, in Hz (RFC 4733 §7.1.1).
pub type EventType = (Pt, u32);

/// What the peer of a leg speaks, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The audio codec.
    pub codec: Codec,
    /// Its payload type, in which it is sent.
    pub payload_type: Pt,
    /// The payload type that we offered it by, where the peer answered with another: it may speak either (RFC 3264 §6.1).
    pub offered_as: Option<Pt>,
    /// The telephone-events that were negotiated: all are heard, the first is sent.
    pub events: [Option<EventType>; MOST_EVENT_TYPES],
    /// Length of the frames that the peer wants.
    pub ptime_ms: u32,
    /// Payload type of comfort noise beside G.711, if negotiated (RFC 3389): then silence need not be sent.
    pub comfort_noise: Option<Pt>,
}

impl Format {
    /// This codec alone under its usual payload type: no digits, no comfort noise.
    #[must_use]
    pub const fn of(codec: Codec, ptime_ms: u32) -> Format {
        let payload_type = Pt(codec.default_payload_type());
        Format {
            codec,
            payload_type,
            offered_as: None,
            events: [None; MOST_EVENT_TYPES],
            ptime_ms,
            comfort_noise: None,
        }
    }

    /// Whether packets of this payload type belong to it.
    #[must_use]
    pub fn has(&self, payload_type: Pt) -> bool {
        [Some(self.payload_type), self.offered_as, self.comfort_noise].contains(&Some(payload_type))
            || self.event_rate_hz(payload_type).is_some()
    }

    /// Clock of the telephone-event with this payload type, if it is one.
    #[must_use]
    pub fn event_rate_hz(&self, payload_type: Pt) -> Option<u32> {
        self.events.iter().flatten().find(|(number, _)| *number == payload_type).map(|(_, rate_hz)| *rate_hz)
    }
}

/// Where an RTP leg's peer is, from its SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// From c= and m=.
    pub rtp: SocketAddr,
    /// From a=rtcp (RFC 3605); otherwise the next port.
    pub rtcp: Option<SocketAddr>,
    /// RTCP goes with RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// The source may be learned once more.
    pub reopen: bool,
}

/// Something to do on one leg.
pub enum Command {
    /// Send one DTLS datagram.
    SendDtls(Vec<u8>),
    /// Use these keys (RFC 5764 §4.2).
    SetSrtp(Box<(Receiver, Sender)>),
    /// SRTP with keys from the SDP (RFC 4568); `None`: the peer speaks plain RTP.
    SetSdes(Option<Box<sdes::Change>>),
    /// Send `VoIP` metrics with reports (RFC 3611 §4.7), or do not.
    SetVoipMetrics(bool),
    /// The peer speaks this; a browser that speaks another payload type, as soon as it does.
    SetFormat(Format),
    /// The peer is here.
    SetRemote(Remote),
    /// The call is answered: judge anew what is heard.
    Answered,
    /// Send RTP to the peer, or do not.
    SetSending(bool),
    /// Use RTP from the peer, or drop it.
    SetReceiving(bool),
    /// New ICE credentials.
    RestartIce {
        /// Local ufrag.
        ufrag: String,
        /// Local password.
        pwd: String,
    },
    /// Send digits.
    Dtmf {
        /// RFC 4733 event codes.
        events: Vec<u8>,
        /// How long each.
        duration_ms: u32,
        /// How far apart.
        gap_ms: u32,
    },
    /// Send a sound in the place of the source; with the same number as before: go on with these packets.
    Play(Play),
    /// Send the source again.
    StopPlaying,
    /// Write what the peer says, decoded.
    Tap(TapWriter),
    /// Digits of this leg.
    SetDigits {
        /// Send them to the peer in this form; by INFO means not at all, as far as media is concerned.
        form: Form,
        /// Take tones in the peer's audio for digits.
        listens: bool,
    },
    /// The peer sent a digit outside its media.
    Hear(Digit),
    /// Send to the peer what `LegId` receives; `None` for nothing.
    SetSource(Option<LegId>),
}

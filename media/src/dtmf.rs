//! DTMF as RTP telephone-events (RFC 4733): find digits in what comes, make regular trains of what goes.

use std::time::Duration;

/// The four bytes of one telephone-event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code; 0–15 are the DTMF digits 0–9 * # A–D.
    pub event: u8,
    /// E bit: the event is over.
    pub end: bool,
    /// Power below 0 dBm0, 0–63.
    pub volume: u8,
    /// How long the event has lasted, in ticks of the event's clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// The payload bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        unimplemented!()
    }
}

/// The telephone-event in an RTP payload, the first one when it is redundant (RFC 4733 §2.5.1.4).
#[must_use]
pub fn parse(_payload: &[u8]) -> Option<TelephoneEvent> {
    unimplemented!()
}

/// A digit that somebody dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// Event code, 0–15.
    pub event: u8,
    /// How long the key was held.
    pub duration_ms: u32,
}

impl Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    #[must_use]
    pub fn as_char(self) -> char {
        unimplemented!()
    }
}

/// Event code of a dialled character; lower-case a–d are taken too.
#[must_use]
pub fn event_of(_digit: char) -> Option<u8> {
    unimplemented!()
}

/// Turns packets of telephone-events into digits, each exactly once.
pub struct Detector {}

impl Detector {
    /// `clock_rate_hz` is that of the negotiated telephone-event; it scales durations only.
    #[must_use]
    pub fn new(_clock_rate_hz: u32) -> Self {
        unimplemented!()
    }

    /// One telephone-event payload with its RTP timestamp. Up to two digits can come out: one whose end was lost, and this one.
    pub fn on_packet(&mut self, _now: Duration, _timestamp: u32, _payload: &[u8], _emit: &mut dyn FnMut(Digit)) {
        unimplemented!()
    }

    /// Report the digit whose end packets are lost, when its time has come.
    pub fn on_tick(&mut self, _now: Duration) -> Option<Digit> {
        unimplemented!()
    }

    /// When `on_tick` has something to say at the earliest.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        unimplemented!()
    }

    /// The SSRC changed: forget old timestamps; a digit that was held is given out.
    pub fn reset(&mut self) -> Option<Digit> {
        unimplemented!()
    }
}

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

/// Sends digits as regular trains: a packet every 20 ms, the end three times, a gap between digits.
pub struct Generator {}

impl Generator {
    /// `event_rate_hz` is the clock of durations, `timestamp_rate_hz` that of the RTP stream (they differ only where Opus carries telephone-event/8000).
    #[must_use]
    pub fn new(_event_rate_hz: u32, _timestamp_rate_hz: u32) -> Self {
        unimplemented!()
    }

    /// Queue a digit; false when the queue is full or `event` is no digit.
    #[must_use]
    pub fn push(&mut self, _event: u8, _duration_ms: u32, _gap_ms: u32) -> bool {
        unimplemented!()
    }

    /// The packet due at `now`, if any; call again until `None`. `rtp_now` is the stream's RTP timestamp at `now`; it becomes the timestamp of a digit that starts now.
    pub fn next(&mut self, _now: Duration, _rtp_now: u32) -> Option<Packet> {
        unimplemented!()
    }

    /// When `next` has something to send; `Duration::ZERO` for at once, `None` when all is sent.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        unimplemented!()
    }

    /// A digit is being sent (its gap included): audio pauses.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        unimplemented!()
    }
}

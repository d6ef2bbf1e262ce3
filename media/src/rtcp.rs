//! RTCP: reports about what we receive and send, and what the peer tells (RFC 3550 §6, Appendix A).

use std::time::Duration;

/// What the statistics made of one RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, or one after a gap.
    Newer,
    /// Older than the newest, seen for the first time as far as we can tell.
    Reordered,
    /// Seen before.
    Duplicate,
    /// First packet, another SSRC, or a confirmed jump: counting starts afresh.
    Restart,
    /// A wild sequence number: not counted unless the next packet confirms it (RFC 3550 A.1).
    Probation,
}

/// One report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// SSRC this block is about.
    pub ssrc: u32,
    /// Fraction lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; negative with duplicates.
    pub cumulative_lost: i32,
    /// Extended highest sequence number received.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp ticks.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last SR; 0 for none.
    pub last_sr: u32,
    /// Delay since that SR in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// Sender information of an SR (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 fixed point.
    pub ntp: u64,
    /// The same instant as RTP timestamp.
    pub rtp_timestamp: u32,
    /// Packets sent since the start of this SSRC.
    pub packets: u32,
    /// Payload bytes sent since the start of this SSRC.
    pub octets: u32,
}

/// Statistics about one received stream (RFC 3550 A.1, A.3, A.8).
pub struct ReceiverStats {}

impl ReceiverStats {
    /// `clock_rate_hz` is that of the RTP timestamps.
    #[must_use]
    pub fn new(_clock_rate_hz: u32) -> Self {
        unimplemented!()
    }

    /// Count one authenticated RTP packet.
    pub fn on_packet(&mut self, _now: Duration, _ssrc: u32, _sequence: u16, _timestamp: u32) -> Arrival {
        unimplemented!()
    }

    /// Remember the SR of the stream for LSR and DLSR; another SSRC's is ignored.
    pub fn on_sender_report(&mut self, _now: Duration, _ssrc: u32, _ntp: u64) {
        unimplemented!()
    }

    /// The block for our next report; starts a new interval for the fraction. `None` before the first packet.
    pub fn report(&mut self, _now: Duration) -> Option<ReportBlock> {
        unimplemented!()
    }

    /// SSRC being received.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        unimplemented!()
    }

    /// Packets received over all SSRCs, duplicates included.
    #[must_use]
    pub fn received(&self) -> u64 {
        unimplemented!()
    }

    /// Packets lost over all SSRCs, never negative.
    #[must_use]
    pub fn lost(&self) -> u64 {
        unimplemented!()
    }

    /// Packets that came after a newer one.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        unimplemented!()
    }

    /// Packets that came twice.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        unimplemented!()
    }

    /// Interarrival jitter in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        unimplemented!()
    }
}

/// Counts what we send under one SSRC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// RTP packets.
    pub packets: u32,
    /// RTP payload bytes.
    pub octets: u32,
}

impl SenderStats {
    /// One RTP packet with this many payload bytes was sent.
    pub fn on_packet(&mut self, _payload_len: usize) {
        unimplemented!()
    }

    /// Sender information for an SR now.
    #[must_use]
    pub fn info(&self, _ntp: u64, _rtp_timestamp: u32) -> SenderInfo {
        unimplemented!()
    }
}

/// NTP time of a time since the Unix epoch.
#[must_use]
pub fn ntp_from_unix(_since_epoch: Duration) -> u64 {
    unimplemented!()
}

/// Round-trip time from a block about us, or `None` when it holds none or an impossible one (RFC 3550 §6.4.1).
#[must_use]
pub fn round_trip(_now_ntp: u64, _block: &ReportBlock) -> Option<Duration> {
    unimplemented!()
}

/// What goes into one compound packet of ours.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// Makes it an SR; otherwise an RR.
    pub sender: Option<SenderInfo>,
    /// About the peer's stream.
    pub report: Option<ReportBlock>,
    /// SDES CNAME; cut at 255 bytes.
    pub cname: &'a str,
    /// We leave (RFC 3550 §6.6).
    pub bye: bool,
}

/// A buffer of this size holds every compound packet of ours.
pub const MAX_COMPOUND: usize = 28 + 24 + 268 + 8;

/// Write SR or RR, SDES and perhaps BYE; returns the length, or `None` when `buffer` is too small.
pub fn build_compound(_buffer: &mut [u8], _compound: &Compound<'_>) -> Option<usize> {
    unimplemented!()
}

/// What a received RTCP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An SR's sender information.
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// When and how much.
        info: SenderInfo,
    },
    /// A block of an SR or RR.
    Report {
        /// Who reports.
        reporter: u32,
        /// About whom and what.
        block: ReportBlock,
    },
    /// A canonical name (RFC 3550 §6.5.1).
    Cname {
        /// Whose.
        ssrc: u32,
        /// The text, as sent.
        name: &'a [u8],
    },
    /// This source leaves.
    Bye {
        /// Who.
        ssrc: u32,
    },
    /// Feedback, XR, APP and unknown types: skipped, but told.
    Other {
        /// RTCP packet type.
        packet_type: u8,
        /// Count or format field.
        format: u8,
    },
}

/// The packet is no RTCP, or ends within a sub-packet. Items before that point have been visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Visit everything in a (compound or reduced-size, RFC 5506) RTCP packet.
///
/// # Errors
/// [`Malformed`].
pub fn parse<'a>(_packet: &'a [u8], _visit: &mut impl FnMut(Item<'a>)) -> Result<(), Malformed> {
    unimplemented!()
}

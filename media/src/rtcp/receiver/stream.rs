//! One received SSRC: sequence numbers, loss, jitter (RFC 3550 A.1, A.3, A.8).

use std::time::Duration;

use crate::rtcp::ReportBlock;
use crate::rtcp::bursts::{Bursts, GMIN, share};
use crate::rtcp::voip::{UNAVAILABLE, VoipMetrics};

/// A gap of more packets is a restart rather than loss (RFC 3550 A.1 `MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3000;
/// A packet so far behind is a restart rather than late (RFC 3550 A.1 `MAX_MISORDER`).
const MAX_MISORDER: u16 = 100;

/// What the statistics made of one RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, or one after a gap.
    Newer,
    /// Older than the newest, seen for the first time.
    Reordered,
    /// Seen before.
    Duplicate,
    /// First packet, another SSRC, or a confirmed jump: counting starts afresh.
    Restart,
    /// A wild sequence number: not counted unless the next packet confirms it (RFC 3550 A.1).
    Probation,
}

/// One SSRC since its first packet or restart.
pub(super) struct Stream {
    pub(super) ssrc: u32,
    /// Extended sequence number of the first packet.
    base: u32,
    /// Extended highest sequence number.
    highest: u32,
    /// Bit `k` stands for `highest - k`: whether it has come.
    seen: u128,
    /// The sequence number that would confirm a jump.
    expected_after_jump: Option<u16>,
    /// Duplicates included, as RFC 3550 counts them.
    received: u32,
    duplicates: u32,
    /// Runs of missing packets.
    pub(super) bursts: u64,
    pattern: Bursts,
    expected_prior: u32,
    received_prior: u32,
    timestamp: u32,
    transit: u32,
    /// Jitter in 1/16 tick.
    pub(super) jitter: u32,
    pub(super) last_sr: Option<(u32, Duration)>,
}

impl Stream {
    pub(super) fn new(ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) -> Self {
        Self {
            ssrc,
            base: u32::from(sequence),
            highest: u32::from(sequence),
            seen: 1,
            expected_after_jump: None,
            received: 1,
            duplicates: 0,
            bursts: 0,
            pattern: Bursts::default(),
            expected_prior: 0,
            received_prior: 0,
            timestamp,
            transit: arrival.wrapping_sub(timestamp),
            jitter: 0,
            last_sr: None,
        }
    }

    /// Place a sequence number (RFC 3550 A.1); the caller restarts the stream when told so.
    pub(super) fn place(&mut self, sequence: u16) -> Arrival {
        let [.., high, low] = self.highest.to_be_bytes();
        let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low]));
        let behind = ahead.wrapping_neg();
        if ahead < MAX_DROPOUT {
            self.place_ahead(ahead)
        } else if behind <= MAX_MISORDER {
            self.place_behind(behind)
        } else if self.expected_after_jump == Some(sequence) {
            Arrival::Restart
        } else {
            self.expected_after_jump = Some(sequence.wrapping_add(1));
            Arrival::Probation
        }
    }

    fn place_ahead(&mut self, ahead: u16) -> Arrival {
        self.received = self.received.wrapping_add(1);
        if ahead == 0 {
            self.duplicates = self.duplicates.wrapping_add(1);
            return Arrival::Duplicate;
        }
        self.expected_after_jump = None;
        self.bursts += u64::from(ahead > 1);
        self.pattern.on_packet(ahead - 1);
        self.highest = self.highest.wrapping_add(u32::from(ahead));
        self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        Arrival::Newer
    }

    fn place_behind(&mut self, behind: u16) -> Arrival {
        self.received = self.received.wrapping_add(1);
        let bit = 1_u128 << behind;
        if self.seen & bit == 0 {
            self.seen |= bit;
            self.fill(behind);
            Arrival::Reordered
        } else {
            self.duplicates = self.duplicates.wrapping_add(1);
            Arrival::Duplicate
        }
    }

    /// A late packet ends a run of missing ones, shortens it, or makes two of it. What is older than the first packet of all
    /// was never missing.
    fn fill(&mut self, behind: u16) {
        let span = self.highest.wrapping_sub(self.base);
        if u32::from(behind) > span {
            return;
        }
        let newer_came = self.seen & (1 << (behind - 1)) != 0;
        let older_came = u32::from(behind) == span || self.seen & (1_u128 << (behind + 1)) != 0;
        match (newer_came, older_came) {
            (true, true) => self.bursts = self.bursts.saturating_sub(1),
            (false, false) => self.bursts += 1,
            _ => {}
        }
    }

    /// Interarrival jitter (RFC 3550 A.8), `max_step` in ticks.
    pub(super) fn time(&mut self, timestamp: u32, arrival: u32, max_step: u32) {
        // Packets of one telephone-event or video frame share a timestamp; their spacing is the sender's, not the network's.
        if timestamp == self.timestamp {
            return;
        }
        let transit = arrival.wrapping_sub(timestamp);
        let step = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.timestamp = timestamp;
        self.transit = transit;
        if step <= max_step {
            self.jitter = self.jitter + step - ((self.jitter + 8) >> 4);
        }
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    pub(super) fn lost(&self) -> u64 {
        let distinct = self.received.wrapping_sub(self.duplicates);
        u64::from(self.expected().saturating_sub(distinct))
    }

    /// Fraction lost since the previous report (RFC 3550 A.3).
    fn next_fraction(&mut self) -> u8 {
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        let lost = u64::from(expected.saturating_sub(received));
        let fraction = (lost << 8).checked_div(u64::from(expected)).unwrap_or(0);
        u8::try_from(fraction).unwrap_or(u8::MAX)
    }

    pub(super) fn voip(&self, ptime_ms: u32) -> VoipMetrics {
        let expected = u64::from(self.expected());
        let summary = self.pattern.summary(expected);
        let lasting = |packets: u64| u16::try_from(packets * u64::from(ptime_ms)).unwrap_or(u16::MAX);
        VoipMetrics {
            ssrc: self.ssrc,
            loss_rate: share(self.lost(), expected),
            discard_rate: 0,
            burst_density: summary.burst_density,
            gap_density: summary.gap_density,
            burst_ms: lasting(summary.burst_packets),
            gap_ms: lasting(summary.gap_packets),
            round_trip_ms: 0,
            signal_level: UNAVAILABLE,
            noise_level: UNAVAILABLE,
            gmin: GMIN,
            r_factor: UNAVAILABLE,
            mos_lq: UNAVAILABLE,
            mos_cq: UNAVAILABLE,
            buffer: None,
        }
    }

    pub(super) fn report(&mut self, now: Duration) -> ReportBlock {
        let (last_sr, delay_since_last_sr) = match self.last_sr {
            Some((middle, heard)) => (middle, fixed_point(now.saturating_sub(heard))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: self.next_fraction(),
            cumulative_lost: self.expected().wrapping_sub(self.received).cast_signed().clamp(-0x80_0000, 0x7f_ffff),
            highest_sequence: self.highest,
            jitter: self.jitter >> 4,
            last_sr,
            delay_since_last_sr,
        }
    }
}

/// A time in 1/65536 s, at most what 32 bits hold: 18 hours.
fn fixed_point(time: Duration) -> u32 {
    let whole = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let fraction = (u64::from(time.subsec_nanos()) << 16) / 1_000_000_000;
    if whole > 0xffff { u32::MAX } else { whole << 16 | u32::try_from(fraction).unwrap_or(0) }
}

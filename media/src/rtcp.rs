//! RTCP: reports about what we receive and send, and what the peer tells (RFC 3550 §6, Appendix A).

pub mod bursts;
mod receiver;
pub mod voip;
mod wire;

use std::time::Duration;

pub use receiver::{Arrival, ReceiverStats};
pub use wire::{Compound, Item, MAX_COMPOUND, Malformed, build_compound, parse};

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

/// Counts what we send under one SSRC; both counters wrap, as the RFC has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// RTP packets.
    pub packets: u32,
    /// RTP payload bytes.
    pub octets: u32,
}

impl SenderStats {
    /// One RTP packet with this many payload bytes was sent.
    pub fn on_packet(&mut self, payload_len: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload_len).unwrap_or(u32::MAX));
    }

    /// Sender information for an SR now.
    #[must_use]
    pub fn info(&self, ntp: u64, rtp_timestamp: u32) -> SenderInfo {
        SenderInfo { ntp, rtp_timestamp, packets: self.packets, octets: self.octets }
    }
}

/// Seconds from NTP's epoch, 1900, to Unix's (RFC 5905 §6).
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;

/// NTP time of a time since the Unix epoch.
#[must_use]
pub fn ntp_from_unix(since_epoch: Duration) -> u64 {
    let fraction = (u64::from(since_epoch.subsec_nanos()) << 32) / 1_000_000_000;
    since_epoch.as_secs().wrapping_add(UNIX_EPOCH_IN_NTP) << 32 | fraction
}

/// The middle 32 bits of an NTP time: 1/65536 s, as LSR, DLSR and round-trip times count (RFC 3550 §4).
#[must_use]
pub const fn ntp_middle(ntp: u64) -> u32 {
    let [_, _, a, b, c, d, _, _] = ntp.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A round trip longer than 10 s is a mistake of the peer's: nobody would still be talking.
const MAX_ROUND_TRIP: u32 = 10 << 16;
/// How far below zero rounding and clock drift may bring a round trip: 1/64 s.
const SLACK: u32 = 1 << 10;

/// Round-trip time from a block about us, or `None` when it holds none or an impossible one (RFC 3550 §6.4.1).
#[must_use]
pub fn round_trip(now_ntp: u64, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let ticks = ntp_middle(now_ntp).wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
    if ticks <= MAX_ROUND_TRIP {
        Some(Duration::from_nanos((u64::from(ticks) * 1_000_000_000) >> 16))
    } else {
        (ticks >= SLACK.wrapping_neg()).then_some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_time_starts_in_1900_and_has_binary_fractions() {
        assert_eq!(ntp_from_unix(Duration::ZERO), 0x83aa_7e80_0000_0000);
        assert_eq!(ntp_from_unix(Duration::from_millis(500)), 0x83aa_7e80_8000_0000);
        assert_eq!(ntp_middle(0x1122_3344_5566_7788), 0x3344_5566);
    }

    /// The example of RFC 3550 figure 2: 6.125 s of round trip.
    #[test]
    fn the_round_trip_is_that_of_the_rfcs_figure() {
        let block = ReportBlock { last_sr: 0xb705_2000, delay_since_last_sr: 0x0005_4000, ..ReportBlock::default() };
        assert_eq!(round_trip(0xb44d_b710_8000_0000, &block), Some(Duration::from_millis(6125)));
    }

    #[test]
    fn impossible_round_trips_are_none() {
        let now = ntp_from_unix(Duration::from_secs(1_000_000));
        let sent = ntp_middle(now);
        let block =
            |last_sr, delay_since_last_sr| ReportBlock { last_sr, delay_since_last_sr, ..ReportBlock::default() };
        assert_eq!(round_trip(now, &block(0, 0)), None);
        assert_eq!(round_trip(now, &block(sent, 5)), Some(Duration::ZERO));
        assert_eq!(round_trip(now, &block(sent, 1 << 16)), None);
        assert_eq!(round_trip(now, &block(sent.wrapping_sub(11 << 16), 0)), None);
    }

    #[test]
    fn what_is_sent_is_counted() {
        let mut stats = SenderStats { packets: u32::MAX, octets: 0 };
        stats.on_packet(160);
        assert_eq!(stats.info(7, 8), SenderInfo { ntp: 7, rtp_timestamp: 8, packets: 0, octets: 160 });
    }
}

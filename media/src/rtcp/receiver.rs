//! Statistics about one received stream (RFC 3550 A.1, A.3, A.8).

mod stream;

use std::time::Duration;

use super::bursts::share;
use super::voip::VoipMetrics;
use super::{ReportBlock, ntp_middle};
pub use stream::Arrival;
use stream::Stream;

/// A transit time that jumps further is a clock that was set anew, not jitter.
const MAX_JITTER_STEP_S: u32 = 5;

/// Statistics about what one peer sends; another SSRC starts them afresh, totals go on.
pub struct ReceiverStats {
    clock_rate_hz: u32,
    stream: Option<Stream>,
    received: u64,
    reordered: u64,
    duplicates: u64,
    /// Lost in streams before the present one.
    lost_before: u64,
    /// In how many runs.
    bursts_before: u64,
}

impl ReceiverStats {
    /// `clock_rate_hz` is that of the RTP timestamps.
    #[must_use]
    pub fn new(clock_rate_hz: u32) -> Self {
        let clock_rate_hz = clock_rate_hz.clamp(1, 192_000);
        Self { clock_rate_hz, stream: None, received: 0, reordered: 0, duplicates: 0, lost_before: 0, bursts_before: 0 }
    }

    /// Count one authenticated RTP packet.
    pub fn on_packet(&mut self, now: Duration, ssrc: u32, sequence: u16, timestamp: u32) -> Arrival {
        let arrival = ticks(now, self.clock_rate_hz);
        let placed = match &mut self.stream {
            Some(stream) if stream.ssrc == ssrc => stream.place(sequence),
            _ => Arrival::Restart,
        };
        self.received += 1;
        match placed {
            Arrival::Newer => {
                let max_step = MAX_JITTER_STEP_S * self.clock_rate_hz;
                self.stream.iter_mut().for_each(|stream| stream.time(timestamp, arrival, max_step));
            }
            Arrival::Reordered => self.reordered += 1,
            Arrival::Duplicate => self.duplicates += 1,
            Arrival::Restart => {
                (self.lost_before, self.bursts_before) = (self.lost(), self.loss_bursts());
                self.stream = Some(Stream::new(ssrc, sequence, timestamp, arrival));
            }
            Arrival::Probation => {}
        }
        placed
    }

    /// Remember the SR of the stream for LSR and DLSR; another SSRC's is ignored.
    pub fn on_sender_report(&mut self, now: Duration, ssrc: u32, ntp: u64) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) {
            stream.last_sr = Some((ntp_middle(ntp), now));
        }
    }

    /// The block for our next report; starts a new interval for the fraction. `None` before the first packet.
    pub fn report(&mut self, now: Duration) -> Option<ReportBlock> {
        self.stream.as_mut().map(|stream| stream.report(now))
    }

    /// What the loss was like, for packets so long, of which so many came too late to be played; what others measure is
    /// left open. `None` before the first packet.
    #[must_use]
    pub fn voip(&self, ptime_ms: u32, late: u64) -> Option<VoipMetrics> {
        let discard_rate = share(late, self.received + self.lost());
        self.stream.as_ref().map(|stream| VoipMetrics { discard_rate, ..stream.voip(ptime_ms) })
    }

    /// SSRC being received.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// Packets received over all SSRCs, duplicates included.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets lost over all SSRCs, never negative.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_before + self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// Runs of packets lost one after another, over all SSRCs.
    #[must_use]
    pub fn loss_bursts(&self) -> u64 {
        self.bursts_before + self.stream.as_ref().map_or(0, |stream| stream.bursts)
    }

    /// Packets that came after a newer one.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Packets that came twice.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Interarrival jitter in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        let sixteenths = self.stream.as_ref().map_or(0, |stream| stream.jitter);
        f64::from(sixteenths) * 1000.0 / (16.0 * f64::from(self.clock_rate_hz))
    }
}

/// A time in timestamp ticks, wrapping as timestamps do.
#[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
fn ticks(now: Duration, clock_rate_hz: u32) -> u32 {
    let rate = u64::from(clock_rate_hz);
    let fraction = u64::from(now.subsec_nanos()) * rate / 1_000_000_000;
    now.as_secs().wrapping_mul(rate).wrapping_add(fraction) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8000;

    fn stats_of(sequences: &[u16]) -> ReceiverStats {
        let mut stats = ReceiverStats::new(RATE);
        for (&sequence, n) in sequences.iter().zip(0_u32..) {
            stats.on_packet(Duration::from_millis(u64::from(n) * 20), 1, sequence, n * 160);
        }
        stats
    }

    #[test]
    fn loss_is_counted_over_the_wrap() {
        let mut stats = stats_of(&[65_533, 65_534, 1, 2]);
        assert_eq!((stats.received(), stats.lost()), (4, 2));
        let block = stats.report(Duration::ZERO).expect("packets have come");
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (85, 2, 0x1_0002));
        let block = stats.report(Duration::ZERO).expect("packets have come");
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 2));
    }

    #[test]
    fn late_packets_are_not_lost_and_double_ones_are_told() {
        let mut stats = stats_of(&[10, 12]);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 11, 160), Arrival::Reordered);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 11, 160), Arrival::Duplicate);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 12, 320), Arrival::Duplicate);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 9, 0), Arrival::Reordered);
        assert_eq!((stats.lost(), stats.reordered(), stats.duplicates(), stats.received()), (0, 2, 2, 6));
        assert_eq!(stats.report(Duration::ZERO).map(|block| block.cumulative_lost), Some(-3));
    }

    #[test]
    fn runs_of_lost_packets_are_counted_however_late_ones_change_them() {
        assert_eq!(stats_of(&[10, 12, 13, 17]).loss_bursts(), 2);
        assert_eq!(stats_of(&[10, 12, 13, 17, 11]).loss_bursts(), 1);
        assert_eq!(stats_of(&[10, 12, 13, 17, 15]).loss_bursts(), 3);
        assert_eq!(stats_of(&[10, 12, 13, 17, 14, 16, 15]).loss_bursts(), 1);
        assert_eq!(stats_of(&[10, 11, 9, 8, 12]).loss_bursts(), 0);
        assert_eq!(stats_of(&[65_535, 1, 0]).loss_bursts(), 0);
    }

    #[test]
    fn a_duplicate_does_not_hide_a_loss_from_people() {
        let stats = stats_of(&[1, 1, 3]);
        assert_eq!((stats.lost(), stats.duplicates()), (1, 1));
    }

    #[test]
    fn a_jump_counts_when_the_next_packet_confirms_it() {
        let mut stats = stats_of(&[100, 101, 103]);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 40_000, 0), Arrival::Probation);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 104, 0), Arrival::Newer);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 40_001, 0), Arrival::Probation);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 40_002, 0), Arrival::Restart);
        assert_eq!(stats.on_packet(Duration::ZERO, 1, 40_004, 0), Arrival::Newer);
        assert_eq!(stats.lost(), 2);
        assert_eq!(stats.report(Duration::ZERO).map(|block| block.cumulative_lost), Some(1));
    }

    #[test]
    fn another_ssrc_starts_afresh_and_keeps_the_totals() {
        let mut stats = stats_of(&[1, 3]);
        stats.on_sender_report(Duration::ZERO, 1, 0x0000_0001_0000_0000);
        assert_eq!(stats.on_packet(Duration::ZERO, 2, 500, 0), Arrival::Restart);
        assert_eq!((stats.ssrc(), stats.lost(), stats.received()), (Some(2), 1, 3));
        let block = stats.report(Duration::ZERO).expect("packets have come");
        assert_eq!((block.ssrc, block.cumulative_lost, block.last_sr), (2, 0, 0));
    }

    #[test]
    fn steady_packets_have_no_jitter_and_uneven_ones_have() {
        assert!(stats_of(&[1, 2, 3, 4, 5]).jitter_ms() < 0.01);
        let mut stats = ReceiverStats::new(RATE);
        for n in 0..400_u16 {
            let late_ms = if n % 2 == 0 { 0 } else { 10 };
            stats.on_packet(Duration::from_millis(u64::from(n) * 20 + late_ms), 1, n, u32::from(n) * 160);
        }
        assert!((stats.jitter_ms() - 10.0).abs() < 0.5, "{}", stats.jitter_ms());
    }

    #[test]
    fn a_digit_or_a_new_timestamp_base_is_no_jitter() {
        let mut stats = stats_of(&[1, 2]);
        for n in 3..10_u16 {
            stats.on_packet(Duration::from_millis(u64::from(n) * 20), 1, n, 160);
        }
        stats.on_packet(Duration::from_millis(200), 1, 10, 3_000_000_000);
        stats.on_packet(Duration::from_millis(220), 1, 11, 3_000_000_160);
        assert!(stats.jitter_ms() < 0.01, "{}", stats.jitter_ms());
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_told() {
        let mut stats = stats_of(&[1]);
        stats.on_sender_report(Duration::from_secs(10), 1, 0x1122_3344_5566_7788);
        stats.on_sender_report(Duration::from_secs(11), 9, 0xffff_ffff_ffff_ffff);
        let block = stats.report(Duration::from_millis(11_500)).expect("packets have come");
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0x3344_5566, 0x0001_8000));
        let block = stats.report(Duration::from_secs(1 << 40)).expect("packets have come");
        assert_eq!(block.delay_since_last_sr, u32::MAX);
    }

    #[test]
    fn nothing_is_reported_before_the_first_packet() {
        assert_eq!(ReceiverStats::new(RATE).report(Duration::ZERO), None);
    }

    #[test]
    fn any_sequence_of_packets_is_survived() {
        let mut stats = ReceiverStats::new(48_000);
        let mut seed = 7_u32;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = seed.to_be_bytes();
            let now = Duration::from_millis(u64::from(seed >> 8));
            stats.on_packet(now, u32::from(a & 1), u16::from_be_bytes([b, c]), u32::from(d) << 24);
            stats.report(now);
        }
        assert_eq!(stats.received(), 100_000);
    }
}

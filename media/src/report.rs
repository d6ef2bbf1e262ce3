//! RTCP of one leg: our reports, and what the peer's say (RFC 3550 §6).

use std::time::Duration;

use crate::expected_loss::ExpectedLoss;
use crate::inbound::Inbound;
use crate::leg::Quality;
use crate::outbound::Outbound;
use crate::playout::delay::MAX_DEPTH;
use crate::rtcp::voip::{Buffer, UNAVAILABLE, VoipMetrics};
use crate::rtcp::{self, Compound, Item, ReportBlock};

/// The first report comes soon, so that a short call has its figures.
const FIRST: Duration = Duration::from_secs(1);
/// The later ones at the usual interval (RFC 3550 §6.2).
const INTERVAL_MS: u32 = 5000;
/// A jitter above this is a mistake of the peer's, and would make a bad MOS of a good call: speech with it would be none.
const MAX_JITTER: Duration = Duration::from_secs(1);

/// What the peer's reports say about our stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remote {
    /// Round-trip time.
    pub rtt: Option<Duration>,
    /// Packets that the peer misses.
    pub lost: Option<i32>,
    /// Interarrival jitter.
    pub jitter: Option<Duration>,
    /// Fraction lost of late, in 1/256.
    pub fraction_lost: u8,
    /// Its R and ten times its MOS, if it sends `VoIP` metrics (RFC 3611 §4.7) and knows them.
    pub judgement: [Option<u8>; 2],
}

/// What became of the peer's packets where they are passed on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Onward {
    /// Packets that came too late to be transcoded.
    pub late: u64,
    /// How long they wait now; `None` where they are relayed.
    pub buffer: Option<Duration>,
}

/// Sends and reads the reports of one leg.
pub struct Reporter {
    cname: String,
    next: Duration,
    /// Packets sent up to our last report; an SR is only for those who send (RFC 3550 §6.4).
    reported: u32,
    /// Varies the interval, so that legs do not report in step (RFC 3550 §6.2).
    spread: u32,
    remote: Remote,
    expected_loss: ExpectedLoss,
    /// The peer wants `VoIP` metrics (RFC 3611 §5.1).
    pub sends_voip: bool,
    /// As of the last report.
    pub onward: Onward,
}

impl Reporter {
    /// A reporter with a random name of its own (RFC 7022 §4.2).
    #[must_use]
    pub fn new(now: Duration, seed: u32, name: u64) -> Reporter {
        let cname = format!("{name:016x}");
        Reporter {
            cname,
            next: now + FIRST,
            reported: 0,
            spread: seed | 1,
            remote: Remote::default(),
            expected_loss: ExpectedLoss::default(),
            sends_voip: false,
            onward: Onward::default(),
        }
    }

    /// What the peer says about our stream.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The loss that the peer will see, from its reports so far, in percent.
    #[must_use]
    pub fn expected_loss(&self) -> u8 {
        self.expected_loss.percent()
    }

    /// When the next report is due.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.next
    }

    /// A compound packet for now, and the time of the next one.
    pub fn report<'a>(
        &'a mut self,
        now: Duration,
        unix: Duration,
        inbound: &mut Inbound,
        outbound: &Outbound,
        bye: bool,
    ) -> Compound<'a> {
        self.next = now + self.interval();
        let sent = outbound.stats().packets;
        let is_sender = sent != self.reported;
        self.reported = sent;
        let info = || outbound.stats().info(rtcp::ntp_from_unix(unix), outbound.clock(now));
        Compound {
            ssrc: outbound.ssrc().0,
            sender: is_sender.then(info),
            report: inbound.stats().report(now),
            cname: &self.cname,
            bye,
        }
    }

    /// `VoIP` metrics to go with a report, if the peer wants them: the levels of speech and noise in dBov, and the quality.
    pub fn voip(
        &self,
        inbound: &mut Inbound,
        levels: [Option<f64>; 2],
        quality: Option<Quality>,
    ) -> Option<VoipMetrics> {
        let ptime_ms = inbound.format()?.ptime_ms;
        let metrics = inbound.stats().voip(ptime_ms, self.onward.late).filter(|_| self.sends_voip)?;
        let round_trip = self.remote.rtt.map_or(0, |rtt| rtt.as_millis());
        Some(VoipMetrics {
            round_trip_ms: u16::try_from(round_trip).unwrap_or(u16::MAX),
            signal_level: levels[0].map_or(UNAVAILABLE, dbm0),
            noise_level: levels[1].map_or(UNAVAILABLE, dbm0),
            r_factor: quality.map_or(UNAVAILABLE, |quality| rounded(quality.rating)),
            mos_lq: quality.map_or(UNAVAILABLE, |quality| rounded(10.0 * quality.listening)),
            mos_cq: quality.map_or(UNAVAILABLE, |quality| rounded(10.0 * quality.conversation)),
            buffer: self.onward.buffer.map(told),
            ..metrics
        })
    }

    /// Between 0.75 and 1.25 of the usual interval.
    fn interval(&mut self) -> Duration {
        // Marsaglia's xorshift: good enough to keep legs out of step.
        self.spread ^= self.spread << 13;
        self.spread ^= self.spread >> 17;
        self.spread ^= self.spread << 5;
        Duration::from_millis(u64::from(INTERVAL_MS * 3 / 4 + self.spread % (INTERVAL_MS / 2)))
    }

    /// Take one item of the peer's report; true when the peer leaves.
    pub fn on_item(&mut self, now: Duration, unix: Duration, item: &Item, inbound: &mut Inbound, ours: u32) -> bool {
        match item {
            Item::SenderReport { ssrc, info } => inbound.stats().on_sender_report(now, *ssrc, info.ntp),
            Item::Report { block, .. } if block.ssrc == ours => {
                let rate_hz = inbound.format().map_or(8000, |format| format.codec.clock_rate_hz());
                self.on_block(unix, block, rate_hz);
            }
            Item::Bye { ssrc } => return inbound.ssrc().is_none_or(|known| known == *ssrc),
            Item::Voip(metrics) if metrics.ssrc == ours => {
                let known = |figure| Some(figure).filter(|figure| *figure != UNAVAILABLE);
                self.remote.judgement = [known(metrics.r_factor), known(metrics.mos_cq)];
            }
            _ => {}
        }
        false
    }

    /// `rate_hz` is the clock of our stream.
    fn on_block(&mut self, unix: Duration, block: &ReportBlock, rate_hz: u32) {
        let jitter = Duration::from_secs_f64(f64::from(block.jitter) / f64::from(rate_hz));
        self.expected_loss.on_report(block.fraction_lost);
        self.remote = Remote {
            rtt: rtcp::round_trip(rtcp::ntp_from_unix(unix), block).or(self.remote.rtt),
            lost: Some(block.cumulative_lost),
            jitter: Some(jitter).filter(|jitter| *jitter <= MAX_JITTER).or(self.remote.jitter),
            fraction_lost: block.fraction_lost,
            judgement: self.remote.judgement,
        };
    }
}

/// A jitter buffer of this depth, as it is told.
fn told(depth: Duration) -> Buffer {
    let ms = |time: u128| u16::try_from(time / 1000).unwrap_or(u16::MAX);
    Buffer { depth_ms: ms(depth.as_micros()), most_ms: ms(MAX_DEPTH.unsigned_abs().into()) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn rounded(figure: f64) -> u8 {
    figure.round() as u8
}

/// A signed byte: a full-scale sine, 3.01 dB below 0 dBov, is +3.14 dBm0 (ITU-T G.711).
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of a byte")]
fn dbm0(level_dbov: f64) -> u8 {
    ((level_dbov + 6.15).round().clamp(-127.0, 126.0) as i8).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_jitter_is_not_believed() {
        let mut reporter = Reporter::new(Duration::ZERO, 1, 2);
        let mut report = |jitter| {
            let block = ReportBlock { ssrc: 7, jitter, ..ReportBlock::default() };
            let item = Item::Report { reporter: 8, block };
            reporter.on_item(Duration::ZERO, Duration::ZERO, &item, &mut Inbound::default(), 7);
            reporter.remote().jitter
        };
        assert_eq!(report(u32::MAX), None);
        assert_eq!(report(160), Some(Duration::from_millis(20)));
        assert_eq!(report(u32::MAX), Some(Duration::from_millis(20)));
    }
}

//! A browser whose own network loses packets: it misses those that a pattern says, and reports that (RFC 3550 §6.4.2).

use std::time::Duration;

use mediacore::rtcp::{Compound, ReceiverStats, build_compound};
use mediacore::rtp::Header;

use crate::impairment::{Fate, Pattern};

/// Between two reports, and twice as long as until the first (RFC 3550 §6.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// How one endpoint hears.
pub struct Hearing {
    pattern: Pattern,
    sent_to_it: usize,
    stats: ReceiverStats,
    next: Option<Duration>,
}

impl Hearing {
    /// An ear that has heard nothing yet, for a stream of this clock.
    pub fn new(pattern: Pattern, clock_rate_hz: u32) -> Self {
        Self { pattern, sent_to_it: 0, stats: ReceiverStats::new(clock_rate_hz), next: None }
    }

    /// Whether this packet, the next that was sent to it, gets through.
    pub fn takes(&mut self, now: Duration, header: &Header) -> bool {
        let fate = self.pattern.fate(self.sent_to_it);
        self.sent_to_it += 1;
        if fate == Fate::Lost {
            return false;
        }
        self.stats.on_packet(now, header.ssrc.0, header.sequence.0, header.timestamp);
        true
    }

    /// Write a report about the stream, in the name of `ssrc`, when it is time for one; its length.
    pub fn report(&mut self, now: Duration, ssrc: u32, buffer: &mut [u8]) -> Option<usize> {
        let due = *self.next.get_or_insert(now + INTERVAL / 2);
        if now < due {
            return None;
        }
        self.next = Some(now + INTERVAL);
        let report = self.stats.report(now);
        build_compound(buffer, &Compound { ssrc, sender: None, report, cname: "loadgen", bye: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mediacore::rtcp::{self, Item};
    use mediacore::rtp::{Pt, SeqNo, Ssrc};

    #[test]
    fn what_is_missed_is_reported() {
        let mut hearing = Hearing::new(Pattern::parse("0 0 0 x").unwrap(), 48_000);
        let (mut buffer, mut fractions, mut heard) = ([0; 200], Vec::new(), 0);
        for n in 0..800_u16 {
            let now = Duration::from_millis(20 * u64::from(n));
            let timestamp = 960 * u32::from(n);
            let header = Header { marker: false, payload_type: Pt(111), sequence: SeqNo(n), timestamp, ssrc: Ssrc(7) };
            heard += u32::from(hearing.takes(now, &header));
            if let Some(len) = hearing.report(now, 9, &mut buffer) {
                rtcp::parse(&buffer[..len], &mut |item| {
                    if let Item::Report { block, .. } = item {
                        fractions.push(block.fraction_lost);
                    }
                })
                .unwrap();
            }
        }
        assert_eq!(heard, 600);
        assert_eq!(fractions.len(), 3, "after 2.5, 7.5 and 12.5 s");
        assert!(fractions.iter().all(|fraction| (60..=66).contains(fraction)), "{fractions:?}");
    }
}

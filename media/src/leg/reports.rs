//! What a leg reports to its peer, and what it learns for that from the leg that sends its audio on.

use std::time::Duration;

use super::Leg;
use crate::outbox::Outbox;
use crate::report::Onward;
use crate::rtcp::voip::VoipMetrics;
use crate::transport::Wire;

impl Leg {
    /// Whether `on_timer` will tell what becomes of the peer's packets: then it wants to know.
    #[must_use]
    pub fn tells_onward(&self, now: Duration) -> bool {
        self.reporter.sends_voip && self.reporter.deadline() <= now
    }

    /// What became of the peer's packets in the leg that sends them on.
    pub fn set_onward(&mut self, onward: Onward) {
        self.reporter.onward = onward;
    }

    /// What is known of that, also when no leg sends them on any more.
    #[must_use]
    pub fn last_onward(&self) -> Onward {
        self.reporter.onward
    }

    /// What became of the packets that this one sends on.
    #[must_use]
    pub fn onward(&self) -> Onward {
        Onward { late: self.outbound.repairs().late, buffer: self.outbound.buffer() }
    }

    pub(super) fn send_report(&mut self, now: Duration, bye: bool, out: &mut Outbox) {
        let unix = self.settings.unix_origin + now;
        // Nothing may follow a BYE (RFC 3550 §6.1).
        let voip = if bye { None } else { self.voip() };
        let compound = self.reporter.report(now, unix, &mut self.inbound, &self.outbound, bye);
        Wire { leg: self.id, transport: &mut self.transport, counters: &mut self.counters, out }
            .rtcp(&compound, voip.as_ref());
    }

    /// `VoIP` metrics to go with a report, if the peer wants them.
    fn voip(&mut self) -> Option<VoipMetrics> {
        let quality = self.heard(self.reporter.onward);
        let levels = [self.meter.level_dbov(), self.meter.noise_dbov()];
        self.reporter.voip(&mut self.inbound, levels, quality)
    }
}

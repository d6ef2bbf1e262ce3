//! How a leg's peer sounds to us, and how we sound to it: what is counted, on the scale of ITU-T G.107.

use std::time::Duration;

use super::Leg;
use crate::emodel::{self, Impairment, Loss};
use crate::report::Onward;

/// A second of audio: before that, a rate of loss says nothing.
const LEAST_PACKETS: u64 = 50;

/// One direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// R, 0 to 93.2.
    pub rating: f64,
    /// MOS-LQE, 1 to 4.5: as if there were no delay.
    pub listening: f64,
    /// MOS-CQE, 1 to 4.5.
    pub conversation: f64,
}

impl Leg {
    /// How the peer sounds to us, by what became of its packets; `None` until a second of it was heard.
    ///
    /// Where they are transcoded, those that came too late are as good as lost, each by itself, and the jitter buffer is the
    /// one that counts.
    #[must_use]
    pub fn heard(&self, onward: Onward) -> Option<Quality> {
        let packets = self.counters.rx_packets;
        let [lost, .., bursts] = self.inbound.totals();
        let loss = Loss::of(lost + onward.late, packets + lost, bursts + onward.late);
        let buffer_ms = onward.buffer.map_or_else(|| unseen_buffer(self.inbound.jitter_ms()), millis);
        self.quality(packets, buffer_ms, loss)
    }

    /// How we sound to the peer, by its own reports (RFC 3550 §6.4.1); `None` until there is one.
    #[must_use]
    pub fn spoken(&self) -> Option<Quality> {
        let packets = self.counters.tx_packets;
        let lost = self.remote_lost()?;
        let buffer_ms = unseen_buffer(self.reporter.remote().jitter.map_or(0.0, millis));
        self.quality(packets, buffer_ms, Loss::of(lost, packets, lost))
    }

    /// How many of our packets the peer says it lost, 0 to all of them (RFC 3550 §6.4.1); `None` until it says.
    ///
    /// Duplicates make its count negative, and it may be nonsense.
    pub(super) fn remote_lost(&self) -> Option<u64> {
        let told = self.reporter.remote().lost?;
        Some(u64::try_from(told).unwrap_or(0).min(self.counters.tx_packets))
    }

    fn quality(&self, packets: u64, buffer_ms: f64, loss: Loss) -> Option<Quality> {
        let codec = Impairment::of(self.inbound.format()?.codec).filter(|_| packets >= LEAST_PACKETS)?;
        // Without a round trip the network counts as near.
        let network_ms = self.reporter.remote().rtt.map_or(0.0, millis) / 2.0;
        let rating = emodel::rating(network_ms + buffer_ms + codec.delay_ms, codec, loss);
        let listening = emodel::mos(emodel::rating(0.0, codec, loss));
        Some(Quality { rating, listening, conversation: emodel::mos(rating) })
    }
}

/// What a jitter buffer that we cannot see holds: about twice the mean deviation.
fn unseen_buffer(jitter_ms: f64) -> f64 {
    2.0 * jitter_ms
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

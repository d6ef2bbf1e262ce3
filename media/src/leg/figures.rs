//! What a leg counts and measures, by name. The names are part of the contract with Python.

use super::{Leg, Quality};
use crate::counters::{Figure, Figures};
use crate::report::Onward;
use crate::transport::Transport;

impl Leg {
    /// Everything that is counted and measured; `onward` is what became of the peer's packets.
    #[must_use]
    pub fn figures(&self, onward: Onward) -> Figures {
        let mut figures = self.traffic();
        figures.extend(self.measures());
        figures.extend(judged(["rx_r", "rx_mos"], self.heard(onward)));
        figures.extend(judged(["tx_r", "tx_mos"], self.spoken()));
        figures.extend(self.state());
        figures.extend(self.counters.drops.named().map(|(name, count)| (name, Figure::Count(count))));
        figures
    }

    fn traffic(&self) -> Figures {
        let (counters, repairs) = (&self.counters, self.outbound.repairs());
        [
            ("rx_packets", counters.rx_packets),
            ("rx_bytes", counters.rx_bytes),
            ("tx_packets", counters.tx_packets),
            ("tx_bytes", counters.tx_bytes),
            ("rx_rtcp", counters.rx_rtcp),
            ("tx_rtcp", counters.tx_rtcp),
            ("rx_stun", counters.rx_stun),
            ("rx_digits", counters.rx_digits),
            ("transcode_errors", self.outbound.errors()),
            ("transcoding", u64::from(self.outbound.is_transcoding())),
            ("tx_recovered", repairs.recovered),
            ("tx_concealed", repairs.concealed),
            ("tx_too_late", repairs.late),
        ]
        .map(|(name, count)| (name, Figure::Count(count)))
        .to_vec()
    }

    fn measures(&self) -> Figures {
        let [lost, reordered, duplicates, bursts] = self.inbound.totals();
        let remote = self.reporter.remote();
        let is_heard = self.counters.rx_packets > 0;
        let counted = |count| if is_heard { Figure::Count(count) } else { Figure::Unknown };
        vec![
            ("rx_lost", counted(lost)),
            ("rx_loss_bursts", counted(bursts)),
            ("rx_reordered", counted(reordered)),
            ("rx_duplicates", counted(duplicates)),
            ("rx_jitter_ms", is_heard.then(|| self.inbound.jitter_ms()).into()),
            ("rx_life_ms", Figure::Number(self.liveness.outlived().as_secs_f64() * 1000.0)),
            ("rx_level_dbov", self.meter.level_dbov().into()),
            ("rtt_ms", remote.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0).into()),
            ("tx_buffer_ms", self.outbound.buffer().map(|depth| depth.as_secs_f64() * 1000.0).into()),
            ("remote_lost", self.remote_lost().map_or(Figure::Unknown, Figure::Count)),
            ("remote_jitter_ms", remote.jitter.map(|jitter| jitter.as_secs_f64() * 1000.0).into()),
            ("remote_r", remote.judgement[0].map(f64::from).into()),
            ("remote_mos", remote.judgement[1].map(|tenths| f64::from(tenths) / 10.0).into()),
        ]
    }

    fn state(&self) -> Figures {
        let path = self.transport.rtp_path().map(|path| path.to_string());
        let nominated = matches!(&self.transport, Transport::Browser(browser) if browser.ice().is_nominated());
        let format = self.inbound.format();
        vec![
            ("codec", format.map(|format| format.codec.name().to_owned()).into()),
            ("payload_type", format.map(|format| u32::from(format.payload_type.0)).into()),
            ("rx_ssrc", self.inbound.ssrc().into()),
            ("tx_ssrc", Figure::Count(self.outbound.ssrc().0.into())),
            ("srtp", self.transport.profile().map(|profile| profile.name().to_owned()).into()),
            ("path", path.into()),
            ("nominated", Figure::Count(nominated.into())),
        ]
    }
}

/// One direction's R to a tenth and MOS to a hundredth, under these names.
fn judged([rating, mos]: [&'static str; 2], quality: Option<Quality>) -> Figures {
    let rounded = |figure: f64, steps: f64| (figure * steps).round() / steps;
    vec![
        (rating, quality.map(|quality| rounded(quality.rating, 10.0)).into()),
        (mos, quality.map(|quality| rounded(quality.conversation, 100.0)).into()),
    ]
}

//! R and MOS of a leg's two directions, in its figures and in the `VoIP` metrics that it sends.

use super::*;
use crate::rtcp::{Compound, MAX_COMPOUND, ReportBlock, build_compound};

/// 4 kHz at -12.3 dBov in mu-law.
const TONE: [u8; 160] = {
    let mut tone = [0x20; 160];
    let mut at = 0;
    while at < tone.len() {
        tone[at] = 0xa0;
        at += 2;
    }
    tone
};

impl Bench {
    fn number(&self, leg: LegId, name: &str) -> Option<f64> {
        match self.relay.figures(leg).unwrap().iter().find(|(found, _)| *found == name) {
            Some((_, Figure::Number(number))) => Some(*number),
            Some((_, Figure::Unknown)) => None,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Both peers talk for so many packets; those of `one` that are `lost` do not arrive.
    fn talk(&mut self, [one, other]: [LegId; 2], packets: u16, lost: impl Fn(u16) -> bool) -> Vec<Sent> {
        let mut sent = Vec::new();
        for n in 0..packets {
            sent.extend(self.pass(at(20 * u64::from(n))));
            if !lost(n) {
                self.say(one, 0, n, &TONE);
            }
            self.say(other, 0, n, &TONE);
        }
        sent
    }

    /// The peer of `leg` reports that so many of our packets are lost.
    fn report(&mut self, leg: LegId, cumulative_lost: i32) {
        let block =
            ReportBlock { ssrc: 0x1000 + u32::try_from(leg.0).unwrap(), cumulative_lost, ..ReportBlock::default() };
        let compound = Compound { ssrc: 9, sender: None, report: Some(block), cname: "peer", bye: false };
        let mut packet = vec![0; MAX_COMPOUND];
        let len = build_compound(&mut packet, &compound).unwrap();
        packet.truncate(len);
        self.receive(leg, packet);
    }
}

fn heard(lost: impl Fn(u16) -> bool) -> f64 {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.talk([one, other], 1000, lost);
    bench.number(one, "rx_mos").unwrap()
}

#[test]
fn nothing_is_said_before_anything_is_measured_nor_of_a_codec_that_we_do_not_speak() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.talk([one, other], 49, |_| false);
    for name in ["rx_r", "rx_mos", "tx_r", "tx_mos"] {
        assert_eq!(bench.number(one, name), None, "{name}");
    }
    let codec = Codec::from_name("iLBC/8000").unwrap();
    let (mut bench, one, other) = coupled(Format { codec, ..PCMU }, Format { codec, ..PCMU });
    bench.talk([one, other], 100, |_| false);
    assert_eq!(bench.number(one, "rx_mos"), None);
}

#[test]
fn loss_is_heard_and_bursts_of_it_more() {
    let (clean, lossy, bursty) = (heard(|_| false), heard(|n| n % 20 == 7), heard(|n| n % 100 > 94));
    assert!(clean > 4.3, "{clean}");
    assert!(bursty < lossy && lossy < 4.0, "{bursty} {lossy}");
}

#[test]
fn each_direction_is_judged_by_its_own_counters() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.talk([one, other], 1000, |_| false);
    assert_eq!(bench.number(one, "tx_mos"), None, "no report has come");
    bench.report(one, -4);
    assert_eq!(bench.number(one, "tx_mos"), bench.number(one, "rx_mos"));
    bench.report(one, 100);
    assert!(bench.number(one, "tx_mos") < bench.number(one, "rx_mos"));
}

#[test]
fn a_peer_cannot_have_lost_more_than_was_sent_nor_less_than_nothing() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    assert_eq!(bench.number(one, "remote_lost"), None, "no report has come");
    bench.talk([one, other], 900, |_| false);
    for (told, believed) in [(7, 7), (-0x80_0000, 0), (0x7f_ffff, bench.count(one, "tx_packets"))] {
        bench.report(one, told);
        assert_eq!(bench.count(one, "remote_lost"), believed, "{told}");
    }
}

#[test]
fn nothing_is_measured_of_a_peer_that_never_sent() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    for name in ["rx_lost", "rx_loss_bursts", "rx_reordered", "rx_duplicates", "rx_jitter_ms"] {
        assert_eq!(bench.number(one, name), None, "{name}");
    }
    bench.talk([one, other], 10, |_| false);
    assert_eq!(bench.count(one, "rx_lost"), 0);
    assert!(bench.number(one, "rx_jitter_ms").is_some());
}

#[test]
fn what_comes_too_late_to_be_transcoded_is_lost_also_when_the_other_leg_has_gone() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    bench.talk([one, other], 100, |n| n == 50);
    let before = bench.number(one, "rx_r").unwrap();
    bench.say(one, 0, 50, &TONE);
    assert_eq!(bench.count(other, "tx_too_late"), 1);
    assert_eq!(bench.count(one, "rx_lost"), 0);
    let late = bench.number(one, "rx_r").unwrap();
    assert!((late - before).abs() < 1.0 && late < 90.0, "{before} {late}");
    bench.relay.close(bench.now, other, &mut bench.out);
    let left = bench.number(one, "rx_r").unwrap();
    assert!((left - late).abs() < 1.0, "{late} {left}");
}

#[test]
fn voip_metrics_tell_the_same_judgement_and_the_levels() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.command(one, Command::SetVoipMetrics(true));
    let sent = bench.talk([one, other], 400, |n| n % 20 == 7);
    let ours = *metrics(&sent).last().expect("a report");
    let (r, mos) = (bench.number(one, "rx_r").unwrap(), bench.number(one, "rx_mos").unwrap());
    assert!((f64::from(ours.r_factor) - r).abs() < 3.0, "{ours:?} {r}");
    assert!((f64::from(ours.mos_cq) / 10.0 - mos).abs() < 0.2 && ours.mos_lq >= ours.mos_cq, "{ours:?} {mos}");
    assert_eq!(ours.signal_level.cast_signed(), -6, "of -12.3 dBov");
    assert_eq!(ours.noise_level, 127, "there was no pause");
}

/// The `VoIP` metrics in what was sent.
fn metrics(sent: &[Sent]) -> Vec<crate::rtcp::voip::VoipMetrics> {
    let mut found = Vec::new();
    for report in sent.iter().filter(|sent| rtp::classify(&sent.bytes) == Some(rtp::Kind::Rtcp)) {
        let visit = &mut |item| {
            found.extend(if let crate::rtcp::Item::Voip(metrics) = item { Some(metrics) } else { None });
        };
        crate::rtcp::parse(&report.bytes, visit).unwrap();
    }
    found
}

#[test]
fn voip_metrics_of_a_transcoded_stream_tell_what_came_too_late_and_the_jitter_buffer() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    bench.command(one, Command::SetVoipMetrics(true));
    for n in [0, 1, 2, 4] {
        bench.pass(at(20 * u64::from(n)));
        bench.say(one, 0, n, &[0x20; 160]);
    }
    bench.pass(at(400));
    bench.say(one, 0, 3, &[0x20; 160]);
    let sent = bench.pass(at(1500));
    let [ours] = metrics(&sent)[..] else { panic!("{sent:?}") };
    let figures = bench.relay.figures(other).unwrap();
    let figure = |wanted: &str| figures.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
    assert_eq!(figure("tx_too_late"), Figure::Count(1));
    assert_eq!((ours.loss_rate, ours.discard_rate), (0, 51), "one of five, in 1/256");
    let buffer = ours.buffer.expect("a jitter buffer");
    assert_eq!((Figure::Number(buffer.depth_ms.into()), buffer.most_ms), (figure("tx_buffer_ms"), 200));
}

#[test]
fn voip_metrics_go_with_reports_where_they_are_wanted_and_theirs_are_shown() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.command(one, Command::SetVoipMetrics(true));
    for n in [0, 1, 2, 5, 6] {
        bench.say(one, 0, n, &[0x20; 160]);
    }
    let sent = bench.pass(at(1500));
    let [ours] = metrics(&sent)[..] else { panic!("{sent:?}") };
    assert_eq!((ours.ssrc, ours.loss_rate, ours.burst_density, ours.gmin), (9, 73, 255, 16));
    assert_eq!((ours.burst_ms, ours.r_factor), (40, 127));
    assert_eq!((ours.discard_rate, ours.buffer), (0, None), "a relay has no jitter buffer");
    let theirs = crate::rtcp::voip::VoipMetrics { ssrc: 0x1001, r_factor: 82, mos_cq: 41, ..ours };
    let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
    report.resize(200, 0);
    let len = crate::rtcp::voip::append(&mut report, 8, 9, &theirs).unwrap();
    report.truncate(len);
    bench.receive(one, report);
    let figures = bench.relay.figures(one).unwrap();
    let figure = |wanted: &str| figures.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
    assert_eq!((figure("remote_r"), figure("remote_mos")), (Figure::Number(82.0), Figure::Number(4.1)));
    bench.relay.close(bench.now, one, &mut bench.out);
    assert!(metrics(&bench.take()).is_empty(), "nothing follows a BYE");
}

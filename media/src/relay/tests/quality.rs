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

//! From packets to packets of another codec: what the far side sees.

use super::*;
use crate::rtp::{Header, Packet, SeqNo, Ssrc};
use crate::stream::Origin;

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A route whose timers ring on the relay's tick of 5 ms.
struct Bench {
    route: Transcode,
    stream: Stream,
    now: Duration,
    /// When, sequence number, timestamp, payload.
    sent: Vec<(Duration, u16, u32, Vec<u8>)>,
}

impl Bench {
    fn new(from: Codec, to: Codec, ptime_ms: u32) -> Bench {
        let key = Key { source: LegId(1), from, audio: Pt(0), to, ptime_ms };
        let mut stream = Stream::new(Ssrc(9), 0, 0);
        stream.set_rate(to.clock_rate_hz());
        let route = Transcode::new(key, 5).expect("legal");
        Bench { route, stream, now: Duration::ZERO, sent: Vec::new() }
    }

    fn pass(&mut self, until: Duration) {
        while let Some(due) = self.route.deadline().filter(|due| *due <= until) {
            let tick = u64::try_from(due.as_micros().div_ceil(5000) * 5000).expect("short");
            self.now = Duration::from_micros(tick).max(self.now + at(5));
            if self.now > until {
                break;
            }
            let (now, sent) = (self.now, &mut self.sent);
            self.route.on_timer(now, &mut self.stream, &mut |_, place, payload| {
                sent.push((now, place.sequence.0, place.timestamp, payload.to_vec()));
            });
        }
        self.now = until;
    }

    fn receive(&mut self, now: Duration, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.pass(now);
        let header = Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(1) };
        let origin = Origin { leg: LegId(1), ssrc: Ssrc(1) };
        let packet = Packet { header, payload };
        let media = Media { origin, codec: self.route.key.from, audio: Pt(0), packet };
        let sent = &mut self.sent;
        self.route.push(now, &media, &mut self.stream, &mut |_, place, payload| {
            sent.push((now, place.sequence.0, place.timestamp, payload.to_vec()));
        });
    }

    /// Sequence numbers without a gap, timestamps that advance by a frame at least.
    fn expect_order(&self, ticks: u32) {
        for pair in self.sent.windows(2) {
            assert_eq!(pair[1].1, pair[0].1.wrapping_add(1));
            assert!(pair[1].2.wrapping_sub(pair[0].2) >= ticks && pair[1].0 >= pair[0].0, "{pair:?}");
        }
    }
}

#[test]
fn each_frame_length_becomes_each_other_at_a_steady_pace() {
    for from_ms in [10, 20, 30, 40, 60] {
        for to_ms in [10, 20, 30, 40, 60] {
            let mut bench = Bench::new(Codec::Pcmu, Codec::Pcma, to_ms);
            for n in 0..(1200 / from_ms) {
                let payload = vec![0xff; usize::try_from(8 * from_ms).unwrap()];
                let number = u16::try_from(n).unwrap();
                bench.receive(
                    at(n * from_ms),
                    number,
                    u32::from(number) * u32::try_from(8 * from_ms).unwrap(),
                    &payload,
                );
            }
            bench.pass(at(1199));
            let name = format!("{from_ms} to {to_ms}");
            assert_eq!(bench.sent.len() as u64, 1200 / u64::from(to_ms), "{name}");
            bench.expect_order(8 * to_ms);
            let steps = bench.sent.windows(2).skip(3).map(|pair| pair[1].0.saturating_sub(pair[0].0));
            let worst = steps.max().unwrap();
            let divides = from_ms % u64::from(to_ms) == 0;
            let most = if divides { u64::from(to_ms) } else { from_ms + u64::from(to_ms) };
            assert!(worst <= at(most + 5), "{name}: {worst:?}");
        }
    }
}

/// RFC 3550 §5.1: whatever is lost or late, a frame's timestamp says where in time it belongs.
#[test]
fn each_frame_is_where_it_belongs_whatever_is_lost() {
    let mut bench = Bench::new(Codec::Pcmu, Codec::Pcmu, 20);
    for n in (0..500_u16).filter(|n| n % 7 != 3 && n % 11 < 8) {
        let payload = [n.to_be_bytes()[1] | 1; 160];
        bench.receive(at(u64::from(n) * 20), n, u32::from(n) * 160, &payload);
    }
    bench.expect_order(160);
    // Behind a gap, the first samples are faded in.
    let heard = bench.sent.iter().filter(|(_, _, timestamp, payload)| {
        let n = timestamp / 160;
        payload[120..].iter().all(|code| *code == n.to_be_bytes()[3] | 1)
    });
    assert!(heard.count() >= 500 * 6 / 7 * 8 / 11 - 5);
}

/// The relay's fuzz target asks the same of whole calls.
#[test]
fn order_is_kept_whatever_comes() {
    for seed in 1..40_u32 {
        let mut state = seed;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut bench = Bench::new(Codec::Pcmu, Codec::Pcma, 20);
        let (mut sequence, mut timestamp) = (65_000_u16, u32::MAX - 5000);
        for _ in 0..400 {
            let now = bench.now + at(u64::from(random(45)));
            match random(60) {
                0 => sequence = sequence.wrapping_add(u16::try_from(random(65_536)).unwrap()),
                1 => timestamp = timestamp.wrapping_add(random(1 << 24).wrapping_mul(257)),
                _ => {}
            }
            let shift = random(4);
            let payload = vec![0x55; random(500) as usize];
            let early = u16::try_from(shift).unwrap();
            bench.receive(now, sequence.wrapping_sub(early), timestamp.wrapping_sub(160 * shift), &payload);
            if random(3) > 0 {
                (sequence, timestamp) = (sequence.wrapping_add(1), timestamp.wrapping_add(160));
            }
        }
        bench.expect_order(160);
        assert!(bench.route.line.capacity() <= 4096);
    }
}

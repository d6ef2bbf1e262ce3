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
    sent: Vec<Sent>,
}

/// A packet that the far side gets.
#[derive(Debug)]
struct Sent {
    at: Duration,
    place: Place,
    payload_type: Pt,
    payload: Vec<u8>,
}

impl Sent {
    /// At `at`; the rest as the route says it.
    fn new(at: Duration, place: Place, payload_type: Pt, payload: &[u8]) -> Sent {
        Sent { at, place, payload_type, payload: payload.to_vec() }
    }
}

impl Bench {
    fn new(from: Codec, to: Codec, ptime_ms: u32) -> Bench {
        Bench::towards(from, Format::of(to, ptime_ms))
    }

    fn towards(from: Codec, to: Format) -> Bench {
        let key = Key { source: LegId(1), from, audio: Pt(0), to };
        let mut stream = Stream::new(Ssrc(9), 0, 0);
        stream.set_rate(to.codec.clock_rate_hz());
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
            self.route.on_timer(now, &mut self.stream, &mut |_, place, payload_type, payload| {
                sent.push(Sent::new(now, place, payload_type, payload));
            });
        }
        self.now = until;
    }

    fn receive(&mut self, now: Duration, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.pass(now);
        let media = self.media(sequence, timestamp, payload);
        let sent = &mut self.sent;
        self.route.push(now, &media, &mut self.stream, &mut |_, place, payload_type, payload| {
            sent.push(Sent::new(now, place, payload_type, payload));
        });
    }

    fn overhear(&mut self, now: Duration, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.pass(now);
        let media = self.media(sequence, timestamp, payload);
        self.route.overhear(now, &media, &self.stream);
    }

    fn media<'a>(&self, sequence: u16, timestamp: u32, payload: &'a [u8]) -> Media<'a> {
        let header = Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(1) };
        let origin = Origin { leg: LegId(1), ssrc: Ssrc(1) };
        let packet = Packet { header, payload };
        Media { origin, codec: self.route.key.from, audio: Pt(0), noise: None, packet }
    }

    /// Sequence numbers without a gap, timestamps that advance by a frame at least.
    fn expect_order(&self, ticks: u32) {
        for pair in self.sent.windows(2) {
            let [before, after] = pair else { unreachable!("two") };
            assert_eq!(after.place.sequence, before.place.sequence.plus(1));
            let step = after.place.timestamp.wrapping_sub(before.place.timestamp);
            assert!(step >= ticks && after.at >= before.at, "{pair:?}");
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
            let steps = bench.sent.windows(2).skip(3).map(|pair| pair[1].at.saturating_sub(pair[0].at));
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
    let heard = bench.sent.iter().filter(|sent| {
        let n = sent.place.timestamp / 160;
        sent.payload[120..].iter().all(|code| *code == n.to_be_bytes()[3] | 1)
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
        let comfort_noise = (seed % 2 == 0).then_some(Pt(13));
        let to = Format { comfort_noise, ..Format::of(Codec::Pcma, 20) };
        let mut bench = Bench::towards(Codec::Pcmu, to);
        let (mut sequence, mut timestamp) = (65_000_u16, u32::MAX - 5000);
        for _ in 0..400 {
            let now = bench.now + at(u64::from(random(45)));
            match random(60) {
                0 => sequence = sequence.wrapping_add(u16::try_from(random(65_536)).unwrap()),
                1 => timestamp = timestamp.wrapping_add(random(1 << 24).wrapping_mul(257)),
                _ => {}
            }
            let shift = random(4);
            let code = if random(100) < 2 { 0x55 } else { 0xff };
            let payload = vec![code; random(500) as usize];
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

/// Frames of 20 ms of talk and of silence become packets; what was sent, and each packet's beginning in ms by its timestamp.
fn with_comfort_noise(ptime_ms: u32, talks: impl Fn(u32) -> bool) -> (Bench, Vec<u32>) {
    let to = Format { comfort_noise: Some(Pt(13)), ..Format::of(Codec::Pcma, ptime_ms) };
    let mut bench = Bench::towards(Codec::Pcmu, to);
    for n in 0..300_u16 {
        let code = if talks(u32::from(n) * 20) { 0x10 } else { 0xff };
        bench.receive(at(u64::from(n) * 20), n, u32::from(n) * 160, &[code; 160]);
    }
    let begin = bench.sent[0].place.timestamp;
    let starts = bench.sent.iter().map(|sent| sent.place.timestamp.wrapping_sub(begin) / 8).collect();
    (bench, starts)
}

#[test]
fn silence_goes_as_comfort_noise_and_talk_resumes_marked_at_its_time() {
    for ptime_ms in [10, 20, 30] {
        let (bench, starts) = with_comfort_noise(ptime_ms, |ms| !(1200..4200).contains(&ms));
        bench.expect_order(8 * ptime_ms);
        let is_noise = |sent: &Sent| sent.payload_type == Pt(13);
        let noise: Vec<u32> = (0..starts.len()).filter(|n| is_noise(&bench.sent[*n])).map(|n| starts[n]).collect();
        assert!((1500..1590).contains(&noise[0]) && noise.len() == 7, "{ptime_ms}: {noise:?}");
        let resumed = bench.sent.iter().rposition(is_noise).expect("noise") + 1;
        assert_eq!(starts[resumed], 4200, "the first syllable is whole");
        let marked: Vec<usize> = (0..starts.len()).filter(|n| bench.sent[*n].place.marker).collect();
        assert_eq!(marked, [0, resumed], "{ptime_ms}");
        let is_late = |(sent, start): (&Sent, &u32)| sent.at.as_millis().abs_diff((*start + ptime_ms).into()) > 25;
        assert!(!bench.sent.iter().zip(&starts).any(is_late), "{ptime_ms}: {starts:?}");
        let all = 6000 / usize::try_from(ptime_ms).expect("small");
        assert!(bench.sent.len() < all * 6 / 10, "{ptime_ms}: {} of {all}", bench.sent.len());
    }
}

#[test]
fn short_pauses_and_peers_without_comfort_noise_get_every_frame() {
    let (bench, _) = with_comfort_noise(20, |ms| ms % 400 < 200);
    assert!(bench.sent.iter().all(|sent| sent.payload_type == Pt(8)));
    let mut bench = Bench::new(Codec::Pcmu, Codec::Pcma, 20);
    for n in 0..200_u16 {
        bench.receive(at(u64::from(n) * 20), n, u32::from(n) * 160, &[0xff; 160]);
    }
    assert_eq!(bench.sent.len(), 200);
}

#[test]
fn what_a_muted_route_keeps_rings_no_timer() {
    let mut bench = Bench::new(Codec::Pcmu, Codec::Pcma, 20);
    bench.receive(at(0), 0, 0, &[0x20; 160]);
    bench.route.mute(&bench.stream);
    for n in 1..10_u16 {
        bench.overhear(at(20 * u64::from(n)), n, u32::from(n) * 160, &[0x20; 160]);
        assert!(bench.route.deadline().is_none_or(|due| due > bench.now), "a timer that rings for ever");
    }
}

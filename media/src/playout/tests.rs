//! The line of samples under everything that a network and a source do to it.

use super::*;
use crate::path::LegId;
use crate::rtp::{Header, Packet, Pt, SeqNo, Ssrc};
use crate::stream::Origin;

const FRAME: usize = 160;

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A playout of G.711 whose line is read by the relay's tick of 5 ms.
struct Bench {
    playout: Playout,
    now: Duration,
    line: Vec<i16>,
    pieces: Vec<(u64, Piece)>,
}

impl Bench {
    fn new() -> Bench {
        let playout = Playout::new(Codec::Pcmu, 8000, Listener::Party).expect("legal");
        Bench { playout, now: Duration::ZERO, line: Vec::new(), pieces: Vec::new() }
    }

    /// Let time pass, ringing when it is due.
    fn pass(&mut self, until: Duration) {
        while let Some(due) = self.playout.deadline().map(tick).filter(|due| *due <= until) {
            self.now = due.max(self.now + at(5));
            if self.now > until {
                break;
            }
            self.pull();
        }
        self.now = until;
    }

    fn pull(&mut self) {
        while let Some(piece) = self.playout.pull(self.now, &mut self.line) {
            self.pieces.push((u64::try_from(self.now.as_millis()).expect("short"), piece));
        }
    }

    fn receive(&mut self, ms: u64, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Verdict {
        let payload_type = if payload.is_empty() { Pt(101) } else { Pt(0) };
        self.receive_as(payload_type, ms, ssrc, sequence, timestamp, payload)
    }

    fn receive_as(
        &mut self,
        payload_type: Pt,
        ms: u64,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Verdict {
        self.pass(at(ms));
        let header = Header { marker: false, payload_type, sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(ssrc) };
        let media = Media {
            origin: Origin { leg: LegId(1), ssrc: Ssrc(ssrc) },
            codec: Codec::Pcmu,
            audio: Pt(0),
            noise: None,
            packet: Packet { header, payload },
        };
        let verdict = self.playout.push(self.now, &media);
        self.pull();
        verdict
    }

    /// In the place of the n-th packet, what the silence sounds like that begins there.
    fn tell_of_silence(&mut self, ms: u64, n: u16, noise: &[u8]) {
        self.receive_as(Pt(13), ms, 1, n.wrapping_add(65_530), u32::from(n) * 160, noise);
    }

    /// The n-th packet of 20 ms, filled with `n`.
    fn say(&mut self, ms: u64, n: u16) -> Verdict {
        let payload = [n.to_be_bytes()[1]; FRAME];
        self.receive(ms, 1, n.wrapping_add(65_530), u32::from(n) * 160, &payload)
    }

    /// (when, what, media time in ms, length in ms) of the pieces since the last look.
    fn seen(&mut self) -> Vec<(u64, Kind, i64, usize)> {
        self.pieces.drain(..).map(|(ms, piece)| (ms, piece.kind, piece.at / 8, piece.samples / 8)).collect()
    }
}

fn tick(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros().div_ceil(5000) * 5000).expect("short"))
}

use Kind::{Concealed, Heard, Pause};

#[test]
fn packets_on_time_leave_at_once() {
    let mut bench = Bench::new();
    for n in 0..500 {
        bench.say(u64::from(n) * 20, n);
    }
    let seen = bench.seen();
    assert_eq!(seen.len(), 500);
    for (n, piece) in (0..).zip(seen) {
        assert_eq!(piece, (n * 20, Heard, i64::try_from(n).unwrap() * 20, 20));
    }
    assert_eq!(bench.playout.depth(), Duration::ZERO);
}

#[test]
fn swapped_packets_are_put_right() {
    let mut bench = Bench::new();
    for (ms, n) in [(0, 0), (20, 1), (60, 3), (61, 2), (80, 4)] {
        assert_eq!(bench.say(ms, n), Verdict::Taken);
    }
    bench.pass(at(110));
    let order: Vec<i64> = bench.seen().iter().map(|piece| piece.2).collect();
    assert_eq!(order, [0, 20, 40, 60, 80]);
}

#[test]
fn a_lost_packet_is_concealed_and_the_line_stays_in_time() {
    let mut bench = Bench::new();
    for (ms, n) in [(0, 0), (20, 1), (60, 3), (80, 4)] {
        bench.say(ms, n);
    }
    let seen = bench.seen();
    assert_eq!(seen[2], (80, Concealed, 40, 20), "waited for a frame after the next one came");
    assert_eq!((seen[3].1, seen[3].2), (Heard, 60));
    assert_eq!(bench.say(100, 2), Verdict::Late);
    assert_eq!(bench.playout.repairs(), Repairs { concealed: 1, late: 1, ..Repairs::default() });
}

#[test]
fn a_source_that_falls_silent_is_concealed_for_a_while_and_then_pauses() {
    let mut bench = Bench::new();
    bench.say(0, 0);
    bench.receive(2000, 1, 65_531, 16_000, &[1; FRAME]);
    let seen = bench.seen();
    assert!(seen[1..7].iter().all(|piece| piece.1 == Concealed));
    assert_eq!(seen[7..], [(2000, Pause, 140, 1860), (2000, Heard, 2000, 20)]);
    assert_eq!(bench.playout.deadline(), Some(at(2080)));
}

/// RFC 3389: from the packet that tells of it, the silence has the sound that was told, until audio comes again.
#[test]
fn a_silence_that_was_told_of_is_filled_with_its_noise() {
    let mut bench = Bench::new();
    (0..5).for_each(|n| {
        bench.say(20 * u64::from(n), n);
    });
    bench.seen();
    bench.tell_of_silence(100, 5, &[40]);
    let spoken = bench.line.len();
    bench.pass(at(500));
    let seen = bench.seen();
    assert!(seen.iter().all(|(_, kind, _, length)| (*kind, *length) == (Kind::Comfort, 20)), "{seen:?}");
    assert!((18..=20).contains(&seen.len()), "{seen:?}");
    let loudest = bench.line[spoken..].iter().map(|sample| sample.unsigned_abs()).max();
    assert!(loudest.is_some_and(|loudest| (300..2000).contains(&loudest)), "{loudest:?}");
    // The next word begins where the source's clock says.
    bench.receive(500, 1, 0, 25 * 160, &[9; FRAME]);
    bench.pass(at(540));
    let heard = bench.seen().into_iter().find(|(_, kind, ..)| *kind == Heard);
    assert!(heard.is_some_and(|(_, _, at, _)| (495..=505).contains(&at)), "{heard:?}");
}

#[test]
fn the_buffer_deepens_under_jitter_and_the_line_stays_whole() {
    let mut bench = Bench::new();
    let delay = |n: u64| n * 7919 % 60;
    let mut arrivals: Vec<(u64, u16)> = (0..1000_u16).map(|n| (u64::from(n) * 20 + delay(u64::from(n)), n)).collect();
    arrivals.sort_unstable();
    for (ms, n) in arrivals {
        bench.say(ms, n);
    }
    assert!((at(40)..=at(75)).contains(&bench.playout.depth()), "{:?}", bench.playout.depth());
    let seen = bench.seen();
    let lost = seen.iter().filter(|piece| piece.1 != Heard).count();
    assert!(lost <= 5, "{lost} of 1000 invented");
    let steps = seen[100..].windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(steps.max().unwrap() <= 45, "what leaves is steadier than what came");
}

#[test]
fn a_burst_after_a_stall_is_played_as_far_as_its_time_is_not_over() {
    let mut bench = Bench::new();
    (0..50).for_each(|n| {
        bench.say(u64::from(n) * 20, n);
    });
    bench.seen();
    (50..75).for_each(|n| {
        bench.say(1500, n);
    });
    (75..100).for_each(|n| {
        bench.say(u64::from(n) * 20, n);
    });
    bench.pass(at(2300));
    let seen = bench.seen();
    let heard = seen.iter().filter(|piece| piece.1 == Heard).count();
    assert!(heard >= 50 - 6, "only the 120 ms that were concealed are given up: {heard}");
    assert!(seen.windows(2).all(|pair| pair[1].2 >= pair[0].2));
}

#[test]
fn ten_minutes_of_drift_go_unnoticed() {
    for ppm in [-200_i64, 200] {
        let mut bench = Bench::new();
        for n in 0..30_000_i64 {
            let micros = 1_000_000 + n * 20_000 + n * 20_000 * ppm / 1_000_000;
            let sequence = u16::try_from(n % 65_536).unwrap();
            bench.pass(Duration::from_micros(u64::try_from(micros).unwrap()));
            let now = u64::try_from(micros / 1000).unwrap();
            bench.now = bench.now.max(at(now));
            let timestamp = u32::try_from(n * 160 % (1 << 32)).unwrap();
            bench.receive(now, 1, sequence, timestamp, &[1; FRAME]);
            bench.line.clear();
        }
        let seen = bench.seen();
        assert!(seen.iter().all(|piece| piece.1 == Heard), "{ppm}");
        assert_eq!(seen.len(), 30_000);
        assert_eq!(bench.playout.depth(), Duration::ZERO);
    }
}

#[test]
fn another_ssrc_or_another_clock_goes_on_in_the_same_line() {
    let mut bench = Bench::new();
    bench.say(0, 0);
    bench.receive(20, 2, 9, 4_000_000_000, &[1; FRAME]);
    bench.receive(40, 2, 10, 4_000_000_160, &[1; FRAME]);
    bench.receive(60, 2, 11, 77, &[1; FRAME]);
    bench.receive(80, 2, 12, 237, &[1; FRAME]);
    bench.receive(100, 2, 40_000, 397, &[1; FRAME]);
    let seen = bench.seen();
    assert_eq!(seen, [0, 20, 40, 60, 80, 100].map(|ms: u64| (ms, Heard, i64::try_from(ms).unwrap(), 20)));
}

/// A digit takes the place of the audio for a while (RFC 4733 §2.5.1): that is no loss.
#[test]
fn while_a_digit_is_sent_nothing_is_invented() {
    let mut bench = Bench::new();
    bench.receive(0, 1, 1, 0, &[1; FRAME]);
    for n in 0..5 {
        bench.receive(20 * (u64::from(n) + 1), 1, 2 + n, 160, &[]);
    }
    bench.receive(120, 1, 7, 960, &[1; FRAME]);
    let kinds: Vec<Kind> = bench.seen().iter().map(|piece| piece.1).collect();
    assert_eq!(kinds, [Heard, Pause, Heard]);
}

/// The first byte of an Opus packet alone is a frame without audio (RFC 6716 §3.2.1): what libopus sends in silence.
#[test]
fn in_a_silence_that_opus_announced_the_line_goes_on_without_packets() {
    let mut playout = Playout::new(Codec::Opus, 8000, Listener::Party).expect("legal");
    let mut line = Vec::new();
    let mut push = |playout: &mut Playout, ms: u64, sequence: u16, payload: &[u8]| {
        let timestamp = u32::try_from(ms * 48).unwrap();
        let header =
            Header { marker: false, payload_type: Pt(111), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(1) };
        let origin = Origin { leg: LegId(1), ssrc: Ssrc(1) };
        let packet = Packet { header, payload };
        playout.push(at(ms), &Media { origin, codec: Codec::Opus, audio: Pt(111), noise: None, packet });
        while playout.pull(at(ms), &mut line).is_some() {}
    };
    push(&mut playout, 0, 1, &[0x08]);
    let mut pieces = Vec::new();
    for tick in 1..=80 {
        pieces.extend(playout.pull(at(tick * 5), &mut Vec::new()));
    }
    assert!((18..=20).contains(&pieces.len()), "{}", pieces.len());
    assert!(pieces.iter().all(|piece| piece.kind == Kind::Comfort));
    push(&mut playout, 400, 2, &[0x08]);
    assert_eq!(playout.repairs(), Repairs::default());
}

/// Pushes 50 packets, then what `disturb` sends in the place of packets 50 and 51, then 100 more in order: all but few of
/// them are heard, in their time.
fn is_heard_after(name: &str, ssrc: u32, shift: u32, disturb: impl Fn(&mut Bench)) {
    let mut bench = Bench::new();
    for n in 0..50_u16 {
        bench.receive(20 * u64::from(n), 1, n, u32::from(n) * 160, &[1; FRAME]);
    }
    disturb(&mut bench);
    bench.seen();
    for n in 52..152_u16 {
        let timestamp = (u32::from(n) * 160).wrapping_add(shift);
        bench.receive(20 * u64::from(n), ssrc, n, timestamp, &[1; FRAME]);
    }
    bench.pass(at(20 * 152));
    let seen = bench.seen();
    let heard = seen.iter().filter(|piece| piece.1 == Heard).count();
    assert!(heard >= 99, "{name}: {heard} {seen:?}");
    // A step of less than a second may as well be a source that catches up: it moves the line.
    let moved = if shift < 8000 { u64::from(shift / 8) } else { 0 };
    let off = seen.iter().map(|(ms, _, at, _)| ms.abs_diff(u64::try_from(*at).unwrap())).max();
    assert!(off <= Some(100 + moved), "{name}: {off:?}");
    let base = bench.playout.delay.base().unsigned_abs();
    assert!(base <= (20 + moved) * 1000, "{name}: {base}");
}

#[test]
fn an_overtaken_packet_from_before_a_jump_deafens_nobody() {
    for shift in [0_u32, 1600, 800_000, 800_000_u32.wrapping_neg(), 1 << 31] {
        is_heard_after(&format!("jump by {shift}, swapped"), 1, shift, |bench| {
            bench.receive(1000, 1, 51, (51_u32 * 160).wrapping_add(shift), &[1; FRAME]);
            bench.receive(1020, 1, 50, 50 * 160, &[1; FRAME]);
        });
        is_heard_after(&format!("overtaken packet off by {shift}"), 1, 0, |bench| {
            bench.receive(1000, 1, 51, 51 * 160, &[1; FRAME]);
            bench.receive(1020, 1, 50, (50_u32 * 160).wrapping_add(shift), &[1; FRAME]);
        });
        is_heard_after(&format!("overtaken comfort noise off by {shift}"), 1, 0, |bench| {
            bench.receive(1000, 1, 51, 51 * 160, &[1; FRAME]);
            bench.receive_as(Pt(13), 1020, 1, 50, (50_u32 * 160).wrapping_add(shift), &[64]);
        });
        is_heard_after(&format!("another SSRC, {shift}, swapped"), 2, shift, |bench| {
            bench.receive(1000, 2, 51, (51_u32 * 160).wrapping_add(shift), &[1; FRAME]);
            bench.receive(1020, 1, 50, 50 * 160, &[1; FRAME]);
        });
    }
}

/// A source's timestamps may leave a pause out: what it says after it is heard, for the line has gone on meanwhile.
#[test]
fn timestamps_that_stand_still_over_a_pause_cost_at_most_three_packets() {
    for pause in [250, 500, 960, 1000, 1100, 5000] {
        for silence in [false, true] {
            let mut bench = Bench::new();
            (0..50).for_each(|n| {
                bench.say(20 * u64::from(n), n);
            });
            if silence {
                bench.tell_of_silence(1000, 50, &[64]);
            }
            bench.pass(at(1000 + pause));
            bench.seen();
            for n in 51..151 {
                bench.say(20 * u64::from(n) + pause, n);
            }
            bench.pass(at(20 * 151 + pause));
            let heard = bench.seen().iter().filter(|piece| piece.1 == Heard).count();
            assert!(heard >= 97, "{pause} {silence}: {heard}");
            assert_eq!(bench.playout.repairs().late, u64::try_from(100 - heard).unwrap(), "{pause} {silence}");
        }
    }
}

/// The relay may have run for hours: none of them is filled with noise.
#[test]
fn a_stream_may_begin_with_comfort_noise() {
    let mut bench = Bench::new();
    bench.tell_of_silence(3_600_000, 0, &[64]);
    bench.pass(at(3_600_200));
    let seen = bench.seen();
    assert!((7..=10).contains(&seen.len()), "{}", seen.len());
}

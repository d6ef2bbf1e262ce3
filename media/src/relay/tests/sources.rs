//! Sources whose numbering is not as simple as it might be: several streams at once, clocks that stand still.

use super::*;

const AUDIO: Ssrc = Ssrc(9);
const OTHER: Ssrc = Ssrc(77);
const FRAME: [u8; 160] = [0xff; 160];

fn from(ssrc: Ssrc, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let payload_type = Pt(payload_type);
    let header = Header { marker: false, payload_type, sequence: SeqNo(sequence), timestamp, ssrc };
    let mut bytes = [0; rtp::HEADER_LEN];
    rtp::write_header(&header, &mut bytes);
    [&bytes[..], payload].concat()
}

/// Packet `index` of key 5, pressed for 120 ms; the last three say that it is over.
fn key(index: u16) -> [u8; 4] {
    let [high, low] = (160 * (index.min(5) + 1)).to_be_bytes();
    [5, if index >= 5 { 0x8a } else { 0x0a }, high, low]
}

fn keys(bench: &mut Bench) -> Vec<(u8, u32)> {
    let digits = bench.events().into_iter().filter_map(|(_, event)| match event {
        Event::Dtmf(digit, _) => Some((digit.event, digit.duration_ms)),
        _ => None,
    });
    digits.collect()
}

fn audio_of(sent: Vec<Sent>) -> Vec<Sent> {
    rtp_only(sent).into_iter().filter(|packet| packet.rtp().header.payload_type == PCMA.payload_type).collect()
}

/// How far the timestamps of what was sent went beyond the time that it took, in ms.
fn lead_ms(sent: &[Sent]) -> i64 {
    let (first, last) = (&sent[0], &sent[sent.len() - 1]);
    let ticks = last.rtp().header.timestamp.wrapping_sub(first.rtp().header.timestamp);
    let passed = last.at.saturating_sub(first.at).as_millis();
    i64::from(ticks) / 8 - i64::try_from(passed).unwrap()
}

#[test]
fn a_key_during_which_the_numbering_jumps_is_one_key() {
    let (mut bench, one, _) = coupled(PCMU, PCMA);
    for (index, sequence) in (0..).zip([10, 11, 12, 5000, 5001, 5002, 5003, 5004]) {
        bench.receive(one, from(AUDIO, 101, sequence, 1600, &key(index)));
        bench.pass(at(20 * u64::from(index) + 20));
    }
    bench.pass(at(1500));
    assert_eq!(keys(&mut bench), [(5, 120)]);
}

#[test]
fn a_key_in_a_stream_of_its_own_is_one_key_and_audio_goes_on() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    for n in 0..30_u16 {
        if (10..18).contains(&n) {
            bench.receive(one, from(OTHER, 101, 500 + n, 1600, &key(n - 10)));
        }
        bench.receive(one, from(AUDIO, 0, n, u32::from(n) * 160, &FRAME));
        bench.pass(at(20 * u64::from(n) + 20));
    }
    bench.pass(at(1500));
    assert_eq!(keys(&mut bench), [(5, 120)]);
    assert_eq!((bench.count(one, "dropped_superseded"), bench.count(other, "dropped_late")), (0, 0));
}

#[test]
fn of_two_streams_at_once_the_later_one_is_heard_at_the_pace_of_one() {
    let (mut bench, one, _) = coupled(PCMU, PCMA);
    let mut sent = Vec::new();
    for n in 0..300_u16 {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        if n < 150 {
            bench.receive(one, from(AUDIO, 0, n, u32::from(n) * 160, &FRAME));
        }
        if n >= 50 {
            bench.receive(one, from(OTHER, 0, 9000 + n, u32::from(n) * 160, &FRAME));
        }
        sent.extend(bench.take());
    }
    let sent = audio_of(sent);
    assert!(lead_ms(&sent).abs() <= 40, "{} ms ahead", lead_ms(&sent));
    assert_eq!(
        bench.count(one, "dropped_superseded"),
        99,
        "all of the former stream from the second's second packet on"
    );
}

#[test]
fn a_stream_that_was_replaced_is_heard_again_when_its_successor_is_silent() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    let heard = |bench: &mut Bench, ms, ssrc, n: u16| {
        bench.pass(at(ms));
        bench.receive(one, from(ssrc, 0, n, u32::from(n) * 160, &FRAME));
        rtp_only(bench.take()).len()
    };
    let scene = [(0, AUDIO, 1), (20, OTHER, 7), (40, AUDIO, 2), (219, AUDIO, 3), (220, AUDIO, 4)];
    let counts: Vec<usize> = scene.map(|(ms, ssrc, n)| heard(&mut bench, ms, ssrc, n)).into();
    assert_eq!(counts, [1, 1, 0, 0, 1]);
}

#[test]
fn a_key_sent_while_the_source_of_a_transcoded_call_pauses_moves_no_clock() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    let mut sent = Vec::new();
    for n in 0..500_u16 {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        if n == 200 {
            bench.command(other, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 50 });
        }
        if !(100..300).contains(&n) {
            bench.receive(one, from(AUDIO, 0, n, u32::from(n) * 160, &FRAME));
        }
        sent.extend(bench.take());
    }
    let sent = audio_of(sent);
    // What was concealed at the beginning of the pause was late itself, by so much at most.
    assert!((-60..=40).contains(&lead_ms(&sent)), "{} ms ahead", lead_ms(&sent));
}

#[test]
fn what_is_invented_in_a_pause_comes_not_amid_the_packets_of_a_key() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    for n in 0..10_u16 {
        bench.pass(at(20 * u64::from(n)));
        bench.receive(one, from(AUDIO, 0, n, u32::from(n) * 160, &FRAME));
    }
    bench.command(other, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 50 });
    let sent = rtp_only(bench.pass(at(400)));
    let types: Vec<Pt> = sent.iter().map(|packet| packet.rtp().header.payload_type).collect();
    let first = types.iter().position(|&payload_type| payload_type == Pt(101)).unwrap();
    let last = types.iter().rposition(|&payload_type| payload_type == Pt(101)).unwrap();
    assert!(last - first >= 6 && types[first..last].iter().all(|&payload_type| payload_type == Pt(101)), "{types:?}");
}

#[test]
fn audio_whose_clock_stood_still_during_a_key_comes_after_it() {
    let (mut bench, one, other) = coupled(PCMA, PCMA);
    let mut sent = Vec::new();
    for n in 0..150_u16 {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        if n == 75 {
            bench.command(other, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 50 });
        }
        // Nothing is said for a second, and the timestamps do not count it.
        if !(50..100).contains(&n) {
            let frames = if n < 50 { n } else { n - 50 };
            bench.receive(one, from(AUDIO, 8, frames, u32::from(frames) * 160, &FRAME));
        }
        sent.extend(bench.take());
    }
    let timestamps: Vec<u32> = rtp_only(sent).iter().map(|packet| packet.rtp().header.timestamp).collect();
    assert!(timestamps.is_sorted(), "{timestamps:?}");
}

#[test]
fn audio_that_goes_elsewhere_than_announced_is_told_and_so_is_its_return() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    let stranger = Path { peer: ([203, 0, 113, 5], 6000).into(), ..Bench::peer(one) };
    for n in 0..60 {
        bench.now = at(20 * u64::from(n));
        bench.relay.on_packet(bench.now, one, stranger, &mut packet(0, n, 0, &[5; 160]), &mut bench.out);
    }
    assert_eq!(bench.count(one, "dropped_unknown_source"), 49);
    bench.take();
    bench.say(other, 0, 1, &[3; 160]);
    assert_eq!(rtp_only(bench.take())[0].path, stranger);
    for n in 0..3 {
        bench.say(one, 0, n, &[6; 160]);
    }
    bench.take();
    bench.say(other, 0, 2, &[3; 160]);
    assert_eq!(rtp_only(bench.take())[0].path, Bench::peer(one));
    let detours = bench.events().into_iter().filter_map(|(_, event)| match event {
        Event::Detour(source) => Some(source),
        _ => None,
    });
    assert_eq!(detours.collect::<Vec<_>>(), [Some(stranger.peer), None]);
}

//! Digits between two legs in each of their forms: telephone-events, SIP INFO, tones.

use super::*;
use crate::codec::{Decoder, Encoder, MAX_PAYLOAD};
use crate::command::{EventType, MOST_EVENT_TYPES};
use crate::dtmf::{self, ToneDetector, Tones};

const G722: Format = Format { codec: Codec::G722, payload_type: Pt(9), ..PCMU };
const MUTE: Format = Format { events: [None; MOST_EVENT_TYPES], ..PCMU };
/// Telephone-events of `PCMU` and `OPUS`.
const NARROW: EventType = (Pt(101), 8000);
const WIDE: EventType = (Pt(110), 48_000);

/// Packets of silence with these keys in it, pressed for 100 ms each.
fn speech(codec: Codec, keys: &[u8], frames: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, 8000, 20, 5).unwrap();
    let mut tones = Tones::default();
    assert!(keys.iter().all(|&key| tones.push(key, 100, 100)));
    let frame = |_| {
        let (mut samples, mut payload) = ([0; 160], [0; MAX_PAYLOAD]);
        tones.fill(&mut samples);
        let len = encoder.encode(&samples, &mut payload).unwrap();
        payload[..len].to_vec()
    };
    (0..frames).map(frame).collect()
}

/// Let a leg's peer say these packets, 20 ms apart, and a second of silence pass; what is sent meanwhile.
fn say_all(bench: &mut Bench, leg: LegId, format: Format, payloads: &[Vec<u8>]) -> Vec<Sent> {
    let mut sent = Vec::new();
    let start = bench.now;
    let step = 20 * format.codec.clock_rate_hz() / 1000;
    for (n, payload) in (0..).zip(payloads) {
        sent.extend(bench.pass(start + at(20 * u64::from(n))));
        bench.receive(leg, packet(format.payload_type.0, n, u32::from(n) * step, payload));
        sent.extend(bench.take());
    }
    let end = bench.now + at(1000);
    sent.extend(bench.pass(end));
    rtp_only(sent)
}

fn told(bench: &mut Bench) -> Vec<(LegId, u8, Form)> {
    let keys = bench.events().into_iter().filter_map(|(leg, event)| match event {
        Event::Dtmf(digit, form) => Some((leg, digit.event, form)),
        _ => None,
    });
    keys.collect()
}

/// Keys in telephone-events, each once.
fn events_in(sent: &[Sent], (payload_type, rate_hz): EventType) -> Vec<(u8, u32)> {
    let mut detector = dtmf::Detector::default();
    let mut keys = Vec::new();
    for packet in sent.iter().map(Sent::rtp).filter(|packet| packet.header.payload_type == payload_type) {
        let Header { ssrc, timestamp, .. } = packet.header;
        detector.on_packet(Duration::ZERO, ssrc, timestamp, rate_hz, packet.payload, &mut |digit| keys.push(digit));
    }
    keys.iter().map(|digit| (digit.event, digit.duration_ms)).collect()
}

/// Keys as tones, and for how many milliseconds there was any sound.
fn tones_in(sent: &[Sent], format: Format) -> (Vec<u8>, usize) {
    let (mut decoder, mut samples) = (Decoder::new(format.codec, 8000).unwrap(), Vec::new());
    for packet in sent.iter().map(Sent::rtp).filter(|packet| packet.header.payload_type == format.payload_type) {
        decoder.decode(packet.payload, &mut samples).unwrap();
    }
    let (mut detector, mut keys) = (ToneDetector::default(), Vec::new());
    detector.push(&samples, &mut |digit| keys.push(digit.event));
    keys.extend(detector.finish().map(|digit| digit.event));
    let loud = samples.chunks(8).filter(|ms| ms.iter().any(|sample| sample.abs() > 1500)).count();
    (keys, loud)
}

fn digits(bench: &mut Bench, leg: LegId, form: Form, listens: bool) {
    bench.command(leg, Command::SetDigits { form, listens });
}

#[test]
fn tones_become_events_and_are_heard_no_longer_than_40_ms() {
    for (from, to) in [(PCMU, PCMU), (PCMU, OPUS), (G722, PCMU), (OPUS, PCMU)] {
        let (mut bench, one, _) = coupled(from, to);
        digits(&mut bench, one, Form::Event, true);
        let sent = say_all(&mut bench, one, from, &speech(from.codec, &[1, 11, 1], 60));
        assert_eq!(told(&mut bench), [1, 11, 1].map(|key| (one, key, Form::Tone)), "{:?} {:?}", from.codec, to.codec);
        let events = events_in(&sent, to.events[0].unwrap());
        assert_eq!(events.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [1, 11, 1]);
        assert!(events.iter().all(|(_, ms)| ms.abs_diff(100) <= 15), "{events:?}");
        let (_, loud) = tones_in(&sent, to);
        assert!(loud <= 3 * 42, "{loud} ms of tone");
    }
}

#[test]
fn without_being_asked_a_leg_passes_tones_on_as_they_are() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    let payloads = speech(Codec::Pcmu, &[5], 30);
    let sent = say_all(&mut bench, one, PCMU, &payloads);
    assert!(sent.iter().zip(&payloads).all(|(sent, payload)| sent.rtp().payload == &payload[..]));
    assert_eq!(told(&mut bench), []);
}

#[test]
fn a_tone_beside_its_event_is_one_key() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    digits(&mut bench, one, Form::Event, true);
    let mut sent = say_all(&mut bench, one, PCMU, &speech(Codec::Pcmu, &[5], 15));
    for n in 0..3 {
        bench.receive(one, packet(101, 15 + n, 2400, &[5, 0x8a, 3, 0x20]));
    }
    let end = bench.now + at(1000);
    sent.extend(rtp_only(bench.pass(end)));
    assert_eq!(told(&mut bench), [(one, 5, Form::Tone)]);
    assert_eq!(events_in(&sent, NARROW).len(), 1);
}

#[test]
fn keys_go_as_tones_in_the_place_of_the_source_and_audio_comes_back() {
    for (from, to) in [(PCMU, MUTE), (OPUS, MUTE), (PCMU, G722), (PCMU, OPUS)] {
        let (mut bench, one, other) = coupled(from, to);
        digits(&mut bench, other, Form::Tone, false);
        bench.command(other, Command::Dtmf { events: vec![7, 0, 7], duration_ms: 100, gap_ms: 80 });
        let silence = speech(from.codec, &[], 50);
        let sent = say_all(&mut bench, one, from, &silence);
        assert_eq!(tones_in(&sent, to).0, [7, 0, 7], "{:?}", to.codec);
        let sequences: Vec<u16> = sent.iter().map(|packet| packet.rtp().header.sequence.0).collect();
        assert_eq!(sequences, (1..).take(sequences.len()).collect::<Vec<_>>(), "no hole, {:?}", to.codec);
        let times: Vec<u32> = sent.iter().map(|packet| packet.rtp().header.timestamp).collect();
        assert!(times.windows(2).all(|pair| pair[1] > pair[0]), "{times:?}");
        assert!(sent.last().unwrap().at >= at(900), "audio is back");
    }
}

#[test]
fn a_key_in_another_form_waits_for_those_before_it() {
    for (first, then) in [(Form::Event, Form::Tone), (Form::Tone, Form::Event)] {
        let (mut bench, _, other) = coupled(PCMU, PCMU);
        for (form, key) in [(first, 1), (then, 2)] {
            digits(&mut bench, other, form, false);
            bench.command(other, Command::Dtmf { events: vec![key], duration_ms: 100, gap_ms: 50 });
        }
        let mut sent = bench.take();
        sent.extend(bench.pass(at(1000)));
        let sent = rtp_only(sent);
        let events: Vec<u8> = events_in(&sent, NARROW).iter().map(|(key, _)| *key).collect();
        assert_eq!([events, tones_in(&sent, PCMU).0].concat(), [1, 2], "{first:?}");
        let times: Vec<u32> = sent.iter().map(|packet| packet.rtp().header.timestamp).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn events_and_info_become_tones() {
    let (mut bench, one, other) = coupled(PCMU, MUTE);
    digits(&mut bench, other, Form::Tone, false);
    for n in 0..3 {
        bench.receive(one, packet(101, n, 0, &[3, 0x8a, 3, 0x20]));
    }
    bench.command(one, Command::Hear(Digit { event: 4, duration_ms: 100 }));
    bench.command(one, Command::Hear(Digit { event: 3, duration_ms: 100 }));
    let sent = rtp_only(bench.pass(at(1000)));
    assert_eq!(tones_in(&sent, MUTE).0, [3, 4]);
    assert_eq!(told(&mut bench), [(one, 3, Form::Event), (one, 4, Form::Info)]);
}

#[test]
fn keys_that_go_by_info_are_told_and_leave_no_trace_in_the_media() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    digits(&mut bench, other, Form::Info, false);
    for n in 0..3 {
        bench.receive(one, packet(101, n, 0, &[3, 0x8a, 3, 0x20]));
    }
    assert_eq!(rtp_only(bench.pass(at(1000))), []);
    assert_eq!(told(&mut bench), [(one, 3, Form::Event)]);
    assert_eq!(bench.count(other, "dropped_unsent"), 0);
}

#[test]
fn the_echo_of_our_own_tones_is_no_key() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    digits(&mut bench, one, Form::Tone, true);
    bench.command(one, Command::Dtmf { events: vec![7], duration_ms: 100, gap_ms: 80 });
    say_all(&mut bench, one, PCMU, &speech(Codec::Pcmu, &[7], 12));
    assert_eq!(told(&mut bench), []);
    let later: Vec<Vec<u8>> = [speech(Codec::Pcmu, &[], 12), speech(Codec::Pcmu, &[8], 12)].concat();
    say_all(&mut bench, one, PCMU, &later);
    assert_eq!(told(&mut bench), [(one, 8, Form::Tone)]);
}

#[test]
fn keys_under_any_of_the_peers_payload_types_are_heard_and_passed_on_once_each_with_their_length() {
    for (format, extra, to) in [(PCMU, WIDE, PCMU), (PCMU, WIDE, OPUS), (OPUS, NARROW, PCMU), (OPUS, NARROW, OPUS)] {
        let events = [format.events[0], Some(extra), None, None];
        let (mut bench, one, _) = coupled(Format { events, ..format }, to);
        for (n, (payload_type, rate_hz)) in (0..).zip([NARROW, WIDE, WIDE, NARROW]) {
            let [high, low] = u16::try_from(rate_hz / 10).unwrap().to_be_bytes();
            for copy in 0..3 {
                let key = packet(payload_type.0, 3 * n + copy, u32::from(n) * 9600, &[5, 0x8a, high, low]);
                bench.receive(one, key);
            }
        }
        let heard = bench.events().into_iter().filter_map(|(_, event)| match event {
            Event::Dtmf(digit, Form::Event) => Some((digit.event, digit.duration_ms)),
            _ => None,
        });
        assert_eq!(heard.collect::<Vec<_>>(), [(5, 100); 4], "{:?} {:?}", format.codec, to.codec);
        assert_eq!(bench.count(one, "dropped_unknown_payload"), 0);
        let sent = rtp_only(bench.pass(at(2000)));
        assert_eq!(events_in(&sent, to.events[0].unwrap()), [(5, 100); 4], "{:?} {:?}", format.codec, to.codec);
    }
}

#[test]
fn keys_are_sent_under_the_first_of_the_peers_payload_types() {
    let to = Format { events: [Some(WIDE), Some(NARROW), None, None], ..OPUS };
    let (mut bench, _, other) = coupled(PCMU, to);
    bench.command(other, Command::Dtmf { events: vec![7], duration_ms: 100, gap_ms: 80 });
    let sent = rtp_only(bench.pass(at(1000)));
    assert!(!sent.is_empty() && sent.iter().all(|packet| packet.rtp().header.payload_type == Pt(110)));
}

#[test]
fn tones_wait_while_the_peer_holds_the_call() {
    let (mut bench, _, other) = coupled(PCMU, MUTE);
    digits(&mut bench, other, Form::Tone, false);
    bench.command(other, Command::SetSending(false));
    bench.command(other, Command::Dtmf { events: vec![9], duration_ms: 100, gap_ms: 80 });
    assert_eq!(rtp_only(bench.pass(at(1000))), []);
    bench.command(other, Command::SetSending(true));
    let sent = rtp_only(bench.pass(at(2000)));
    assert_eq!(tones_in(&sent, MUTE).0, [9]);
}

#[test]
fn five_percent_loss_makes_no_digit_twice_and_loses_none() {
    let mut random = 1_u32;
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    let mut sent = Vec::new();
    for digit in 0..200_u32 {
        for n in 0..8_u16 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let duration = 160 * (n.min(5) + 1);
            let end = if n >= 5 { 0x8a } else { 0x0a };
            let [high, low] = duration.to_be_bytes();
            let sequence = u16::try_from(digit * 8).unwrap() + n;
            if random >> 16 >= 65_536 / 20 {
                bench.receive(one, packet(101, sequence, digit * 2400, &[(digit % 10) as u8, end, high, low]));
            }
            let next = bench.now + at(20);
            sent.extend(bench.pass(next));
        }
        let next = bench.now + at(140);
        sent.extend(bench.pass(next));
    }
    let expected: Vec<u8> = (0..200).map(|digit| digit % 10).collect();
    assert_eq!(told(&mut bench).iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), expected);
    let passed = events_in(&rtp_only(sent), NARROW);
    assert_eq!(passed.iter().map(|(key, _)| *key).collect::<Vec<_>>(), expected);
    let exact = passed.iter().filter(|(_, ms)| *ms == 120).count();
    assert!(exact >= 198, "{exact} of 200 with their duration");
}

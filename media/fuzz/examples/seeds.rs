//! Writes the corpora's first inputs: packets of the RFCs, packets made by mediacore itself, and scripts of ordinary
//! calls. `cargo run --example seeds` in `media/fuzz`; what fuzzing has added since stays.

use std::fs;
use std::path::Path;

use mediacore::dtmf::TelephoneEvent;
use mediacore::rtcp::{self, Compound, MAX_COMPOUND, ReportBlock, SenderInfo};
use mediacore::rtp::{self, HEADER_LEN, Header, Pt, SeqNo, Ssrc};
use mediacore_fuzz::stun::{binding_request, check_attributes};

type Seed = (&'static str, Vec<u8>);

fn main() {
    let corpora = [
        ("stun", stun()),
        ("rtp", rtp()),
        ("rtcp", rtcp()),
        ("telephone_event", telephone_event()),
        ("srtp", srtp()),
        ("codec", codec()),
    ];
    let others = [("g729", g729()), ("playout", playout()), ("relay", relay()), ("tap", tap())];
    for (target, seeds) in corpora.into_iter().chain(others) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder).expect("the corpus can be written");
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes).expect("the corpus can be written");
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits")).collect()
}

fn stun() -> Vec<Seed> {
    let mut controlled = check_attributes("ufrag:peer", false);
    controlled.extend(hex("8029 0008 932f f9b1 5126 3b36"));
    vec![
        (
            "rfc5769-2.1-request",
            hex("0001 0058 2112a442 b7e7a701bc34d686fa87dfae 8022 0010 5354554e207465737420636c69656e74 0024 0004 \
                 6e0001ff 8029 0008 932ff9b151263b36 0006 0009 6576746a3a68367659202020 0008 0014 \
                 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 8028 0004 e57a3bcf"),
        ),
        (
            "rfc5769-2.2-ipv4-response",
            hex("0101 003c 2112a442 b7e7a701bc34d686fa87dfae 8022 000b 7465737420766563746f7220 0020 0008 \
                 0001a147e112a643 0008 0014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 8028 0004 c07d4c96"),
        ),
        (
            "rfc5769-2.3-ipv6-response",
            hex("0101 0048 2112a442 b7e7a701bc34d686fa87dfae 8022 000b 7465737420766563746f7220 0020 0014 \
                 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 0008 0014 a382954e4be67bf11784c97c8292c275bfe3ed41 \
                 8028 0004 c8fb0b4c"),
        ),
        ("check", binding_request(&check_attributes("ufrag:peer", true), "a password of 22 bytes")),
        ("attributes-plain", check_attributes("ufrag:peer", false)),
        ("attributes-nominating", check_attributes("ufrag:peer", true)),
        ("attributes-peer-is-controlled", controlled),
        ("attributes-unknown", hex("0006 0003 613a6200 7abc 0001 3f000000")),
        ("attributes-empty-username", hex("0006 0001 3a000000")),
    ]
}

fn header(payload_type: u8, sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: sequence == 0,
        payload_type: Pt(payload_type),
        sequence: SeqNo(sequence),
        timestamp,
        ssrc: Ssrc(0x1234_5678),
    }
}

fn packet(payload_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut head = [0; HEADER_LEN];
    rtp::write_header(&header(payload_type, 0, 160), &mut head);
    [&head, payload].concat()
}

fn rtp() -> Vec<Seed> {
    let digit = TelephoneEvent { event: 5, end: true, volume: 10, duration: 800 };
    let mut extended = packet(111, &[]);
    extended[0] |= 0x10;
    extended.extend(hex("bede 0002 10ff3120 01020000 78010203"));
    let mut sourced = packet(0, &[]);
    sourced[0] |= 0x02;
    sourced.extend([0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff]);
    let mut padded = packet(8, &[0xd5; 20]);
    padded[0] |= 0x20;
    padded.extend([0, 0, 0, 4]);
    vec![
        ("pcmu", packet(0, &[0xff; 160])),
        ("opus", packet(111, &hex("7801020304"))),
        ("telephone-event", packet(101, &digit.to_bytes())),
        ("extension", extended),
        ("csrcs", sourced),
        ("padding", padded),
    ]
}

fn compound(sender: bool, report: bool, bye: bool) -> Vec<u8> {
    let info = SenderInfo { ntp: 0xe1d5_8000_4000_0000, rtp_timestamp: 16_000, packets: 100, octets: 16_000 };
    let block = ReportBlock { ssrc: 7, fraction_lost: 12, cumulative_lost: 3, jitter: 40, ..ReportBlock::default() };
    let compound = Compound {
        ssrc: 0x1234_5678,
        sender: sender.then_some(info),
        report: report.then_some(block),
        cname: "0123456789abcdef",
        bye,
    };
    let mut buffer = [0; MAX_COMPOUND];
    let len = rtcp::build_compound(&mut buffer, &compound).expect("there is room");
    buffer[..len].to_vec()
}

fn rtcp() -> Vec<Seed> {
    let stream = |steps: &[u16]| {
        steps.iter().fold(vec![0; 47], |mut script, sequence| {
            script.extend([0, 20, 0]);
            script.extend(sequence.to_be_bytes());
            script.extend((u32::from(*sequence) * 160).to_be_bytes());
            script.push(1);
            script
        })
    };
    vec![
        ("sender-report", compound(true, true, false)),
        ("receiver-report", compound(false, true, false)),
        ("goodbye", compound(true, false, true)),
        ("transport-feedback", hex("8fcd 0005 00000001 00000002 0001 0004 000001 00 2004 0000 04040404")),
        ("picture-loss", hex("81ce 0002 00000001 00000002")),
        ("extended-report", hex("80cf 0004 00000001 0400 0002 e1d58000 40000000")),
        ("application", hex("80cc 0003 00000001 6e616d65 00000000")),
        ("padded-report", hex("a0c9 0002 00000001 00000004")),
        ("stream-with-jumps", stream(&[65_534, 65_535, 0, 2, 1, 1, 4000, 4001, 4002, 3990])),
    ]
}

fn telephone_event() -> Vec<Seed> {
    let hear = |rows: &[(u8, u32, u8, bool, u16)]| {
        rows.iter().fold(vec![1, 0], |mut script, row| {
            let (after_ms, timestamp, event, end, duration) = *row;
            script.push(after_ms);
            script.extend(timestamp.to_be_bytes());
            script.push(4);
            script.extend(TelephoneEvent { event, end, volume: 10, duration }.to_bytes());
            script
        })
    };
    let dial = |is_lossy: u8, line: &[u8]| {
        let keys = (0_u8..4).flat_map(|event| [event, 0, 0, 0, 120, 0, 80]);
        [0, 0, is_lossy, 4].into_iter().chain(keys).chain(line.iter().copied()).collect::<Vec<u8>>()
    };
    let train =
        [(0, 1000, 5, false, 160), (20, 1000, 5, false, 320), (20, 1000, 5, true, 480), (1, 1000, 5, true, 480)];
    let next = [(80, 9000, 5, false, 160), (200, 17_000, 6, true, 800), (0, 9000, 5, true, 800)];
    vec![
        ("train", hear(&train)),
        ("lost-ends", hear(&[&train[..2], &next].concat())),
        ("chromium-three-ends", hear(&[(0, 1000, 1, true, 960), (20, 1000, 1, true, 960), (20, 1000, 1, true, 960)])),
        ("long-event", hear(&[(0, 0, 9, false, 65_535), (20, 65_535, 9, false, 65_535), (20, 131_070, 9, true, 9)])),
        ("dial", dial(0, &[])),
        ("dial-over-a-bad-line", dial(1, &[0, 1, 2, 2, 1, 0, 0, 1, 7].repeat(30))),
    ]
}

fn srtp() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (profile, name) in [(0, "gcm-128"), (1, "gcm-256"), (2, "cm-sha1")] {
        let mut script = vec![profile, 3];
        for (sequence, ssrc) in [(65_534_u16, 0), (65_535, 0), (0, 1), (0, 0), (1, 0)] {
            for protocol in [0, 1] {
                script.extend([0, protocol, 255]);
                script.extend(sequence.to_be_bytes());
                script.extend([ssrc, 4, 1, 2, 3, 4]);
            }
        }
        // Each arrives; the first once more; then changed ones.
        script.extend((0..10_u8).flat_map(|number| [2, 0, number]));
        script.extend([2, 0, 0]);
        script.extend([3, 0, 1, 0, 4, 3, 1, 1, 3, 0, 2, 0, 9, 0, 1, 3, 0, 3, 0, 12, 2, 1]);
        seeds.push((name, script));
    }
    seeds
}

fn playout() -> Vec<Seed> {
    let script = |codec: u8, steps: &[(u8, i8)]| {
        let steps = steps.iter().flat_map(|(after_ms, step)| [after_ms << 2, 120_u8.wrapping_add_signed(*step), 1]);
        [codec, 0xff, 0xf0].into_iter().chain(steps).collect::<Vec<u8>>()
    };
    vec![
        ("in-order-over-the-wrap", script(3, &[(20, 1); 40])),
        ("swapped", script(0, &[(20, 1), (20, 2), (0, -1), (20, 2), (20, 1)].repeat(5))),
        ("lost", script(3, &[(20, 1), (20, 2), (20, 1), (20, 1), (20, 4), (60, 1)].repeat(5))),
        ("late-and-twice", script(0, &[(20, 1), (0, 0), (20, 3), (60, -2), (20, 100), (0, -100), (0, 100)].repeat(3))),
    ]
}

/// Steps of the relay's script; legs 0 and 1 are browsers, 2 and 3 are phones.
mod step {
    const OPUS: u8 = 0;

    pub fn check(leg: u8) -> Vec<u8> {
        vec![6, leg, 0, 1]
    }
    pub fn keys(leg: u8) -> Vec<u8> {
        vec![10, leg, 1, 0]
    }
    pub fn restart_ice(leg: u8) -> Vec<u8> {
        vec![10, leg, 0]
    }
    pub fn remote(leg: u8) -> Vec<u8> {
        vec![10, leg, 0, 0, 1, 0, 1]
    }
    /// 20 ms frames and telephone-event at 8 kHz.
    pub fn format(leg: u8, codec: u8) -> Vec<u8> {
        vec![9, leg, codec, 0, 1, 0, 0]
    }
    /// The same with comfort noise.
    pub fn noisy_format(leg: u8, codec: u8) -> Vec<u8> {
        vec![9, leg, codec, 0, 3, 0, 0]
    }
    /// Comfort noise, in the place of 20 ms of G.711.
    pub fn noise(leg: u8) -> Vec<u8> {
        vec![1, leg, 0, 0, 240, 13, 0, 0, 1, 70]
    }
    pub fn route(source: u8, destination: u8) -> Vec<u8> {
        vec![11, destination, source]
    }
    pub fn pass(milliseconds: u8) -> Vec<u8> {
        vec![7, 0, milliseconds, 0]
    }
    pub fn dial(leg: u8) -> Vec<u8> {
        vec![12, leg, 3, 1, 2, 11, 0, 80, 0, 60]
    }
    pub fn report(leg: u8) -> Vec<u8> {
        [&[5, leg, 0, 0xe1, 0xd5, 0x80, 0, 0x40, 0, 0, 0, 1, 25, 0x80, 0, 0x40, 0, 1], &[1_u8][..]].concat()
    }
    pub fn hostile(leg: u8, bytes: &[u8]) -> Vec<u8> {
        [&[0, leg, 0, u8::try_from(bytes.len()).expect("short")], bytes].concat()
    }
    /// 20 ms of audio; `step` is that of the sequence number.
    pub fn media(leg: u8, codec: u8, step: u8) -> Vec<u8> {
        let (ticks, len) = if codec == OPUS { (100, 60) } else { (0, 160) };
        let sequence = if step == 1 { 0 } else { 220 + step };
        vec![1, leg, 0, sequence, 1, ticks, len]
    }
    /// `packets` times 20 ms of audio.
    pub fn burst(leg: u8, codec: u8, packets: u8) -> Vec<u8> {
        let (ticks, len) = if codec == OPUS { (100, 60) } else { (0, 160) };
        vec![4, leg, packets, ticks, len]
    }
    /// A packet whose sequence number leaps, with its timestamp in time.
    pub fn leap(leg: u8, codec: u8, step: i16) -> Vec<u8> {
        let (ticks, len) = if codec == OPUS { (100, 60) } else { (0, 160) };
        let [high, low] = step.to_be_bytes();
        vec![1, leg, 0, 240, high, low, 1, ticks, len]
    }
    /// One packet of a digit that ends.
    pub fn digit(leg: u8) -> Vec<u8> {
        vec![1, leg, 0, 0, 200, 0, 0, 4, 5, 0x8a, 3, 0x20]
    }
}

/// A browser with Opus and a phone with this codec, connected.
fn call(codec: u8) -> Vec<Vec<u8>> {
    let browser = [step::check(0), step::keys(0), step::format(0, 0)];
    let phone = [step::remote(2), step::format(2, codec)];
    let routes = [step::route(0, 2), step::route(2, 0)];
    [&browser[..], &phone, &routes].concat()
}

fn talk(codec: u8, step: u8) -> Vec<Vec<u8>> {
    let round = [step::media(0, 0, step), step::media(2, codec, step), step::pass(20)];
    round.iter().cloned().cycle().take(24).collect()
}

/// A call whose silences are told of, by us or by both sides.
fn with_comfort_noise(codec: u8) -> Vec<Vec<u8>> {
    let formats = [step::noisy_format(0, codec), step::noisy_format(2, 1)];
    let pause = [step::noise(0), step::noise(2), step::pass(200)];
    [&formats[..], &talk(codec, 1), &pause, &pause, &talk(codec, 1)].concat()
}

fn relay() -> Vec<Seed> {
    let script = |parts: &[Vec<Vec<u8>>]| parts.concat().concat();
    let early = vec![step::check(0), step::media(0, 0, 1), step::media(0, 0, 1), step::keys(0)];
    let forged = [0_u8, 22, 128, 129].map(|first| step::hostile(0, &[first, 200, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7]));
    vec![
        ("call-transcoded", script(&[call(1), talk(1, 1), vec![step::report(0), step::report(2)], talk(1, 1)])),
        ("call-relayed", script(&[call(0), talk(0, 1), vec![step::pass(200); 30], talk(0, 1)])),
        ("call-with-loss", script(&[call(2), talk(2, 1), talk(2, 3), talk(2, 1), talk(2, 0), talk(2, 1)])),
        (
            "call-with-digits",
            script(&[call(1), talk(1, 1), vec![step::digit(0), step::pass(20), step::dial(2)], talk(1, 1)]),
        ),
        ("comfort-noise-relayed", script(&[call(1), with_comfort_noise(1)])),
        ("comfort-noise-made", script(&[call(1), with_comfort_noise(0)])),
        ("media-before-keys", script(&[early, call(1), talk(1, 1)])),
        (
            "ice-restart-and-new-keys",
            script(&[call(1), vec![step::restart_ice(0), step::check(0), step::keys(0)], talk(1, 1)]),
        ),
        ("forged", script(&[call(1), forged.to_vec(), talk(1, 1)])),
        (
            "codec-changes",
            script(&[call(1), talk(1, 1), vec![step::format(2, 0)], talk(0, 1), vec![step::format(0, 2)], talk(0, 1)]),
        ),
        ("leg-replaced", script(&[call(1), talk(1, 1), vec![vec![15, 0, 0]], call(2), talk(2, 1)])),
        (
            "leap-forward",
            script(&[call(0), vec![step::burst(0, 0, 40), step::leap(0, 0, 2000), step::burst(0, 0, 10)]]),
        ),
        ("leap-back", script(&[call(0), vec![step::burst(0, 0, 120), step::leap(0, 0, -70), step::burst(0, 0, 10)]])),
        ("silence", script(&[call(1), talk(1, 1), vec![vec![7, 0, 255, 200, 0, 0]; 3]])),
    ]
}

/// Every decoder at either rate: two packets, a gap, a silence that is told of, and a packet again.
fn g729() -> Vec<Seed> {
    let frame = [0x28, 0x5c, 0x13, 0x9d, 0x3a, 0x21, 0x44, 0x81, 0x0f, 0x73];
    let heard = |payload: &[u8]| [&[0, u8::try_from(payload.len()).expect("short")], payload].concat();
    let voice = heard(&[frame, frame].concat());
    let gap = [2, 0, 200];
    let sent = [3];
    let script = |rate: u8, steps: &[&[u8]]| [&[rate, 1], &steps.concat()[..]].concat();
    vec![
        ("voice", script(0, &[&voice, &voice, &sent, &voice, &sent])),
        ("voice-wide", script(1, &[&voice, &voice, &sent, &voice, &sent])),
        ("gap", script(0, &[&voice, &gap, &gap, &voice])),
        ("silence", script(0, &[&voice, &heard(&[&frame[..], &[0x55, 0xe0]].concat()), &gap, &heard(&[0x55, 0xe0])])),
        ("no-frame", script(0, &[&heard(&frame[..9]), &heard(&[]), &voice])),
        ("most", script(0, &[&[1, 15 | 16, 10], &frame])),
    ]
}

/// A ring that is written and read; packets in order, swapped, lost and late, with readings between.
fn tap() -> Vec<Seed> {
    let at = |place: u16, step: &[u8]| [&place.to_be_bytes(), step].concat();
    let write = |place: u16, count: u8| at(place, &[1, 0x12, 0x34, count]);
    let read = |place: u16| at(place, &[0]);
    let ring = |steps: &[Vec<u8>]| [&[1], &steps.concat()[..]].concat();
    let hear = |steps: &[(u8, i8, u8)]| {
        let steps = steps
            .iter()
            .flat_map(|(after_ms, step, then)| [after_ms << 2, 120_u8.wrapping_add_signed(*step), 1, *then]);
        [0, 0xff, 0xf0].into_iter().chain(steps).collect::<Vec<u8>>()
    };
    vec![
        ("in-turn", ring(&[write(8000, 160), read(8160), write(8000, 160), read(8160)])),
        ("late-and-too-early", ring(&[write(7900, 200), write(39_900, 250), write(50_000, 9), read(50_000)])),
        ("in-order", hear(&[(20, 1, 0); 40])),
        ("swapped-and-lost", hear(&[(20, 1, 7), (20, 2, 7), (0, -1, 0), (20, 3, 7), (60, 1, 1)].repeat(5))),
        ("nobody-reads", hear(&[(60, 3, 7); 60])),
    ]
}

fn codec() -> Vec<Seed> {
    let opus: &[u8] = &[0x08, 0x0b, 0xe4, 0xc1, 0x36, 0xec, 0xc5, 0x80];
    let payloads: [(&str, &str, &[u8]); 4] = [
        ("opus-narrow", "opus-wide", opus),
        ("g722-narrow", "g722-wide", &[0x5a; 160]),
        ("pcmu-narrow", "pcmu-wide", &[0x21; 160]),
        ("pcma-narrow", "pcma-wide", &[0xa9; 160]),
    ];
    let step = |kind: u8, count: u16, payload: &[u8]| {
        let len = u8::try_from(payload.len()).expect("short");
        [&count.to_be_bytes()[..], &[kind, len], payload].concat()
    };
    let script = |rate: u8, number: u8, payload: &[u8]| {
        let gap = |kind: u8| [&320_u16.to_be_bytes()[..], &[kind]].concat();
        let steps = [
            step(0, 0, payload),
            step(0, 0, payload),
            gap(1),
            step(2, 0, &[40, 200, 90]),
            gap(3),
            step(4, 160, payload),
        ];
        [&[rate, number, 3 - number][..], &steps.concat(), &step(0, 0, payload)].concat()
    };
    let numbered = payloads.into_iter().zip(0_u8..);
    let pair =
        |((narrow, wide, payload), number)| [(narrow, script(0, number, payload)), (wide, script(1, number, payload))];
    // From PCMU to Opus, frame after frame longer, with losses reported, more effort, and silence saved.
    let set = |kind: u8, value: u8| vec![0, 0, kind, value];
    let steps = [set(6, 20), set(7, 10), vec![0, 0, 8]].into_iter();
    let lengths = (0..5).flat_map(|length| [set(5, length), step(0, 0, &[0x21; 160]), step(0, 0, &[0xff; 240])]);
    let settings = [vec![0, 2, 0], steps.chain(lengths).collect::<Vec<_>>().concat()].concat();
    numbered.flat_map(pair).chain([("settings", settings)]).collect()
}

//! Whole legs, driven with packets and time.

mod changeover;
mod comfort_noise;
mod keys;
mod playing;
mod quality;
mod resuming;
mod sources;

use super::*;
use crate::browser::Browser;
use crate::codec::Codec;
use crate::command::{Format, Remote};
use crate::counters::Figure;
use crate::leg::{Seed, Settings};
use crate::liveness::Limits;
use crate::outbox::PathChange;
use crate::path::SocketId;
use crate::port::Port;
use crate::rtp::{self, Header, Pt, SeqNo, Ssrc};
use crate::srtp::{Profile, Receiver, Sender};
use crate::stun::tests::check_for;
use crate::transport::Transport;

const PWD: &str = "a password of 22 chars";
const PCMU: Format = Format {
    codec: Codec::Pcmu,
    payload_type: Pt(0),
    telephone_event: Some(Pt(101)),
    telephone_event_rate_hz: 8000,
    ptime_ms: 20,
    comfort_noise: None,
};
const PCMA: Format = Format { codec: Codec::Pcma, payload_type: Pt(8), ..PCMU };
const OPUS: Format = Format {
    codec: Codec::Opus,
    payload_type: Pt(111),
    telephone_event: Some(Pt(110)),
    telephone_event_rate_hz: 48_000,
    ptime_ms: 20,
    comfort_noise: None,
};
/// Master key and salt of both directions.
const KEY: [u8; 28] = [7; 28];

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A relay with a clock that stands still until told otherwise.
#[derive(Default)]
struct Bench {
    relay: Relay,
    out: Outbox,
    now: Duration,
}

/// A packet on the wire.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    at: Duration,
    path: Path,
    bytes: Vec<u8>,
}

impl Sent {
    fn rtp(&self) -> rtp::Packet<'_> {
        rtp::parse(&self.bytes).unwrap()
    }
}

impl Bench {
    fn add(&mut self, id: u64, transport: Transport, format: Format) -> LegId {
        let settings = Settings {
            limits: Limits { stall: at(3000), dead: at(30_000), silent: at(8000) },
            opus_complexity: 0,
            unix_origin: Duration::from_secs(1_800_000_000),
        };
        let seed = Seed { ssrc: 0x1000 + u32::try_from(id).unwrap(), sequence: 1, timestamp: 1, name: 1 };
        self.relay.adopt(Box::new(Leg::new(self.now, LegId(id), transport, seed, settings)));
        self.command(LegId(id), Command::SetFormat(format));
        LegId(id)
    }

    fn phone(&mut self, id: u64, format: Format) -> LegId {
        let socket = i32::try_from(id * 10).unwrap();
        let leg = self.add(id, Transport::Port(Port::new(SocketId(socket), SocketId(socket + 1))), format);
        let rtp = Bench::peer(leg).peer;
        self.command(leg, Command::SetRemote(Remote { rtp, rtcp: None, rtcp_mux: false, reopen: true }));
        leg
    }

    fn browser(&mut self, id: u64, format: Format) -> LegId {
        let leg = self.add(id, Transport::Browser(Browser::new("ufrag", PWD)), format);
        self.receive(leg, check_for("ufrag", PWD, true));
        self.take();
        leg
    }

    fn set_keys(&mut self, leg: LegId) {
        let profile = Profile::AeadAes128Gcm;
        let keys = (Receiver::new(profile, &KEY).unwrap(), Sender::new(profile, &KEY).unwrap());
        self.command(leg, Command::SetSrtp(Box::new(keys)));
    }

    fn couple(&mut self, a: LegId, b: LegId) {
        self.command(a, Command::SetSource(Some(b)));
        self.command(b, Command::SetSource(Some(a)));
    }

    /// The way to a leg's peer.
    fn peer(leg: LegId) -> Path {
        let number = u8::try_from(leg.0).unwrap();
        Path { socket: SocketId(i32::from(number) * 10), peer: ([192, 0, 2, number], 4000).into() }
    }

    fn command(&mut self, leg: LegId, command: Command) {
        self.relay.on_command(self.now, leg, command, &mut self.out);
    }

    fn receive(&mut self, leg: LegId, mut packet: Vec<u8>) {
        self.relay.on_packet(self.now, leg, Bench::peer(leg), &mut packet, &mut self.out);
    }

    /// A packet of the leg's peer, `n` frames of 20 ms after the first.
    fn say(&mut self, leg: LegId, payload_type: u8, n: u16, payload: &[u8]) {
        self.receive(leg, packet(payload_type, n, u32::from(n) * 160, payload));
    }

    /// What was sent since the last time.
    fn take(&mut self) -> Vec<Sent> {
        let sent = |entry: &crate::outbox::Entry| Sent {
            at: self.now,
            path: entry.path,
            bytes: self.out.bytes(entry).to_vec(),
        };
        let packets = self.out.entries().iter().map(sent).collect();
        self.out.clear_packets();
        packets
    }

    /// Let time pass as the engine does; what was sent meanwhile.
    fn pass(&mut self, until: Duration) -> Vec<Sent> {
        let mut sent = self.take();
        while let Some(deadline) = self.relay.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.relay.on_timer(self.now, &mut self.out);
            sent.extend(self.take());
        }
        self.now = until;
        sent
    }

    fn events(&mut self) -> Vec<(LegId, Event)> {
        std::mem::take(&mut self.out.events)
    }

    fn count(&self, leg: LegId, name: &str) -> u64 {
        let figures = self.relay.figures(leg).unwrap();
        match figures.iter().find(|(found, _)| *found == name) {
            Some((_, Figure::Count(count))) => *count,
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header =
        Header { marker: false, payload_type: Pt(payload_type), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(9) };
    let mut bytes = [0; rtp::HEADER_LEN];
    rtp::write_header(&header, &mut bytes);
    [&bytes[..], payload].concat()
}

fn rtp_only(sent: Vec<Sent>) -> Vec<Sent> {
    sent.into_iter().filter(|packet| rtp::classify(&packet.bytes) == Some(rtp::Kind::Rtp)).collect()
}

fn coupled(a: Format, b: Format) -> (Bench, LegId, LegId) {
    let mut bench = Bench::default();
    let (one, other) = (bench.phone(1, a), bench.phone(2, b));
    bench.couple(one, other);
    (bench, one, other)
}

#[test]
fn a_packet_leaves_on_arrival_with_our_numbers_and_the_peers_payload_type() {
    let (mut bench, one, other) = coupled(PCMU, Format { payload_type: Pt(77), ..PCMU });
    bench.say(one, 0, 500, &[1; 160]);
    let sent = bench.take();
    let header = sent[0].rtp().header;
    assert_eq!((sent.len(), sent[0].path), (1, Bench::peer(other)));
    assert_eq!((header.payload_type, header.ssrc, header.sequence), (Pt(77), Ssrc(0x1002), SeqNo(1)));
    assert_eq!(sent[0].rtp().payload, [1; 160]);
}

#[test]
fn nothing_leaves_while_muted_and_the_mute_looks_like_silence_not_like_loss() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.say(one, 0, 0, &[1; 160]);
    bench.command(one, Command::SetReceiving(false));
    for n in 1..50 {
        bench.pass(at(20 * u64::from(n)));
        bench.say(one, 0, n, &[2; 160]);
    }
    bench.command(one, Command::SetReceiving(true));
    let before = bench.now;
    bench.pass(before + at(20));
    bench.say(one, 0, 50, &[3; 160]);
    let after = bench.take();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].rtp().header.sequence, SeqNo(2));
    assert_eq!(bench.count(one, "dropped_muted"), 49);
}

#[test]
fn a_reordered_packet_waits_for_its_turn_when_transcoding_but_not_for_ever() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    bench.say(one, 0, 0, &[0xff; 160]);
    assert_eq!(bench.take().len(), 1);
    bench.say(one, 0, 2, &[0xff; 160]);
    assert_eq!(bench.take().len(), 0, "number 1 may still come");
    let sent = rtp_only(bench.pass(at(100)));
    let timestamps: Vec<u32> = sent.iter().map(|packet| packet.rtp().header.timestamp).collect();
    assert_eq!(timestamps[..2], [161, 321], "the lost one is concealed, each frame in its place");
    bench.say(one, 0, 1, &[0xff; 160]);
    assert_eq!((bench.take().len(), bench.count(other, "dropped_late")), (0, 1));
}

#[test]
fn silence_of_the_source_is_seen_in_the_timestamps_when_transcoding() {
    let (mut bench, one, _) = coupled(PCMU, PCMA);
    bench.receive(one, packet(0, 0, 0, &[0xff; 160]));
    let first = bench.take()[0].rtp().header;
    bench.pass(at(1000));
    bench.receive(one, packet(0, 1, 8000, &[0xff; 160]));
    let second = rtp_only(bench.take())[0].rtp().header;
    assert_eq!(second.timestamp - first.timestamp, 8000);
    assert_eq!(second.sequence, SeqNo(8), "what the source did not send is concealed for 120 ms");
    assert!(second.marker);
}

#[test]
fn a_silence_that_was_announced_ends_with_its_source() {
    let (mut bench, one, _) = coupled(OPUS, PCMU);
    bench.receive(one, packet(111, 0, 0, &[0x08]));
    let filled = rtp_only(bench.pass(at(500)));
    assert!((20..=26).contains(&filled.len()), "{} frames of comfort noise", filled.len());
    bench.relay.close(bench.now, one, &mut bench.out);
    bench.take();
    assert!(rtp_only(bench.pass(at(1000))).is_empty());
}

#[test]
fn digits_on_request_are_a_regular_train_and_audio_waits() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.say(one, 0, 0, &[1; 160]);
    bench.take();
    bench.command(other, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 50 });
    let mut sent = bench.take();
    for n in 1..20_u16 {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        bench.say(one, 0, n, &[1; 160]);
        sent.extend(bench.take());
    }
    let sent = rtp_only(sent);
    let digits: Vec<&Sent> = sent.iter().filter(|packet| packet.rtp().header.payload_type == Pt(101)).collect();
    assert!(digits.iter().all(|packet| packet.rtp().header.timestamp == digits[0].rtp().header.timestamp));
    let steps: Vec<Duration> = digits.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at)).collect();
    assert!(steps.iter().all(|step| *step <= at(25)), "{steps:?}");
    assert_eq!(digits.iter().filter(|packet| packet.rtp().payload[1] & 0x80 != 0).count(), 3);
    let sequences: Vec<u16> = sent.iter().map(|packet| packet.rtp().header.sequence.0).collect();
    let expected: Vec<u16> = (2..).take(sequences.len()).collect();
    assert_eq!(sequences, expected, "no hole between digit and audio");
    assert_eq!(sent.last().unwrap().rtp().header.payload_type, Pt(0), "audio is back");
}

#[test]
fn a_digit_is_told_and_passed_on_with_the_other_sides_clock() {
    let mut bench = Bench::default();
    let (one, other) = (bench.phone(1, PCMU), bench.phone(2, OPUS));
    bench.couple(one, other);
    for (n, end) in [(0, 0), (1, 0), (2, 0x80), (3, 0x80), (4, 0x80)] {
        let duration = 400 * (u16::min(n, 2) + 1);
        let event = [9, end | 0x0a, duration.to_be_bytes()[0], duration.to_be_bytes()[1]];
        bench.receive(one, packet(101, n, 5000, &event));
    }
    let sent = rtp_only(bench.pass(at(600)));
    let told: Vec<_> = bench.events().into_iter().filter(|(_, event)| matches!(event, Event::Dtmf(..))).collect();
    assert_eq!(told, [(one, Event::Dtmf(Digit { event: 9, duration_ms: 150 }, Form::Event))]);
    let last = sent.last().unwrap().rtp();
    assert_eq!((last.header.payload_type, last.payload[0], last.payload[1] & 0x80), (Pt(110), 9, 0x80));
    let duration = u16::from_be_bytes([last.payload[2], last.payload[3]]);
    assert_eq!(duration, 150 * 48, "1200 ticks at 8 kHz are 150 ms");
}

#[test]
fn the_first_report_comes_after_a_second_and_then_every_few() {
    let mut bench = Bench::default();
    let leg = bench.phone(1, PCMU);
    let reports = bench.pass(at(30_000));
    assert!(reports[0].at >= at(1000) && reports[0].at <= at(1005));
    assert_eq!(reports[0].path, Path { socket: SocketId(11), peer: ([192, 0, 2, 1], 4001).into() });
    let steps = reports.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at));
    assert!(steps.into_iter().all(|step| step >= at(3750) && step <= at(6255)));
    assert_eq!(bench.count(leg, "tx_rtcp"), reports.len() as u64);
}

#[test]
fn silence_stalls_and_then_kills_and_hold_suspends_that() {
    let mut bench = Bench::default();
    let leg = bench.phone(1, PCMU);
    bench.say(leg, 0, 0, &[1; 160]);
    bench.pass(at(60_000));
    let dead = Event::Dead("no valid RTP or RTCP for 30 s".to_owned());
    assert_eq!(bench.events(), [(leg, Event::MediaStarted), (leg, Event::MediaStalled), (leg, dead)]);
    bench.command(leg, Command::SetSending(false));
    bench.pass(at(200_000));
    assert_eq!(bench.events(), []);
}

#[test]
fn a_browser_is_told_nominated_and_its_path_known() {
    let mut bench = Bench::default();
    let leg = bench.browser(1, OPUS);
    assert_eq!(bench.events(), [(leg, Event::Nominated("192.0.2.1:4000".to_owned()))]);
    assert_eq!(bench.out.paths, [PathChange::Added(Bench::peer(leg), leg)]);
}

#[test]
fn early_media_is_bounded_and_used_once_the_keys_are_known() {
    let mut bench = Bench::default();
    let leg = bench.browser(1, OPUS);
    let mut sender = Sender::new(Profile::AeadAes128Gcm, &KEY).unwrap();
    for n in 0..20 {
        let mut bytes = packet(111, n, u32::from(n) * 960, b"opus");
        let plain = bytes.len();
        bytes.resize(plain + crate::srtp::MAX_OVERHEAD, 0);
        let len = sender.protect_rtp(&mut bytes, plain).unwrap();
        bytes.truncate(len);
        bench.receive(leg, bytes);
    }
    assert_eq!((bench.count(leg, "rx_packets"), bench.count(leg, "dropped_early")), (0, 20));
    bench.set_keys(leg);
    assert_eq!(bench.count(leg, "rx_packets"), 8);
}

#[test]
fn closing_says_goodbye_and_takes_the_routes_down() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.say(one, 0, 0, &[1; 160]);
    bench.take();
    let figures = bench.relay.close(bench.now, one, &mut bench.out).unwrap();
    assert!(figures.contains(&("rx_packets", Figure::Count(1))));
    let goodbye = bench.take();
    assert!(goodbye[0].bytes.windows(2).any(|bytes| bytes == [0x81, 203]));
    bench.say(other, 0, 0, &[2; 160]);
    assert_eq!(rtp_only(bench.take()), []);
    assert_eq!(bench.relay.len(), 1);
}

#[test]
fn a_leg_that_broke_is_told_dead_and_the_other_lives() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.relay.kill(one, "it broke", &mut bench.out);
    assert_eq!(bench.events(), [(one, Event::Dead("it broke".to_owned()))]);
    bench.say(other, 0, 0, &[1; 160]);
    assert_eq!(bench.count(other, "rx_packets"), 1);
}

#[test]
fn an_idle_relay_wakes_seldom() {
    let mut bench = Bench::default();
    for id in 1..=100 {
        bench.phone(id, PCMU);
    }
    bench.pass(at(2000));
    let mut wakes = 0;
    while let Some(deadline) = bench.relay.next_deadline().filter(|deadline| *deadline <= at(12_000)) {
        bench.now = deadline;
        bench.relay.on_timer(bench.now, &mut bench.out);
        wakes += 1;
    }
    assert!(wakes < 400, "{wakes} wake-ups in 10 s for 100 legs");
}

#[test]
fn any_bytes_are_survived() {
    let mut bench = Bench::default();
    let (phone, browser) = (bench.phone(1, PCMU), bench.browser(2, OPUS));
    bench.set_keys(browser);
    bench.couple(phone, browser);
    let mut state = 1_u32;
    for round in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let len = usize::try_from(state % 200).unwrap();
        let mut bytes: Vec<u8> =
            (0..len).map(|n| state.rotate_left(u32::try_from(n).unwrap()).to_le_bytes()[0]).collect();
        if let Some(first) = bytes.first_mut().filter(|_| round % 2 == 0) {
            *first = 0x80;
        }
        bench.receive(if round % 3 == 0 { browser } else { phone }, bytes);
        if round % 16 == 0 {
            let until = bench.now + at(7);
            bench.pass(until);
        }
    }
    let dropped: u64 =
        ["dropped_malformed", "dropped_unknown_payload"].map(|name| bench.count(phone, name)).iter().sum();
    assert!(dropped > 1000);
}

const SDES: Profile = Profile::AesCm128HmacSha1_32;

/// Keys of both directions of an RTP leg, made of one byte.
fn sdes(number: u8, is_first: bool) -> Command {
    let key = vec![number; SDES.key_len() + SDES.salt_len()];
    Command::SetSdes(Some(Box::new(crate::sdes::Change {
        receiver: Some(Receiver::new(SDES, &key).unwrap()),
        sender: 0,
        new_sender: is_first.then(|| Sender::new(SDES, &key).unwrap()),
    })))
}

fn sdes_peer(number: u8) -> (Sender, Receiver) {
    let key = vec![number; SDES.key_len() + SDES.salt_len()];
    (Sender::new(SDES, &key).unwrap(), Receiver::new(SDES, &key).unwrap())
}

fn sealed(sender: &mut Sender, n: u16) -> Vec<u8> {
    let mut bytes = packet(0, n, u32::from(n) * 160, &[5; 160]);
    let len = bytes.len();
    bytes.resize(len + crate::srtp::MAX_OVERHEAD, 0);
    let len = sender.protect_rtp(&mut bytes, len).unwrap();
    bytes.truncate(len);
    bytes
}

#[test]
fn an_rtp_leg_with_keys_speaks_srtp_both_ways() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut sender, mut receiver) = sdes_peer(1);
    bench.receive(one, sealed(&mut sender, 1));
    let sent = bench.take();
    assert_eq!((sent[0].path, sent[0].rtp().payload), (Bench::peer(other), &[5; 160][..]));
    bench.say(other, 0, 1, &[6; 160]);
    let mut bytes = bench.take().remove(0).bytes;
    assert_ne!(bytes[12..172], [6; 160]);
    let len = receiver.unprotect_rtp(&mut bytes).unwrap();
    assert_eq!(rtp::parse(&bytes[..len]).unwrap().payload, [6; 160]);
    let reports = bench.pass(at(1500));
    let report = reports.iter().find(|sent| sent.path.peer == ([192, 0, 2, 1], 4001).into()).unwrap();
    assert!(receiver.unprotect_rtcp(&mut report.bytes.clone()).is_ok());
    bench.command(one, Command::SetSdes(None));
    bench.say(other, 0, 2, &[6; 160]);
    assert_eq!(rtp_only(bench.take())[0].rtp().payload, [6; 160]);
}

#[test]
fn a_key_change_loses_nothing_though_the_peer_changes_later() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut old, _) = sdes_peer(1);
    let (mut new, _) = sdes_peer(2);
    bench.receive(one, sealed(&mut old, 1));
    bench.command(one, sdes(2, false));
    for n in 2..5 {
        bench.receive(one, sealed(&mut old, n));
    }
    for n in 5..9 {
        bench.receive(one, sealed(&mut new, n));
    }
    let heard = rtp_only(bench.take()).iter().filter(|sent| sent.path == Bench::peer(other)).count();
    assert_eq!((heard, bench.count(one, "dropped_srtp_auth")), (8, 0));
}

#[test]
fn a_source_is_learned_only_from_what_is_authentic() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let stranger = Path { peer: ([203, 0, 113, 5], 6000).into(), ..Bench::peer(one) };
    for n in 0..10 {
        bench.relay.on_packet(bench.now, one, stranger, &mut packet(0, n, 0, &[5; 160]), &mut bench.out);
    }
    assert_eq!((bench.count(one, "rx_packets"), bench.count(one, "dropped_srtp_auth")), (0, 10));
    let (mut sender, _) = sdes_peer(1);
    for n in 0..3 {
        bench.relay.on_packet(bench.now, one, stranger, &mut sealed(&mut sender, n), &mut bench.out);
    }
    assert_eq!(bench.count(one, "rx_packets"), 1);
    // The old key does not move the source any more.
    bench.command(one, sdes(2, false));
    let elsewhere = Remote { rtp: ([198, 51, 100, 9], 7000).into(), rtcp: None, rtcp_mux: false, reopen: true };
    bench.command(one, Command::SetRemote(elsewhere));
    for n in 3..9 {
        bench.relay.on_packet(bench.now, one, stranger, &mut sealed(&mut sender, n), &mut bench.out);
    }
    assert_eq!((bench.count(one, "rx_packets"), bench.count(one, "dropped_unknown_source")), (1, 8));
}

#[test]
fn packets_that_cannot_be_decrypted_are_told_once() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut wrong, _) = sdes_peer(2);
    for n in 0..60 {
        bench.receive(one, sealed(&mut wrong, n));
    }
    let told = bench.events().into_iter().filter(|(_, event)| *event == Event::Undecryptable).count();
    assert_eq!((told, bench.count(one, "dropped_srtp_auth")), (1, 60));
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

#[test]
fn a_packet_that_is_expected_and_does_not_come_changes_nothing() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    let browser = bench.browser(3, PCMU);
    bench.command(browser, Command::SetSource(Some(one)));
    bench.set_keys(browser);
    for leg in [one, other, browser, LegId(99)] {
        bench.relay.expect(leg);
    }
    assert_eq!((bench.take(), bench.count(one, "rx_packets")), (Vec::new(), 0));
}

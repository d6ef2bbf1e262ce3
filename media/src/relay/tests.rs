//! Whole legs, driven with packets and time.

mod bench;
mod changeover;
mod comfort_noise;
mod encryption;
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
use bench::*;

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
fn audio_is_heard_under_the_number_that_we_offered_as_well_as_under_the_peers() {
    let format = Format { payload_type: Pt(96), offered_as: Some(Pt(111)), ..OPUS };
    let (mut bench, one, other) = coupled(format, OPUS);
    bench.say(one, 111, 0, &[0xe0]);
    bench.say(one, 96, 1, &[0xe1]);
    bench.say(other, 111, 0, &[0xe2]);
    let sent: Vec<_> =
        bench.take().iter().map(|packet| (packet.rtp().header.payload_type.0, packet.rtp().payload[0])).collect();
    assert_eq!(sent, [(111, 0xe0), (111, 0xe1), (96, 0xe2)]);
    assert_eq!(bench.count(one, "dropped_unknown_payload"), 0);
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
fn a_leg_that_broke_is_told_and_the_other_lives() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.relay.kill(one, &mut bench.out);
    assert_eq!(bench.events(), [(one, Event::Broken)]);
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

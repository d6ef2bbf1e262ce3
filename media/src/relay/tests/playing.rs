//! Sounds in the place of a source: no jump at either end, no packet too many.

use super::*;
use crate::player::Play;
use crate::sound::Sound;

/// A sound of this length whose samples are all the same.
fn play(number: u64, ms: usize, format: Format, repeats: bool) -> Command {
    let sound = Sound::new(vec![4000; 8 * ms], vec![4000; 16 * ms]).unwrap();
    Command::Play(Play { number, frames: sound.frames(format.into()).unwrap(), repeats })
}

/// Sequence numbers without a hole, timestamps that never fall back and never run ahead of the time.
fn assert_one_stream(sent: &[Sent], rate_hz: u32) {
    for pair in sent.windows(2) {
        let (before, after) = (pair[0].rtp(), pair[1].rtp());
        assert_eq!(after.header.sequence, before.header.sequence.plus(1));
        let step = after.header.timestamp.wrapping_sub(before.header.timestamp);
        let passed = u32::try_from(pair[1].at.saturating_sub(pair[0].at).as_millis()).unwrap() * rate_hz / 1000;
        assert!(step >= rate_hz / 50, "{step} ticks is less than the frame before");
        assert!(step.abs_diff(passed) <= rate_hz / 25, "{step} ticks in the time of {passed}");
        assert_eq!(after.header.ssrc, before.header.ssrc);
    }
}

/// One talkspurt, each packet's frame right behind the one before.
fn assert_seamless(sent: &[Sent], ticks: u32) {
    for pair in sent.windows(2) {
        let (before, after) = (pair[0].rtp().header, pair[1].rtp().header);
        assert_eq!(after.sequence, before.sequence.plus(1));
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), ticks, "at {:?}", pair[1].at);
        assert!(!after.marker, "at {:?}", pair[1].at);
    }
}

fn frame_ticks(format: Format) -> u32 {
    format.codec.clock_rate_hz() / 50
}

/// Let the peer of a leg talk for a while, a frame every 20 ms; what was sent meanwhile.
fn talk(bench: &mut Bench, leg: LegId, payload_type: u8, frames: std::ops::Range<u16>) -> Vec<Sent> {
    let mut sent = Vec::new();
    for n in frames {
        sent.extend(bench.pass(at(3 + 20 * u64::from(n))));
        bench.say(leg, payload_type, n, &[0xff; 160]);
        sent.extend(bench.take());
    }
    rtp_only(sent)
}

#[test]
fn a_prompt_takes_the_place_of_the_source_and_gives_it_back_without_a_jump() {
    for target in [PCMU, PCMA] {
        let (mut bench, one, other) = coupled(PCMU, target);
        let mut sent = talk(&mut bench, one, 0, 0..10);
        bench.command(other, play(7, 190, target, false));
        sent.extend(talk(&mut bench, one, 0, 10..40));
        sent.retain(|packet| packet.path == Bench::peer(other));
        assert_one_stream(&sent, 8000);
        let silent = if target == PCMU { 0xff } else { 0xd5 };
        let loud = sent.iter().filter(|packet| packet.rtp().payload[0] != silent).count();
        assert_eq!(loud, 10, "all of the prompt, and nothing of the source meanwhile");
        assert_seamless(&sent, 160);
        assert!((38..=40).contains(&sent.len()), "{}", sent.len());
        assert_eq!(bench.events().last(), Some(&(other, Event::Played(7))));
    }
}

#[test]
fn a_sound_stopped_or_replaced_ends_untold() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    let mut sent = talk(&mut bench, one, 0, 0..2);
    bench.command(other, play(1, 100, PCMU, true));
    sent.extend(talk(&mut bench, one, 0, 2..30));
    bench.command(other, play(2, 1000, PCMU, false));
    sent.extend(talk(&mut bench, one, 0, 30..40));
    bench.command(other, Command::StopPlaying);
    sent.extend(talk(&mut bench, one, 0, 40..45));
    bench.command(other, Command::StopPlaying);
    assert_one_stream(&sent, 8000);
    assert!(!bench.events().iter().any(|(_, event)| matches!(event, Event::Played(_))));
    assert_seamless(&sent, 160);
}

#[test]
fn sounds_begin_end_and_stop_without_a_hole_wherever_the_source_s_packets_lie() {
    for (source, target, ticks) in [(PCMU, PCMU, 160), (PCMU, PCMA, 160), (OPUS, PCMU, 160), (PCMU, OPUS, 960)] {
        let silent: &[u8] = if source == OPUS { &[0xf8, 0xff, 0xfe] } else { &[0xff; 160] };
        for jitter in 0..20 {
            let (mut bench, one, other) = coupled(source, target);
            let mut sent = Vec::new();
            for n in 0..200_u16 {
                // Every third packet is late.
                let late = if n % 3 == 0 { jitter } else { 0 };
                sent.extend(bench.pass(at(20 * u64::from(n) + late)));
                match n {
                    20 | 70 => bench.command(other, play(n.into(), 190, target, false)),
                    120 => bench.command(other, play(3, 110, target, true)),
                    160 => bench.command(other, Command::StopPlaying),
                    _ => {}
                }
                let payload_type = source.payload_type.0;
                bench.receive(one, packet(payload_type, n, u32::from(n) * frame_ticks(source), silent));
                sent.extend(bench.take());
            }
            let mut sent = rtp_only(sent);
            sent.retain(|packet| packet.path == Bench::peer(other));
            assert_seamless(&sent, ticks);
            let last = sent.last().unwrap();
            let passed = u32::try_from(last.at.saturating_sub(sent[0].at).as_millis()).unwrap();
            let stamped = last.rtp().header.timestamp.wrapping_sub(sent[0].rtp().header.timestamp) * 20 / ticks;
            assert!(passed.abs_diff(stamped) <= 20, "{stamped} ms in the time of {passed}: sounds shift nothing");
        }
    }
}

#[test]
fn a_source_whose_clock_went_another_way_during_long_music_is_heard_at_once_and_in_time() {
    for target in [PCMU, PCMA] {
        for frame_us in [19_600, 20_400] {
            let (mut bench, one, other) = coupled(PCMU, target);
            let mut sent = Vec::new();
            let (mut stopped, when) = (Duration::ZERO, |n: u16| Duration::from_micros(frame_us * u64::from(n)));
            for n in 0..1200_u16 {
                sent.extend(bench.pass(when(n)));
                match n {
                    20 => bench.command(other, play(1, 1000, target, true)),
                    1100 => {
                        bench.command(other, Command::StopPlaying);
                        stopped = bench.now;
                    }
                    _ => {}
                }
                bench.say(one, 0, n, &[0xff; 160]);
                sent.extend(bench.take());
            }
            let mut sent = rtp_only(sent);
            sent.retain(|packet| packet.path == Bench::peer(other));
            assert_one_stream(&sent, 8000);
            let silent = if target == PCMU { 0xff } else { 0xd5 };
            let heard = sent.iter().find(|packet| packet.at > stopped && packet.rtp().payload[0] == silent).unwrap();
            assert!(heard.at < stopped + at(70), "{frame_us} µs: {:?} and {stopped:?}", heard.at);
            for packet in sent.iter().filter(|packet| packet.at > stopped) {
                let passed = packet.at.saturating_sub(sent[0].at).as_millis();
                let stamped = packet.rtp().header.timestamp.wrapping_sub(sent[0].rtp().header.timestamp) / 8;
                assert!(passed.abs_diff(stamped.into()) < 150, "{frame_us} µs: {stamped} ms in the time of {passed}");
            }
        }
    }
}

#[test]
fn a_source_that_paused_beyond_the_end_of_a_sound_is_heard_from_its_first_word_on() {
    for target in [PCMU, PCMA] {
        let (mut bench, one, other) = coupled(PCMU, target);
        talk(&mut bench, one, 0, 0..20);
        bench.command(other, play(1, 200, target, false));
        talk(&mut bench, one, 0, 20..24);
        bench.pass(at(2000));
        bench.events();
        let sent = talk(&mut bench, one, 0, 100..150);
        let heard = sent.iter().filter(|packet| packet.path == Bench::peer(other)).count();
        assert!(heard >= 49, "{heard} of 50");
    }
}

#[test]
fn a_sound_right_behind_another_shifts_nothing() {
    for target in [PCMU, PCMA] {
        let (mut bench, one, other) = coupled(PCMU, target);
        let mut sent = talk(&mut bench, one, 0, 0..20);
        for round in 1..20_u16 {
            bench.command(other, play(round.into(), 110, target, false));
            sent.extend(talk(&mut bench, one, 0, 10 * round + 10..10 * round + 15));
            // The end is told, and Python has another sound at once.
            sent.extend(bench.pass(at(u64::from(10 * round + 15) * 20 + 1)));
            bench.command(other, play(100 + u64::from(round), 30, target, true));
            bench.command(other, Command::StopPlaying);
            sent.extend(talk(&mut bench, one, 0, 10 * round + 15..10 * round + 20));
        }
        let mut sent = rtp_only(sent);
        sent.retain(|packet| packet.path == Bench::peer(other));
        assert_one_stream(&sent, 8000);
        for packet in &sent {
            let passed = packet.at.saturating_sub(sent[0].at).as_millis();
            let stamped = packet.rtp().header.timestamp.wrapping_sub(sent[0].rtp().header.timestamp) / 8;
            assert!(passed.abs_diff(stamped.into()) <= 40, "{:?}: {stamped} ms in the time of {passed}", target.codec);
        }
    }
}

#[test]
fn keys_that_end_amid_a_sound_do_not_let_the_source_in() {
    let (mut bench, one, other) = coupled(PCMU, PCMA);
    let mut sent = talk(&mut bench, one, 0, 0..20);
    bench.command(other, Command::SetDigits { form: Form::Tone, listens: false });
    bench.command(other, play(1, 1000, PCMA, true));
    sent.extend(talk(&mut bench, one, 0, 20..40));
    bench.command(other, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 60 });
    let amid = talk(&mut bench, one, 0, 40..80);
    let source = |packet: &Sent| packet.rtp().payload.iter().all(|code| *code == 0xd5);
    let heard: Vec<_> = amid.iter().filter(|packet| packet.path == Bench::peer(other)).collect();
    assert!(heard.len() >= 38, "{}", heard.len());
    let silent = heard.iter().filter(|packet| source(packet)).count();
    assert!(silent <= 4, "{silent} frames: the gap behind the key, and nothing of the source");
    sent.extend(amid);
    sent.retain(|packet| packet.path == Bench::peer(other));
    assert_one_stream(&sent, 8000);
}

#[test]
fn a_sound_that_replaces_one_that_could_not_be_sent_begins_at_its_time() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    let mut sent = talk(&mut bench, one, 0, 0..5);
    bench.command(other, play(1, 1000, PCMU, true));
    sent.extend(talk(&mut bench, one, 0, 5..20));
    bench.command(other, Command::SetSending(false));
    sent.extend(talk(&mut bench, one, 0, 20..500));
    bench.command(other, play(2, 1000, PCMU, true));
    bench.command(other, Command::SetSending(true));
    sent.extend(talk(&mut bench, one, 0, 500..520));
    sent.retain(|packet| packet.path == Bench::peer(other));
    let (first, last) = (&sent[0], sent.last().unwrap());
    let passed = last.at.saturating_sub(first.at).as_millis();
    let stamped = last.rtp().header.timestamp.wrapping_sub(first.rtp().header.timestamp) / 8;
    assert!(passed.abs_diff(stamped.into()) <= 20, "{stamped} ms in the time of {passed}");
}

#[test]
fn a_sound_that_was_stopped_before_there_was_a_way_is_never_heard() {
    let mut bench = Bench::default();
    let leg = bench.browser(1, OPUS);
    bench.command(leg, play(1, 1000, OPUS, true));
    bench.pass(at(200));
    bench.command(leg, Command::StopPlaying);
    bench.set_keys(leg);
    assert_eq!(rtp_only(bench.pass(at(1000))), []);
}

#[test]
fn nobody_has_to_talk_for_a_sound_to_be_heard() {
    let mut bench = Bench::default();
    let leg = bench.phone(1, OPUS);
    bench.command(leg, play(1, 1000, OPUS, false));
    let sent = rtp_only(bench.pass(at(2000)));
    assert_eq!(sent.len(), 50);
    assert_one_stream(&sent, 48_000);
    assert!(sent.windows(2).all(|pair| pair[1].at.saturating_sub(pair[0].at) == at(20)));
}

#[test]
fn a_sound_waits_for_a_way_to_the_peer_and_for_the_end_of_a_hold() {
    let mut bench = Bench::default();
    let leg = bench.browser(1, OPUS);
    bench.command(leg, play(1, 100, OPUS, false));
    assert_eq!(rtp_only(bench.pass(at(1000))), []);
    bench.set_keys(leg);
    assert_eq!(rtp_only(bench.pass(at(1050))).len(), 3);
    bench.command(leg, Command::SetSending(false));
    assert_eq!(rtp_only(bench.pass(at(5000))), []);
    bench.command(leg, Command::SetSending(true));
    assert_eq!(rtp_only(bench.pass(at(6000))).len(), 2);
    assert_eq!(bench.events().last(), Some(&(leg, Event::Played(1))));
}

#[test]
fn another_codec_silences_a_sound_until_its_packets_are_there() {
    let mut bench = Bench::default();
    let leg = bench.phone(1, PCMU);
    bench.command(leg, play(1, 1000, PCMU, false));
    assert_eq!(rtp_only(bench.pass(at(390))).len(), 20);
    bench.command(leg, Command::SetFormat(PCMA));
    assert_eq!(rtp_only(bench.pass(at(500))), []);
    bench.command(leg, play(1, 1000, PCMA, false));
    let rest = rtp_only(bench.pass(at(3000)));
    assert_eq!(rest.len(), 30);
    assert!(rest.iter().all(|packet| packet.rtp().header.payload_type == Pt(8)));
}

#[test]
fn digits_go_before_the_sound_that_plays_on() {
    let mut bench = Bench::default();
    let leg = bench.phone(1, PCMU);
    bench.command(leg, play(1, 1000, PCMU, false));
    let mut sent = bench.pass(at(400));
    bench.command(leg, Command::Dtmf { events: vec![5], duration_ms: 100, gap_ms: 50 });
    sent.extend(bench.pass(at(2000)));
    let kinds: Vec<Pt> = rtp_only(sent).iter().map(|packet| packet.rtp().header.payload_type).collect();
    let digits = kinds.iter().filter(|kind| **kind == Pt(101)).count();
    assert!(digits >= 7 && (35..50).contains(&(kinds.len() - digits)), "{digits} of {}", kinds.len());
    let first = kinds.iter().position(|kind| *kind == Pt(101)).unwrap();
    assert!(kinds[first..first + digits].iter().all(|kind| *kind == Pt(101)), "no sound between them");
}

//! A source is heard after a key or a prompt as if nothing had come between: its decoder has kept up.

use super::*;
use crate::codec::testvoice::voice;
use crate::codec::{Encoder, MAX_PAYLOAD};
use crate::dtmf::Form;
use crate::player::Play;
use crate::sound::Sound;

const FRAMES: u16 = 80;
/// What comes between begins with this frame of the source, and is over before that one.
const BEGINS: u16 = 30;
const OVER: u16 = 50;

fn speech() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Codec::Opus, 8000, 20, 5).unwrap();
    let encode = |frame: &[i16]| {
        let mut payload = [0; MAX_PAYLOAD];
        let len = encoder.encode(frame, &mut payload).unwrap();
        payload[..len].to_vec()
    };
    voice(1.6, 70, 160 * usize::from(FRAMES)).chunks(160).map(encode).collect()
}

/// When a phone that speaks PCMU got which audio of one that speaks Opus, if this is asked of its leg in between.
fn heard(commands: Vec<Command>) -> Vec<(Duration, Vec<u8>)> {
    let (mut bench, one, other) = coupled(OPUS, PCMU);
    let (mut commands, mut sent) = (commands.into_iter(), Vec::new());
    for (n, payload) in (0..).zip(speech()) {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        if n == BEGINS {
            commands.by_ref().for_each(|command| bench.command(other, command));
        }
        bench.receive(one, packet(111, n, u32::from(n) * 960, &payload));
        sent.extend(bench.take());
    }
    let sent = rtp_only(sent);
    let mut numbers = sent.iter().map(|packet| packet.rtp().header.sequence);
    let first = numbers.next().unwrap();
    assert!((1..).zip(numbers).all(|(n, number)| number == first.plus(n)), "no hole in the numbers");
    let audio = sent.iter().filter(|packet| packet.rtp().header.payload_type == PCMU.payload_type);
    audio.map(|packet| (packet.at, packet.rtp().payload.to_vec())).collect()
}

/// Between two frames of the source.
fn part(heard: &[(Duration, Vec<u8>)], from: u16, to: u16) -> Vec<(Duration, Vec<u8>)> {
    let (from, to) = (at(20 * u64::from(from)), at(20 * u64::from(to)));
    heard.iter().filter(|(sent, _)| (from..to).contains(sent)).cloned().collect()
}

#[test]
fn speech_after_a_key_or_a_prompt_is_what_it_would_have_been_and_nothing_of_before_comes_late() {
    let undisturbed = heard(Vec::new());
    let key = || Command::Dtmf { events: vec![5], duration_ms: 200, gap_ms: 50 };
    let sound = Sound::new(vec![4000; 8 * 300], vec![4000; 16 * 300]).unwrap();
    let prompt = Play { number: 1, frames: sound.frames(PCMU.into()).unwrap(), repeats: false };
    for (name, commands) in [
        ("a telephone-event", vec![key()]),
        ("tones", vec![Command::SetDigits { form: Form::Tone, listens: false }, key()]),
        ("a prompt", vec![Command::Play(prompt)]),
    ] {
        let disturbed = heard(commands);
        assert_eq!(part(&disturbed, 0, BEGINS), part(&undisturbed, 0, BEGINS), "before {name}");
        assert_eq!(part(&disturbed, OVER, FRAMES), part(&undisturbed, OVER, FRAMES), "after {name}");
        for (sent, payload) in &disturbed {
            let mut times = undisturbed.iter().filter(|(_, other)| other == payload).map(|(at, _)| at).peekable();
            assert!(times.peek().is_none() || times.any(|at| at == sent), "said before {sent:?}, with {name}");
        }
    }
}

#[test]
fn a_prompt_that_outlasts_the_speech_costs_nothing_more() {
    let (mut bench, one, other) = coupled(OPUS, PCMU);
    let sound = Sound::new(vec![4000; 8000], vec![4000; 16_000]).unwrap();
    for (n, payload) in (0..).zip(speech()) {
        bench.pass(at(20 * u64::from(n)));
        if n == BEGINS {
            let frames = sound.frames(PCMU.into()).unwrap();
            bench.command(other, Command::Play(Play { number: 1, frames, repeats: true }));
        }
        bench.receive(one, packet(111, n, u32::from(n) * 960, &payload));
    }
    bench.pass(at(5000));
    let concealed = bench.count(other, "tx_concealed");
    bench.pass(at(60_000));
    assert_eq!(bench.count(other, "tx_concealed"), concealed, "a source that pauses is not filled for ever");
}

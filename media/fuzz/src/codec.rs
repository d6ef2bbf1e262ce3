//! Codecs: any payloads in any order, with gaps and silences between, give as many samples as was said, and these can
//! be encoded, in frames of any length, whatever loss is reported and effort allowed meanwhile.

use mediacore::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};

use crate::script::Script;

const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// Play a script of payloads.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let rate_hz = script.choice([8000, 16_000]);
    let mut decoder = Decoder::new(script.choice(CODECS), rate_hz).expect("every codec has both rates");
    let target = script.choice(CODECS);
    let encoder_of = |ptime_ms| Encoder::new(target, rate_hz, ptime_ms, 0).expect("every codec has both rates");
    let mut encoder = encoder_of(20);
    let mut line = Vec::new();
    while !script.is_over() {
        let (number, kind) = (script.u16(), script.byte() % 9);
        match kind {
            5 => encoder = encoder_of(script.choice([10, 20, 30, 40, 60])),
            6 => encoder.set_expected_loss(script.byte()),
            7 => encoder.set_complexity(script.byte()),
            8 => encoder.save_silence(),
            _ => play(number, kind, &mut script, &mut decoder, &mut line),
        }
        encode(&mut encoder, &mut line);
    }
}

/// One step: a payload, a gap, a description of silence, a silence, or a packet with the copy of one that is lost.
fn play(number: u16, kind: u8, script: &mut Script, decoder: &mut Decoder, line: &mut Vec<i16>) {
    let (before, count) = (line.len(), usize::from(number) % decoder.most());
    let expected = match kind {
        0 => decoder.decode(script.bytes(), line).unwrap_or(0),
        1 => {
            decoder.conceal(count, line);
            count
        }
        2 => {
            decoder.describe_silence(script.bytes());
            0
        }
        3 => {
            decoder.comfort(count, line);
            count
        }
        _ if decoder.recover(script.bytes(), count, line) => count,
        _ => 0,
    };
    assert_eq!(line.len() - before, expected);
    assert!(expected <= decoder.most(), "more samples than a packet can hold");
}

/// Encode the whole frames of the line.
fn encode(encoder: &mut Encoder, line: &mut Vec<i16>) {
    let mut payload = [0; MAX_PAYLOAD];
    while line.len() >= encoder.frame() {
        let len = encoder.encode(&line[..encoder.frame()], &mut payload).expect("a whole frame");
        assert!(len <= MAX_PAYLOAD);
        line.drain(..encoder.frame());
    }
}

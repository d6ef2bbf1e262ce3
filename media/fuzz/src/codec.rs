//! Codecs: any payloads in any order, with gaps and silences between, give as many samples as was said, and these can
//! be encoded.

use mediacore::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};

use crate::script::Script;

const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// Play a script of payloads.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let rate_hz = script.choice([8000, 16_000]);
    let mut decoder = Decoder::new(script.choice(CODECS), rate_hz).expect("every codec has both rates");
    let mut encoder = Encoder::new(script.choice(CODECS), rate_hz, 20, 0).expect("every codec has both rates");
    let mut line = Vec::new();
    while !script.is_over() {
        play(&mut script, &mut decoder, &mut line);
        encode(&mut encoder, &mut line);
    }
}

/// One step: a payload, a gap, a description of silence, a silence, or a packet with the copy of one that is lost.
fn play(script: &mut Script, decoder: &mut Decoder, line: &mut Vec<i16>) {
    let (before, count) = (line.len(), usize::from(script.u16()) % decoder.most());
    let expected = match script.byte() % 5 {
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

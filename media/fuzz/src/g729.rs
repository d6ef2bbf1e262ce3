//! G.729: payloads of any length and any bits are read whole or refused whole, and what we send is what we can read.

use mediacore::codec::{Codec, Decoder, Encoder, MAX_PACKET_MS, MAX_PAYLOAD};

use crate::script::Script;

/// Bytes of a frame of voice, which is 10 ms (RFC 3551 §4.5.6).
const VOICE: usize = 10;
/// Bytes of the description of silence that may end a packet.
const SILENCE: usize = 2;

/// Play a script of payloads, gaps and frames of our own.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let rate_hz = script.choice([8000, 16_000]);
    let mut encoder = Encoder::new(Codec::G729, rate_hz, script.choice([10, 20, 30, 60]), 0).expect("whole frames");
    let mut ours = Decoder::new(Codec::G729, rate_hz).expect("both rates");
    let mut theirs = Decoder::new(Codec::G729, rate_hz).expect("both rates");
    let mut line = Vec::new();
    while !script.is_over() {
        match script.byte() % 4 {
            0 => hear(&mut ours, script.bytes(), rate_hz, &mut line),
            1 => hear(&mut ours, &whole_frames(&mut script), rate_hz, &mut line),
            2 => {
                let (before, count) = (line.len(), usize::from(script.u16()) % ours.most());
                ours.conceal(count, &mut line);
                assert_eq!(line.len() - before, count);
            }
            _ => send(&mut encoder, &mut theirs, rate_hz, &mut line),
        }
    }
}

/// A payload of the right length: up to fifteen frames of voice, perhaps a description of silence.
fn whole_frames(script: &mut Script) -> Vec<u8> {
    let shape = script.byte();
    let len = usize::from(shape & 15) * VOICE + if shape & 16 > 0 { SILENCE } else { 0 };
    let seed = script.bytes();
    seed.iter().cycle().take(len).copied().collect()
}

/// What is made of whole frames has their length; the rest is refused and leaves nothing.
fn hear(decoder: &mut Decoder, payload: &[u8], rate_hz: u32, line: &mut Vec<i16>) {
    let before = line.len();
    let decoded = decoder.decode(payload, line);
    let frames = payload.len() / VOICE + usize::from(payload.len() % VOICE == SILENCE);
    let is_whole = matches!(payload.len() % VOICE, 0 | SILENCE) && (1..=MAX_PACKET_MS / 10).contains(&frames);
    let expected = if is_whole { frames * rate_hz as usize / 100 } else { 0 };
    assert_eq!((line.len() - before, decoded.unwrap_or(0)), (expected, expected), "{} bytes", payload.len());
    assert_eq!(decoder.is_last_before_silence(payload), payload.len() % VOICE == SILENCE);
}

/// Encode the whole frames of the line: the other side hears as many samples.
fn send(encoder: &mut Encoder, decoder: &mut Decoder, rate_hz: u32, line: &mut Vec<i16>) {
    let mut payload = [0; MAX_PAYLOAD];
    let mut heard = Vec::new();
    while line.len() >= encoder.frame() {
        let len = encoder.encode(&line[..encoder.frame()], &mut payload).expect("a whole frame");
        hear(decoder, &payload[..len], rate_hz, &mut heard);
        assert_eq!(heard.len(), encoder.frame());
        heard.clear();
        line.drain(..encoder.frame());
    }
}

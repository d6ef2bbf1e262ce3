//! Payloads of one codec become samples, and so do those that never came.

use super::fade::Fade;
use super::{Codec, CodecError, g711};
use crate::opus_ffi;

/// Longest audio of one packet, in ms: G.711's is bounded here, Opus ends at 120 ms (RFC 6716 §2.1.4).
pub const MAX_PACKET_MS: usize = 200;
/// Opus conceals in steps of 2.5 ms: this many in a second.
const OPUS_QUANTA_PER_S: usize = 400;

/// The payload is no frame of this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

enum Kind {
    Opus(opus_ffi::Decoder),
    G711 { table: &'static [i16; 256], fade: Box<Fade> },
}

/// A decoder to mono samples at an inner rate (design.md D6), one packet after the other.
pub struct Decoder {
    kind: Kind,
    rate_hz: u32,
}

impl Decoder {
    /// A decoder of `codec` that gives samples at `rate_hz`: 8000, or 16000 where the codec can.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for another rate; [`CodecError::Opus`] without memory.
    pub fn new(codec: Codec, rate_hz: u32) -> Result<Decoder, CodecError> {
        codec.check_rate(rate_hz)?;
        let kind = match codec {
            Codec::Opus => Kind::Opus(opus_ffi::Decoder::new(rate_hz.cast_signed()).map_err(CodecError::Opus)?),
            Codec::Pcmu => Kind::G711 { table: &g711::ULAW, fade: Box::new(Fade::new()) },
            Codec::Pcma => Kind::G711 { table: &g711::ALAW, fade: Box::new(Fade::new()) },
        };
        Ok(Decoder { kind, rate_hz })
    }

    /// Append the samples of `payload`; how many they are.
    ///
    /// # Errors
    /// It is no payload of this codec; nothing is appended.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<usize, Undecodable> {
        let most = self.most();
        if payload.is_empty() || payload.len() > MAX_PACKET_MS * 8 {
            return Err(Undecodable);
        }
        let start = samples.len();
        match &mut self.kind {
            Kind::Opus(decoder) => {
                samples.resize(start + most, 0);
                let count = decoder.decode(payload, &mut samples[start..]);
                samples.truncate(start + count.unwrap_or(0));
                count.map_err(|_| Undecodable)
            }
            Kind::G711 { table, fade } => {
                samples.extend(payload.iter().map(|&code| table[usize::from(code)]));
                fade.heard(&samples[start..]);
                Ok(payload.len())
            }
        }
    }

    /// Append exactly `count` samples in the place of lost ones.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        let start = samples.len();
        samples.resize(start + count, 0);
        match &mut self.kind {
            Kind::Opus(decoder) => {
                let whole = count - count % (self.rate_hz as usize / OPUS_QUANTA_PER_S);
                // Silence stays in the place when libopus cannot: the clock must not slip.
                if whole > 0 && decoder.conceal(&mut samples[start..start + whole]).is_err() {
                    samples[start..].fill(0);
                }
            }
            Kind::G711 { fade, .. } => fade.fill(&mut samples[start..]),
        }
    }

    /// Append the last `count` samples before the packet `next`, from the copy that it carries (RFC 6716 §2.1.7); false,
    /// and nothing is appended, for a codec without such copies. Then [`Decoder::decode`] `next`.
    ///
    /// A packet of Opus that happens to carry none gives what [`Decoder::conceal`] would.
    pub fn recover(&mut self, next: &[u8], count: usize, samples: &mut Vec<i16>) -> bool {
        let Kind::Opus(decoder) = &mut self.kind else {
            return false;
        };
        let quantum = self.rate_hz as usize / OPUS_QUANTA_PER_S;
        if next.is_empty() || count == 0 || count > MAX_PACKET_MS * 8 || !count.is_multiple_of(quantum) {
            return false;
        }
        let start = samples.len();
        samples.resize(start + count, 0);
        let recovered = decoder.recover(next, &mut samples[start..]).is_ok();
        if !recovered {
            samples.truncate(start);
        }
        recovered
    }

    /// Most samples that one packet gives.
    #[must_use]
    pub fn most(&self) -> usize {
        MAX_PACKET_MS * self.rate_hz as usize / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;
    use crate::codec::encoder::MAX_PAYLOAD;

    fn decoder(codec: Codec) -> Decoder {
        Decoder::new(codec, 8000).expect("a legal rate")
    }

    /// Opus of a steady tone, with in-band FEC.
    fn tone(frames: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(Codec::Opus, 8000, 20, 5).expect("legal");
        encoder.set_expected_loss(20);
        let mut payload = [0; MAX_PAYLOAD];
        let packet = |index: usize| {
            let sample = |n: usize| (f64::from(u32::try_from(n).expect("short")) * 0.3).sin() * 8000.0;
            #[expect(clippy::cast_possible_truncation, reason = "at most 8000")]
            let frame: Vec<i16> = (index * 160..(index + 1) * 160).map(|n| sample(n) as i16).collect();
            let len = encoder.encode(&frame, &mut payload).expect("a legal frame");
            payload[..len].to_vec()
        };
        (0..frames).map(packet).collect()
    }

    #[test]
    fn a_rate_that_the_codec_cannot_give_is_refused() {
        assert_eq!(Decoder::new(Codec::Pcmu, 48_000).err(), Some(CodecError::Rate(48_000)));
        assert!(Decoder::new(Codec::Opus, 16_000).is_ok());
    }

    #[test]
    fn garbage_appends_nothing() {
        for codec in [Codec::Opus, Codec::Pcmu] {
            let mut samples = vec![1, 2];
            assert_eq!(decoder(codec).decode(&[], &mut samples), Err(Undecodable));
            assert_eq!(decoder(codec).decode(&[0xff; 1601], &mut samples), Err(Undecodable));
            assert_eq!(samples, [1, 2]);
        }
    }

    #[test]
    fn concealment_is_as_long_as_was_asked() {
        for codec in [Codec::Opus, Codec::Pcma] {
            for count in [0, 7, 20, 160, 333] {
                let mut samples = vec![9];
                decoder(codec).conceal(count, &mut samples);
                assert_eq!(samples.len(), 1 + count);
            }
        }
    }

    /// What FEC gives back is the lost tone; concealment after silence could not know it.
    #[test]
    fn a_lost_packet_is_recovered_from_the_next_one() {
        let packets = tone(12);
        let mut decoder = decoder(Codec::Opus);
        let mut samples = Vec::new();
        for packet in &packets[..10] {
            decoder.decode(packet, &mut samples).expect("Opus");
        }
        samples.clear();
        assert!(decoder.recover(&packets[11], 160, &mut samples));
        assert_eq!(samples.len(), 160);
        assert!(samples.iter().any(|sample| *sample > 4000));
    }

    #[test]
    fn what_cannot_be_recovered_appends_nothing() {
        let mut samples = Vec::new();
        assert!(!decoder(Codec::Pcmu).recover(&[0; 160], 160, &mut samples));
        assert!(!decoder(Codec::Opus).recover(&[], 160, &mut samples));
        assert!(!decoder(Codec::Opus).recover(&[0xff, 0xff], 160, &mut samples));
        assert!(!decoder(Codec::Opus).recover(&[0x08; 30], 7, &mut samples));
        assert!(samples.is_empty());
    }
}

//! Payloads of one codec become samples, and so do those that never came.

use super::comfort_noise::{Background, Filler};
#[cfg(feature = "g729")]
use super::g729;
use super::plc::Plc;
use super::resample::Change;
use super::{Codec, CodecError, check_rate, g711, g722};
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
    G711 {
        table: &'static [i16; 256],
        plc: Box<Plc>,
    },
    G722(Box<g722::Receiver>),
    #[cfg(feature = "g729")]
    G729(g729::Receiver),
}

/// A decoder to mono samples at an inner rate (design.md D6), one packet after the other.
pub struct Decoder {
    kind: Kind,
    rate_hz: u32,
    /// From the codec's own rate to the inner one, and where its samples wait for that.
    change: Change,
    own: Vec<i16>,
    /// Makes the silence that the source has told of (RFC 3389).
    silence: Option<Box<Filler>>,
}

impl Decoder {
    /// A decoder of `codec` that gives samples at `rate_hz`: 8000 or 16000.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for another rate; [`CodecError::Opus`] without memory; [`CodecError::NotBuiltIn`].
    pub fn new(codec: Codec, rate_hz: u32) -> Result<Decoder, CodecError> {
        check_rate(rate_hz)?;
        let (kind, own_hz) = Kind::new(codec, rate_hz)?;
        let change = Change::new(own_hz, rate_hz);
        Ok(Decoder { kind, rate_hz, change, own: Vec::new(), silence: None })
    }

    /// Append the samples of `payload`; how many they are.
    ///
    /// # Errors
    /// It is no payload of this codec; nothing is appended.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<usize, Undecodable> {
        if payload.is_empty() || payload.len() > MAX_PACKET_MS * 8 {
            return Err(Undecodable);
        }
        let start = samples.len();
        if let Change::None = self.change {
            self.kind.decode(payload, samples)?;
        } else {
            self.own.clear();
            self.kind.decode(payload, &mut self.own)?;
            self.change.run(&self.own, samples);
        }
        Ok(samples.len() - start)
    }

    /// Append exactly `count` samples in the place of lost ones.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        let start = samples.len();
        if let Change::None = self.change {
            samples.resize(start + count, 0);
            self.kind.conceal(&mut samples[start..], self.rate_hz);
        } else {
            self.own.clear();
            self.own.resize(self.change.needed(count), 0);
            self.kind.conceal(&mut self.own, self.rate_hz);
            self.change.run(&self.own, samples);
            samples.truncate(start + count);
        }
    }

    /// Forget what came before of Opus, whose next packet can be understood without; other codecs go on as they are.
    pub fn reset(&mut self) {
        if let Kind::Opus(decoder) = &mut self.kind {
            decoder.reset();
        }
    }

    /// The source says what its silence sounds like, in a payload of RFC 3389; one that says nothing is ignored.
    pub fn describe_silence(&mut self, payload: &[u8]) {
        let Some(background) = Background::parse(payload) else {
            return;
        };
        match &mut self.silence {
            Some(filler) => filler.update(background),
            None => self.silence = Some(Box::new(Filler::new(background, self.rate_hz))),
        }
    }

    /// Append exactly `count` samples of the source's silence: as it was described, or as the codec itself continues.
    pub fn comfort(&mut self, count: usize, samples: &mut Vec<i16>) {
        match &mut self.silence {
            Some(filler) => filler.fill(count, samples),
            None => self.conceal(count, samples),
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

    /// Whether the source sends little or nothing after this packet, because it is silent: a frame of Opus that holds no
    /// audio (RFC 6716 §2.1.9), or one of G.729 that describes the silence (RFC 3551 §4.5.6).
    #[must_use]
    pub fn is_last_before_silence(&self, payload: &[u8]) -> bool {
        match &self.kind {
            Kind::Opus(_) => payload.len() <= 2,
            #[cfg(feature = "g729")]
            Kind::G729(_) => payload.len() % 10 == 2,
            Kind::G711 { .. } | Kind::G722(_) => false,
        }
    }

    /// Most samples that one packet gives.
    #[must_use]
    pub fn most(&self) -> usize {
        MAX_PACKET_MS * self.rate_hz as usize / 1000
    }
}

impl Kind {
    /// The decoder, and the rate of its samples.
    fn new(codec: Codec, rate_hz: u32) -> Result<(Kind, u32), CodecError> {
        let g711 = |table| Kind::G711 { table, plc: Box::new(Plc::new(8000)) };
        Ok(match codec {
            // libopus resamples by itself.
            Codec::Opus => {
                (Kind::Opus(opus_ffi::Decoder::new(rate_hz.cast_signed()).map_err(CodecError::Opus)?), rate_hz)
            }
            Codec::G722 => (Kind::G722(Box::default()), g722::RATE_HZ),
            Codec::Pcmu => (g711(&g711::ULAW), 8000),
            Codec::Pcma => (g711(&g711::ALAW), 8000),
            #[cfg(feature = "g729")]
            Codec::G729 => (Kind::G729(g729::Receiver::new().ok_or(CodecError::G729)?), 8000),
            #[cfg(not(feature = "g729"))]
            Codec::G729 => return Err(CodecError::NotBuiltIn),
            Codec::Foreign(_) => return Err(CodecError::NotBuiltIn),
        })
    }

    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Undecodable> {
        let start = samples.len();
        match self {
            Kind::Opus(decoder) => {
                let expected = decoder.samples_of(payload).map_err(|_| Undecodable)?;
                samples.resize(start + expected, 0);
                let count = decoder.decode(payload, &mut samples[start..]);
                samples.truncate(start + count.unwrap_or(0));
                count.map_err(|_| Undecodable)?;
            }
            Kind::G711 { table, plc } => {
                samples.extend(payload.iter().map(|&code| table[usize::from(code)]));
                plc.heard(&mut samples[start..]);
            }
            Kind::G722(receiver) => {
                samples.resize(start + 2 * payload.len(), 0);
                receiver.decode(payload, &mut samples[start..]);
            }
            #[cfg(feature = "g729")]
            Kind::G729(receiver) => {
                if !receiver.decode(payload, MAX_PACKET_MS * 8, samples) {
                    return Err(Undecodable);
                }
            }
        }
        Ok(())
    }

    fn conceal(&mut self, samples: &mut [i16], rate_hz: u32) {
        match self {
            Kind::Opus(decoder) => {
                let whole = samples.len() - samples.len() % (rate_hz as usize / OPUS_QUANTA_PER_S);
                // Silence stays in the place when libopus cannot: the clock must not slip.
                if whole > 0 && decoder.conceal(&mut samples[..whole]).is_err() {
                    samples.fill(0);
                }
            }
            Kind::G711 { plc, .. } => plc.fill(samples),
            Kind::G722(receiver) => receiver.conceal(samples),
            #[cfg(feature = "g729")]
            Kind::G729(receiver) => receiver.conceal(samples),
        }
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
    fn every_codec_gives_both_rates() {
        for (codec, len) in [(Codec::Pcmu, 160), (Codec::Pcma, 160), (Codec::G722, 160)] {
            for rate_hz in [8000, 16_000] {
                let mut samples = Vec::new();
                let mut decoder = Decoder::new(codec, rate_hz).expect("a legal rate");
                assert_eq!(decoder.decode(&vec![0x55; len], &mut samples), Ok(rate_hz as usize / 50));
                decoder.conceal(33, &mut samples);
                assert_eq!(samples.len(), rate_hz as usize / 50 + 33);
            }
        }
    }

    #[test]
    fn garbage_appends_nothing() {
        for codec in [Codec::Opus, Codec::Pcmu, Codec::G722] {
            let mut samples = vec![1, 2];
            assert_eq!(decoder(codec).decode(&[], &mut samples), Err(Undecodable));
            assert_eq!(decoder(codec).decode(&[0xff; 1601], &mut samples), Err(Undecodable));
            assert_eq!(samples, [1, 2]);
        }
    }

    #[test]
    fn concealment_is_as_long_as_was_asked() {
        for codec in [Codec::Opus, Codec::Pcma, Codec::G722] {
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

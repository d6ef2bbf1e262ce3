//! G.729 at 8 kbit/s through bcg729: packets of whole 10 ms frames, the last of which may describe silence (RFC 3551
//! §4.5.6). Behind the feature `g729`.

use super::g729_ffi::{Decoder, Encoder, FRAME, SILENCE, VOICE};
use super::telephone_band::TelephoneBand;

/// Encodes whole packets.
pub(super) struct Sender {
    band: TelephoneBand,
    encoder: Encoder,
}

impl Sender {
    /// `None` without memory.
    pub(super) fn new() -> Option<Self> {
        Encoder::new().map(|encoder| Self { band: TelephoneBand::new(), encoder })
    }

    /// Encode whole frames into `payload`, 10 bytes for each 80 samples; how many bytes that makes.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let (frames, _) = samples.as_chunks::<FRAME>();
        let (places, _) = payload.as_chunks_mut::<VOICE>();
        let pairs = frames.iter().zip(places);
        pairs.map(|(frame, place)| self.encoder.encode(&self.band.limit(frame), place)).count() * VOICE
    }
}

/// Decodes whole packets, and speaks on where they are missing.
pub(super) struct Receiver(Decoder);

impl Receiver {
    /// `None` without memory.
    pub(super) fn new() -> Option<Self> {
        Decoder::new().map(Self)
    }

    /// Append the samples of a payload, at most `most`; false, and nothing, when it does not consist of so many frames.
    pub(super) fn decode(&mut self, payload: &[u8], most: usize, samples: &mut Vec<i16>) -> bool {
        let (voice, rest) = payload.as_chunks::<VOICE>();
        let silence = <[u8; SILENCE]>::try_from(rest).ok();
        let frames = voice.len() + usize::from(silence.is_some());
        if (silence.is_none() && !rest.is_empty()) || frames * FRAME > most {
            return false;
        }
        let mut frame = [0; FRAME];
        for bits in voice {
            self.0.voice(bits, &mut frame);
            samples.extend_from_slice(&frame);
        }
        if let Some(bits) = silence {
            self.0.silence(bits, &mut frame);
            samples.extend_from_slice(&frame);
        }
        true
    }

    /// Fill `samples` in the place of lost ones.
    pub(super) fn conceal(&mut self, samples: &mut [i16]) {
        let mut frame = [0; FRAME];
        for part in samples.chunks_mut(FRAME) {
            self.0.erased(&mut frame);
            part.copy_from_slice(&frame[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testvoice::{energy, voice};

    #[test]
    fn a_voice_goes_round_with_its_loudness() {
        let spoken = voice(1.5, 64, 8000);
        let (mut payload, mut heard) = ([0; 20], Vec::new());
        let (mut sender, mut receiver) = (Sender::new().expect("memory"), Receiver::new().expect("memory"));
        for frame in spoken.chunks(160) {
            assert_eq!(sender.encode(frame, &mut payload), 20);
            assert!(receiver.decode(&payload, 160, &mut heard));
        }
        assert_eq!(heard.len(), spoken.len());
        let ratio = energy(&heard[4000..]) / energy(&spoken[4000..]);
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
        let mut missing = [0; 100];
        receiver.conceal(&mut missing);
        assert!(energy(&missing) > 0.1 * energy(&heard[7900..]));
    }

    #[test]
    fn a_description_of_silence_is_a_frame_of_noise_and_goes_on() {
        let mut receiver = Receiver::new().expect("memory");
        let mut heard = Vec::new();
        assert!(receiver.decode(
            &[0x28, 0x5c, 0x13, 0x9d, 0x3a, 0x21, 0x44, 0x81, 0x0f, 0x73, 0x55, 0xe0],
            160,
            &mut heard
        ));
        assert_eq!(heard.len(), 2 * FRAME);
        receiver.conceal(&mut [0; 400]);
        assert!(receiver.decode(&[0x55, 0xe0], 160, &mut heard));
        assert_eq!(heard.len(), 3 * FRAME);
    }

    #[test]
    fn what_is_no_frame_or_too_many_appends_nothing() {
        let mut receiver = Receiver::new().expect("memory");
        let mut heard = Vec::new();
        for len in [1, 3, 9, 11, 13, 19] {
            assert!(!receiver.decode(&vec![0xa5; len], 1600, &mut heard), "{len}");
        }
        assert!(!receiver.decode(&[0xa5; 202], 1600, &mut heard), "more than 200 ms");
        assert!(heard.is_empty());
    }

    #[test]
    fn any_bits_are_decoded() {
        let mut seed = 1_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        let mut receiver = Receiver::new().expect("memory");
        for round in 0..500 {
            let payload: Vec<u8> = (0..[10, 20, 22, 2][round % 4]).map(|_| random()).collect();
            assert!(receiver.decode(&payload, 1600, &mut Vec::new()));
            if round % 7 == 0 {
                receiver.conceal(&mut [0; 160]);
            }
        }
    }
}

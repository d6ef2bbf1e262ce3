//! A frame in, a frame out: what the media core's codecs cost alone, without jitter buffer and concealment.

use mediacore::codec::{Codec, CodecError, Decoder, Encoder, MAX_PAYLOAD};

const RATE_HZ: u32 = 8000;
const PTIME_MS: u32 = 20;

/// A decoder and an encoder in a row, for packets of 20 ms.
pub struct Transcoder {
    decoder: Decoder,
    encoder: Encoder,
    samples: Vec<i16>,
}

impl Transcoder {
    /// From one codec to another, at 8 kHz inside; `complexity` is Opus's.
    ///
    /// # Errors
    /// libopus refuses.
    pub fn new(from: Codec, to: Codec, complexity: i32) -> Result<Self, CodecError> {
        let encoder = Encoder::new(to, RATE_HZ, PTIME_MS, complexity)?;
        Ok(Self { decoder: Decoder::new(from, RATE_HZ)?, encoder, samples: Vec::new() })
    }

    /// One payload in; `emit(payload, duration in RTP ticks)` for each whole frame out. What cannot be decoded is skipped.
    pub fn push(&mut self, payload: &[u8], emit: &mut dyn FnMut(&[u8], u32)) {
        if self.decoder.decode(payload, &mut self.samples).is_err() {
            return;
        }
        let frame = self.encoder.frame();
        let mut out = [0; MAX_PAYLOAD];
        while self.samples.len() >= frame {
            if let Ok(len) = self.encoder.encode(&self.samples[..frame], &mut out) {
                emit(&out[..len], self.encoder.frame_ticks());
            }
            self.samples.drain(..frame);
        }
    }
}

//! G.722 at 64 kbit/s: wideband voice as two sub-bands, each in ADPCM (ITU-T G.722 (09/2012), mode 1).
//!
//! One byte is two samples at 16 kHz, while its RTP clock counts 8000 by the well-known mistake of RFC 1890 (RFC 3551
//! §4.5.2): one tick is one byte. The names of variables and blocks are those of the Recommendation.

mod band;
mod qmf;
mod receiver;

use band::{Band, High, Low};
pub use qmf::Analysis;
use qmf::Synthesis;
pub use receiver::Receiver;

/// Samples per second at either end, in Hz.
pub const RATE_HZ: u32 = 16_000;
/// Samples by which an encoder and a decoder delay together, in their filters.
pub const DELAY: usize = 22;

/// Samples at 16 kHz to bytes.
#[derive(Clone)]
pub struct Encoder {
    filter: Analysis,
    low: Band<Low>,
    high: Band<High>,
}

/// Bytes to samples at 16 kHz.
#[derive(Clone)]
pub struct Decoder {
    filter: Synthesis,
    low: Band<Low>,
    high: Band<High>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder at rest.
    #[must_use]
    pub fn new() -> Self {
        Self { filter: Analysis::new(), low: Band::new(), high: Band::new() }
    }

    /// Encode pairs of samples into `codes`, which holds half as many; what has no partner or no room is left out.
    pub fn encode(&mut self, samples: &[i16], codes: &mut [u8]) {
        for (code, pair) in codes.iter_mut().zip(samples.chunks_exact(2)) {
            let (low, high) = self.filter.split(pair[0], pair[1]);
            *code = self.high.encode(high) << 6 | self.low.encode(low);
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at rest.
    #[must_use]
    pub fn new() -> Self {
        Self { filter: Synthesis::new(), low: Band::new(), high: Band::new() }
    }

    /// Decode each byte into two of `samples`.
    pub fn decode(&mut self, codes: &[u8], samples: &mut [i16]) {
        for (pair, &code) in samples.chunks_exact_mut(2).zip(codes) {
            let low = self.low.decode(code & 0x3f);
            let high = self.high.decode(code >> 6);
            (pair[0], pair[1]) = self.filter.join(low, high);
        }
    }

    /// Learn what was played in the place of lost bytes, as if it had been received, so that the next byte finds the
    /// predictors and step sizes near those of its encoder (the idea of G.722 appendix III).
    ///
    /// `samples` begin [`DELAY`] after what was decoded last, and before them `filter` has seen their past.
    pub fn follow(&mut self, filter: &mut Analysis, samples: &[i16]) {
        for pair in samples.chunks_exact(2) {
            let (low, high) = filter.split(pair[0], pair[1]);
            let (low, high) = (self.low.follow(low), self.high.follow(high));
            self.filter.join(low, high);
        }
    }
}

#[cfg(test)]
mod tests;

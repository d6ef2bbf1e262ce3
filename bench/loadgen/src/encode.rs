//! Frames of a codec that Python cannot encode.

use std::io;

use mediacore::codec::{Codec, Encoder, MAX_PAYLOAD};

const RATE_HZ: u32 = 8000;
const PTIME_MS: u32 = 20;
const COMPLEXITY: i32 = 10;

/// `encode CODEC SAMPLES FRAMES`: a file of 16-bit samples at 8 kHz, in the machine's byte order, becomes one of
/// frames, each after its length in two bytes.
pub fn run(codec: &str, samples: &str, frames: &str) -> io::Result<()> {
    let codec = Codec::from_name(codec).ok_or_else(|| io::Error::other(format!("there is no codec {codec}")))?;
    let mut encoder = Encoder::new(codec, RATE_HZ, PTIME_MS, COMPLEXITY).map_err(io::Error::other)?;
    let bytes = std::fs::read(samples)?;
    let samples: Vec<i16> = bytes.as_chunks().0.iter().map(|pair| i16::from_ne_bytes(*pair)).collect();
    let mut out = Vec::new();
    for frame in samples.chunks_exact(encoder.frame()) {
        let mut payload = [0; MAX_PAYLOAD];
        let len = encoder.encode(frame, &mut payload).map_err(io::Error::other)?;
        out.extend_from_slice(&u16::try_from(len).map_err(io::Error::other)?.to_be_bytes());
        out.extend_from_slice(&payload[..len]);
    }
    std::fs::write(frames, out)
}

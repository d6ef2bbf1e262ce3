//! A sound that legs can play: its samples, and its packets for every kind of listener, made once and shared by all.
//!
//! Encoding takes its time (Opus: milliseconds for each second of sound), so it never happens on a media thread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::codec::{Codec, CodecError, Encoder, MAX_PAYLOAD};
use crate::command::Format;
use crate::error::Error;
use crate::mailbox::lock;

/// Longest sound: 10 minutes.
const MAX_MS: usize = 600_000;
/// The narrow rate; the wide one is twice that.
const NARROW_HZ: u32 = 8000;
const NARROW_PER_MS: usize = 8;
/// Effort of the Opus encoder: a sound is encoded once, so it may have the best.
const COMPLEXITY: i32 = 10;

/// How a listener wants a sound cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// The codec.
    pub codec: Codec,
    /// Length of a packet, if the codec has frames of that length.
    pub ptime_ms: u32,
}

impl From<Format> for Cut {
    fn from(format: Format) -> Cut {
        Cut { codec: format.codec, ptime_ms: format.ptime_ms }
    }
}

/// The payloads of one sound for one [`Cut`], in order and end to end.
#[derive(Debug)]
pub struct Frames {
    cut: Cut,
    frame_ms: u32,
    bytes: Vec<u8>,
    /// Where each payload ends.
    ends: Vec<usize>,
}

impl Frames {
    /// What they are made for.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// Length of each, in ms; shorter than ptime where the codec has no such frame.
    #[must_use]
    pub fn frame_ms(&self) -> u32 {
        self.frame_ms
    }

    /// Length of each, in ticks of the codec's RTP clock.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.frame_ms * (self.cut.codec.clock_rate_hz() / 1000)
    }

    /// How many there are; never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// One payload.
    #[must_use]
    pub fn payload(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }
}

/// A sound: 16-bit mono samples at two rates, so that narrow and wide codecs each find their own (design.md D6).
pub struct Sound {
    narrow: Vec<i16>,
    wide: Vec<i16>,
    made: Mutex<HashMap<Cut, Arc<Frames>>>,
    /// Held while packets are made, so that nobody makes the same ones meanwhile.
    making: Mutex<()>,
}

impl Sound {
    /// The same sound at 8 and at 16 kHz.
    ///
    /// # Errors
    /// It is empty or too long, or the two do not last equally long.
    pub fn new(narrow: Vec<i16>, wide: Vec<i16>) -> Result<Sound, Error> {
        let (least, most) = (NARROW_PER_MS, MAX_MS * NARROW_PER_MS);
        if !(least..=most).contains(&narrow.len()) {
            let count = narrow.len();
            return Err(Error::Argument(format!("a sound of {count} samples at 8 kHz: expected {least} to {most}")));
        }
        if wide.len().abs_diff(2 * narrow.len()) > 2 * NARROW_PER_MS {
            let lengths = (narrow.len(), wide.len());
            return Err(Error::Argument(format!("samples at 8 and 16 kHz that last differently long: {lengths:?}")));
        }
        Ok(Sound { narrow, wide, made: Mutex::default(), making: Mutex::default() })
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        (self.narrow.len() / NARROW_PER_MS) as u64
    }

    /// Its packets, if they are made already.
    #[must_use]
    pub fn ready(&self, cut: Cut) -> Option<Arc<Frames>> {
        lock(&self.made).get(&cut).cloned()
    }

    /// Its packets; makes them if need be, which takes its time.
    ///
    /// # Errors
    /// The codec has no encoder, or refuses.
    pub fn frames(&self, cut: Cut) -> Result<Arc<Frames>, CodecError> {
        let _making = lock(&self.making);
        if let Some(frames) = self.ready(cut) {
            return Ok(frames);
        }
        let frames = Arc::new(self.encode(cut)?);
        lock(&self.made).insert(cut, frames.clone());
        Ok(frames)
    }

    fn encode(&self, cut: Cut) -> Result<Frames, CodecError> {
        let rate_hz = cut.codec.voice_rate_hz();
        let samples = if rate_hz > NARROW_HZ { &self.wide } else { &self.narrow };
        let mut encoder = Encoder::new(cut.codec, rate_hz, cut.ptime_ms, COMPLEXITY)?;
        let mut frames = Frames { cut, frame_ms: encoder.frame_ms(), bytes: Vec::new(), ends: Vec::new() };
        let mut payload = [0; MAX_PAYLOAD];
        let mut frame = vec![0; encoder.frame()];
        for piece in samples.chunks(frame.len()) {
            frame[..piece.len()].copy_from_slice(piece);
            frame[piece.len()..].fill(0);
            let len = encoder.encode(&frame, &mut payload)?;
            frames.bytes.extend_from_slice(&payload[..len]);
            frames.ends.push(frames.bytes.len());
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;

    fn cut(codec: Codec, ptime_ms: u32) -> Cut {
        Cut { codec, ptime_ms }
    }

    /// A tone of 1000 Hz.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
    fn tone(count: usize, rate_hz: f32) -> Vec<i16> {
        (0..count).map(|n| ((n as f32 * 1000.0 * std::f32::consts::TAU / rate_hz).sin() * 8000.0) as i16).collect()
    }

    fn second() -> Sound {
        Sound::new(tone(8000, 8000.0), tone(16_000, 16_000.0)).unwrap()
    }

    #[test]
    fn packets_are_made_once_for_each_kind_of_listener() {
        let sound = second();
        assert!(sound.ready(cut(Codec::Pcmu, 20)).is_none());
        let first = sound.frames(cut(Codec::Pcmu, 20)).unwrap();
        assert!(Arc::ptr_eq(&first, &sound.frames(cut(Codec::Pcmu, 20)).unwrap()));
        assert!(Arc::ptr_eq(&first, &sound.ready(cut(Codec::Pcmu, 20)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &sound.frames(cut(Codec::Pcmu, 30)).unwrap()));
        assert_eq!(sound.duration_ms(), 1000);
    }

    #[test]
    fn every_sample_is_there_and_the_last_packet_is_filled_up_with_silence() {
        let frames = second().frames(cut(Codec::Pcma, 30)).unwrap();
        assert_eq!((frames.len(), frames.ticks()), (34, 240));
        assert!((0..34).all(|n| frames.payload(n).is_some_and(|payload| payload.len() == 240)));
        assert_eq!(frames.payload(33).unwrap()[80..], [0xd5; 160]);
        assert_eq!(frames.payload(34), None);
    }

    #[test]
    fn opus_packets_hold_the_tone() {
        for ptime_ms in [10, 20, 30, 40, 60] {
            let frames = second().frames(cut(Codec::Opus, ptime_ms)).unwrap();
            let mut decoder = Decoder::new(Codec::Opus, 8000).unwrap();
            let mut samples = Vec::new();
            for n in 0..frames.len() {
                decoder.decode(frames.payload(n).unwrap(), &mut samples).unwrap();
            }
            let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 1000).count();
            assert!(loud > 5000, "{ptime_ms} ms: {loud} loud samples of 8000");
            assert_eq!(frames.ticks(), 48 * frames.frame_ms());
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (narrow, wide) in [(0, 0), (7, 14), (8000, 8000), (8 * 600_001, 16 * 600_001)] {
            assert!(Sound::new(vec![0; narrow], vec![0; wide]).is_err(), "{narrow} {wide}");
        }
        assert!(second().frames(cut(Codec::Pcmu, 4)).is_err());
    }
}

//! The tones of keys on their way to one peer: made, encoded in its codec, and due one packet after the other.

use std::time::Duration;

use crate::codec::{CodecError, Encoder, MAX_PAYLOAD};
use crate::command::Format;
use crate::dtmf::Tones;

/// Sampling rate of the tones, in Hz: the highest is at 1633 Hz.
const RATE_HZ: u32 = 8000;
/// Packets this late let the rest of their delay go, as those of a `player::Player`.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Takes a payload, its length in ticks, and whether time passed before it that no packet filled.
pub type Send<'s> = &'s mut dyn FnMut(&[u8], u32, bool);

/// Keys being sent as tones.
pub struct KeyTones {
    format: Format,
    encoder: Encoder,
    tones: Tones,
    samples: Vec<i16>,
    due: Duration,
}

impl KeyTones {
    /// Begin at `start`, for a peer that speaks `format`.
    ///
    /// # Errors
    /// There is no encoder for it.
    pub fn new(format: Format, opus_complexity: i32, start: Duration) -> Result<KeyTones, CodecError> {
        let encoder = Encoder::new(format.codec, RATE_HZ, format.ptime_ms, opus_complexity)?;
        let samples = vec![0; encoder.frame()];
        Ok(KeyTones { format, encoder, tones: Tones::default(), samples, due: start })
    }

    /// Whether the packets are made for this format.
    #[must_use]
    pub fn fits(&self, format: &Format) -> bool {
        (self.format.codec, self.format.ptime_ms) == (format.codec, format.ptime_ms)
    }

    /// Go on with packets of another format.
    ///
    /// # Errors
    /// There is no encoder for it.
    pub fn refit(self, format: Format, opus_complexity: i32) -> Result<KeyTones, CodecError> {
        Ok(KeyTones { tones: self.tones, ..KeyTones::new(format, opus_complexity, self.due)? })
    }

    /// Queue a key; false when too many wait.
    #[must_use]
    pub fn push(&mut self, event: u8, duration_ms: u32, gap_ms: u32) -> bool {
        self.tones.push(event, duration_ms, gap_ms)
    }

    /// When `take` has something.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Send what is due at `now`; false when all has been heard.
    ///
    /// # Errors
    /// The codec library fails: the rest is not sent.
    pub fn take(&mut self, now: Duration, send: Send) -> Result<bool, CodecError> {
        while let Some(late) = now.checked_sub(self.due) {
            if !self.tones.fill(&mut self.samples) {
                return Ok(false);
            }
            let resumes = late > MAX_LAG;
            if resumes {
                self.due = now;
            }
            let mut payload = [0; MAX_PAYLOAD];
            let len = self.encoder.encode(&self.samples, &mut payload)?;
            self.due += Duration::from_millis(u64::from(self.encoder.frame_ms()));
            send(&payload[..len], self.encoder.frame_ticks(), resumes);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Decoder};
    use crate::dtmf::ToneDetector;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Everything that is sent, decoded; each packet must be due when the one before has been heard.
    fn decoded(tones: &mut KeyTones, codec: Codec) -> Vec<i16> {
        let mut decoder = Decoder::new(codec, RATE_HZ).unwrap();
        let mut samples = Vec::new();
        loop {
            let heard_at = at(1000 + samples.len() as u64 / 8);
            assert_eq!(tones.due(), heard_at);
            let mut count = 0;
            let more = tones.take(heard_at, &mut |payload, _, resumes| {
                assert!(!resumes);
                decoder.decode(payload, &mut samples).unwrap();
                count += 1;
            });
            if !more.unwrap() {
                return samples;
            }
            assert_eq!(count, 1);
        }
    }

    #[test]
    fn every_key_survives_every_codec_that_we_encode() {
        for (codec, ptime_ms) in [(Codec::Pcmu, 20), (Codec::Pcma, 30), (Codec::G722, 10), (Codec::Opus, 20)] {
            let mut tones = KeyTones::new(Format::of(codec, ptime_ms), 5, at(1000)).unwrap();
            assert!((0..16).all(|event| tones.push(event, 100, 80)));
            let (mut detector, mut heard) = (ToneDetector::default(), Vec::new());
            detector.push(&decoded(&mut tones, codec), &mut |digit| heard.push(digit));
            let expected: Vec<u8> = (0..16).collect();
            assert_eq!(heard.iter().map(|digit| digit.event).collect::<Vec<_>>(), expected, "{codec:?}");
            assert!(heard.iter().all(|digit| digit.duration_ms.abs_diff(100) <= 15), "{codec:?} {heard:?}");
        }
    }

    #[test]
    fn another_format_goes_on_with_what_waits() {
        let mut tones = KeyTones::new(Format::of(Codec::Pcmu, 20), 5, at(1000)).unwrap();
        assert!(tones.push(1, 100, 80) && tones.push(2, 100, 80));
        assert!(tones.take(at(1060), &mut |_, _, _| {}).unwrap());
        assert!(!tones.fits(&Format::of(Codec::Pcma, 20)));
        let mut tones = tones.refit(Format::of(Codec::Pcma, 20), 5).unwrap();
        let mut lengths = Vec::new();
        while tones.take(tones.due(), &mut |payload, ticks, _| lengths.push((payload.len(), ticks))).unwrap() {}
        assert_eq!(lengths, [(160, 160); 14], "of 360 ms, 80 were sent before");
    }

    #[test]
    fn a_long_delay_is_let_go() {
        let mut tones = KeyTones::new(Format::of(Codec::Pcmu, 20), 5, at(1000)).unwrap();
        assert!(tones.push(1, 100, 80));
        let mut sent = Vec::new();
        assert!(tones.take(at(5000), &mut |_, _, resumes| sent.push(resumes)).unwrap());
        assert_eq!((sent, tones.due()), (vec![true], at(5020)));
    }

    #[test]
    fn a_codec_that_we_do_not_speak_is_refused() {
        let foreign = Codec::from_name("AMR-WB/16000").unwrap();
        assert!(KeyTones::new(Format::of(foreign, 20), 5, at(0)).is_err());
    }
}

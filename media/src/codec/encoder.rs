//! Samples become payloads of one codec, a frame at a time.

#[cfg(feature = "g729")]
use super::g729;
use super::opus_voice::OpusVoice;
use super::resample::Change;
use super::{Codec, CodecError, check_rate, g711, g722};

/// Frame lengths that Opus encodes (RFC 6716 §2.1.4), in ms; 2.5 ms is not asked for by any ptime.
const OPUS_FRAMES_MS: [u32; 8] = [120, 100, 80, 60, 40, 20, 10, 5];
/// ptime that can be asked for, in ms.
const PTIMES_MS: std::ops::RangeInclusive<u32> = 5..=120;
/// No payload of ours is longer: 120 ms of G.711, or Opus at far above our bit rate.
pub const MAX_PAYLOAD: usize = 120 * 8;

enum Kind {
    Opus(OpusVoice),
    G711(g711::Encode),
    G722(Box<g722::Encoder>),
    #[cfg(feature = "g729")]
    G729(g729::Sender),
}

/// An encoder of mono samples at an inner rate (design.md D6).
pub struct Encoder {
    kind: Kind,
    frame: usize,
    frame_ms: u32,
    frame_ticks: u32,
    /// From the inner rate to the codec's own, and where the samples wait in it.
    change: Change,
    own: Vec<i16>,
}

impl Encoder {
    /// An encoder to `codec` of samples at `rate_hz` (8000 or 16000), in frames of `ptime_ms`; a ptime
    /// that Opus has no frame for is shortened to the next that it has. `complexity` (0–10) is Opus's effort.
    ///
    /// # Errors
    /// [`CodecError::Ptime`] outside 5..=120 ms; [`CodecError::Rate`] for another rate; [`CodecError::Opus`] for a wrong
    /// complexity or no memory.
    pub fn new(codec: Codec, rate_hz: u32, ptime_ms: u32, complexity: i32) -> Result<Encoder, CodecError> {
        check_rate(rate_hz)?;
        let frame_ms = frame_ms(codec, ptime_ms)?;
        let (kind, own_hz) = Kind::new(codec, rate_hz, complexity)?;
        let own = if own_hz == rate_hz { Vec::new() } else { Vec::with_capacity((frame_ms * own_hz / 1000) as usize) };
        Ok(Encoder {
            kind,
            frame: (frame_ms * rate_hz / 1000) as usize,
            frame_ms,
            frame_ticks: frame_ms * (codec.clock_rate_hz() / 1000),
            change: Change::new(rate_hz, own_hz),
            own,
        })
    }

    /// Samples of a frame.
    #[must_use]
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Duration of a frame in ms.
    #[must_use]
    pub fn frame_ms(&self) -> u32 {
        self.frame_ms
    }

    /// Duration of a frame in ticks of the RTP clock.
    #[must_use]
    pub fn frame_ticks(&self) -> u32 {
        self.frame_ticks
    }

    /// Encode one frame; the payload's length.
    ///
    /// # Errors
    /// [`CodecError::Frame`] when the samples are no whole frame; [`CodecError::Opus`] when libopus fails.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8; MAX_PAYLOAD]) -> Result<usize, CodecError> {
        if samples.len() != self.frame {
            return Err(CodecError::Frame(samples.len()));
        }
        if let Change::None = self.change {
            return self.kind.encode(samples, payload);
        }
        self.own.clear();
        self.change.run(samples, &mut self.own);
        self.kind.encode(&self.own, payload)
    }

    /// Forget what came before of Opus, which would give the last milliseconds of it once more; other codecs go on as they
    /// are.
    pub fn reset(&mut self) {
        if let Kind::Opus(voice) = &mut self.kind {
            voice.reset();
        }
    }

    /// Tell the loss that the receiver sees; above 0 Opus carries copies (in-band FEC, RFC 6716 §2.1.7).
    pub fn set_expected_loss(&mut self, percent: u8) {
        if let Kind::Opus(voice) = &mut self.kind {
            voice.set_expected_loss(percent);
        }
    }

    /// Change Opus's effort, 0–10; takes effect with the next frame.
    pub fn set_complexity(&mut self, complexity: u8) {
        if let Kind::Opus(voice) = &mut self.kind {
            voice.set_complexity(complexity);
        }
    }

    /// Send next to nothing, and compute next to nothing, for silence.
    pub fn save_silence(&mut self) {
        if let Kind::Opus(voice) = &mut self.kind {
            voice.save_silence(self.frame_ms);
        }
    }
}

impl Kind {
    /// The encoder, and the rate of the samples that it takes.
    fn new(codec: Codec, rate_hz: u32, complexity: i32) -> Result<(Kind, u32), CodecError> {
        Ok(match codec {
            // libopus resamples by itself.
            Codec::Opus => (Kind::Opus(OpusVoice::new(rate_hz, complexity).map_err(CodecError::Opus)?), rate_hz),
            Codec::G722 => (Kind::G722(Box::default()), g722::RATE_HZ),
            Codec::Pcmu => (Kind::G711(g711::encode_ulaw_frame), 8000),
            Codec::Pcma => (Kind::G711(g711::encode_alaw_frame), 8000),
            #[cfg(feature = "g729")]
            Codec::G729 => (Kind::G729(g729::Sender::new().ok_or(CodecError::G729)?), 8000),
            #[cfg(not(feature = "g729"))]
            Codec::G729 => return Err(CodecError::NotBuiltIn),
            Codec::Foreign(_) => return Err(CodecError::NotBuiltIn),
        })
    }

    fn encode(&mut self, samples: &[i16], payload: &mut [u8; MAX_PAYLOAD]) -> Result<usize, CodecError> {
        match self {
            Kind::Opus(encoder) => encoder.encode(samples, payload).map_err(CodecError::Opus),
            Kind::G711(encode) => {
                encode(samples, payload);
                Ok(samples.len())
            }
            Kind::G722(encoder) => {
                encoder.encode(samples, payload);
                Ok(samples.len() / 2)
            }
            #[cfg(feature = "g729")]
            Kind::G729(sender) => Ok(sender.encode(samples, payload)),
        }
    }
}

/// How long the frames of `to` last that come closest to `ptime_ms`.
fn frame_ms(to: Codec, ptime_ms: u32) -> Result<u32, CodecError> {
    if !PTIMES_MS.contains(&ptime_ms) {
        return Err(CodecError::Ptime(ptime_ms));
    }
    match to {
        Codec::Opus => {
            let fitting = OPUS_FRAMES_MS.into_iter().find(|&frame_ms| frame_ms <= ptime_ms);
            fitting.ok_or(CodecError::Ptime(ptime_ms))
        }
        // Frames of 10 ms.
        Codec::G729 => Ok((ptime_ms / 10).max(1) * 10),
        _ => Ok(ptime_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ptime_is_fitted_to_opus_and_refused_when_absurd() {
        let frame = |codec, ptime_ms| Encoder::new(codec, 8000, ptime_ms, 5).map(|encoder| encoder.frame());
        assert_eq!(frame(Codec::Opus, 30), Ok(160));
        assert_eq!(frame(Codec::Pcma, 30), Ok(240));
        for ptime_ms in [0, 4, 121, u32::MAX] {
            assert_eq!(frame(Codec::Opus, ptime_ms), Err(CodecError::Ptime(ptime_ms)));
        }
        assert!(matches!(Encoder::new(Codec::Opus, 8000, 20, 11).err(), Some(CodecError::Opus(_))));
        assert_eq!(Encoder::new(Codec::Pcma, 48_000, 20, 5).err(), Some(CodecError::Rate(48_000)));
    }

    #[test]
    fn a_frame_lasts_its_ptime_on_the_rtp_clock() {
        for (codec, rate_hz, ticks) in [
            (Codec::Opus, 8000, 960),
            (Codec::Opus, 16_000, 960),
            (Codec::Pcmu, 8000, 160),
            (Codec::G722, 16_000, 160),
            (Codec::G722, 8000, 160),
            (Codec::Pcma, 16_000, 160),
        ] {
            let encoder = Encoder::new(codec, rate_hz, 20, 5).expect("legal");
            assert_eq!((encoder.frame(), encoder.frame_ticks()), (rate_hz as usize / 50, ticks));
        }
    }

    #[test]
    fn only_whole_frames_are_encoded() {
        for codec in [Codec::Opus, Codec::Pcmu] {
            let mut encoder = Encoder::new(codec, 8000, 20, 5).expect("legal");
            assert_eq!(encoder.encode(&[0; 161], &mut [0; MAX_PAYLOAD]), Err(CodecError::Frame(161)));
            assert!(encoder.encode(&[0; 160], &mut [0; MAX_PAYLOAD]).is_ok());
        }
    }

    #[test]
    fn settings_beyond_the_scale_are_cut_to_it() {
        let mut encoder = Encoder::new(Codec::Opus, 8000, 20, 5).expect("legal");
        encoder.set_expected_loss(250);
        encoder.set_expected_loss(0);
        encoder.set_complexity(99);
        assert!(encoder.encode(&[0; 160], &mut [0; MAX_PAYLOAD]).is_ok());
    }
}

//! Opus for voice (RFC 6716, RFC 7587): bit rate, redundancy against loss, and frames without audio for silence.

use crate::opus_ffi::{Encoder, OpusError, Setting};

/// Enough for narrowband voice to be transparent; half of it is G.711's own noise.
const NARROWBAND_BITRATE: i32 = 24_000;
/// As much for wideband voice.
const WIDEBAND_BITRATE: i32 = 32_000;
/// What the copies of lost frames may cost on top, so that the frames themselves stay as good.
const COPIES_BITRATE: i32 = 8_000;
/// A payload up to this long says that its frame is silence (RFC 6716 §2.1.9).
const SILENCE_LEN: usize = 2;
/// Silence is looked at again after so many ms, as libopus does by itself.
const LOOK_AGAIN_MS: u32 = 400;
/// Peak amplitude up to which silence cannot have ended: G.711's smallest steps.
const SMALLEST_PEAK: u16 = 32;

/// What was sent for silence, to be sent again while it lasts.
struct Silence {
    payload: [u8; SILENCE_LEN],
    len: usize,
    /// Louder than this is to be listened to.
    peak: u16,
    /// Frames until it is looked at again.
    frames_left: u32,
}

/// An encoder of voice.
pub(super) struct OpusVoice {
    encoder: Encoder,
    bitrate: i32,
    /// Frames in [`LOOK_AGAIN_MS`]; 0 when silence is encoded like everything else.
    frames_of_silence: u32,
    silence: Option<Silence>,
}

impl OpusVoice {
    /// An encoder without redundancy, which costs quality while nothing is lost.
    pub(super) fn new(rate_hz: u32, complexity: i32) -> Result<OpusVoice, OpusError> {
        let mut encoder = Encoder::new(rate_hz.cast_signed())?;
        let bitrate = if rate_hz > 8000 { WIDEBAND_BITRATE } else { NARROWBAND_BITRATE };
        encoder.set(Setting::Bitrate, bitrate)?;
        encoder.set(Setting::Vbr, 1)?;
        encoder.set(Setting::Complexity, complexity)?;
        encoder.set(Setting::InbandFec, 0)?;
        encoder.set(Setting::Dtx, 0)?;
        Ok(OpusVoice { encoder, bitrate, frames_of_silence: 0, silence: None })
    }

    /// Send frames without audio while there is silence. They are sent nevertheless, a byte or two each: so the clock
    /// towards the peer never stops, and no receiver takes the pause for loss.
    pub(super) fn save_silence(&mut self, frame_ms: u32) {
        self.set(Setting::Dtx, 1);
        self.frames_of_silence = LOOK_AGAIN_MS / frame_ms.max(1);
    }

    /// Encode one frame; silence that lasts is not even looked at.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Result<usize, OpusError> {
        if let Some(silence) = &mut self.silence
            && silence.lasts(samples)
        {
            payload[..silence.len].copy_from_slice(&silence.payload[..silence.len]);
            return Ok(silence.len);
        }
        let len = self.encoder.encode(samples, payload)?;
        self.silence = (len <= SILENCE_LEN && self.frames_of_silence > 0).then(|| {
            let mut kept = [0; SILENCE_LEN];
            kept[..len].copy_from_slice(&payload[..len]);
            let peak = peak(samples).saturating_mul(2).max(SMALLEST_PEAK);
            Silence { payload: kept, len, peak, frames_left: self.frames_of_silence }
        });
        Ok(len)
    }

    /// Forget what was encoded.
    pub(super) fn reset(&mut self) {
        self.encoder.reset();
        self.silence = None;
    }

    /// Tell the loss that the receiver sees, in percent; above 0 each packet carries a copy of the one before.
    pub(super) fn set_expected_loss(&mut self, percent: u8) {
        let percent = i32::from(percent.min(100));
        self.set(Setting::PacketLossPercent, percent);
        self.set(Setting::InbandFec, i32::from(percent > 0));
        self.set(Setting::Bitrate, self.bitrate + if percent > 0 { COPIES_BITRATE } else { 0 });
    }

    /// Change the effort, 0–10.
    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.set(Setting::Complexity, i32::from(complexity.min(10)));
    }

    fn set(&mut self, setting: Setting, value: i32) {
        // Every value given here is a legal one, so libopus takes it.
        let _ = self.encoder.set(setting, value);
    }
}

impl Silence {
    fn lasts(&mut self, samples: &[i16]) -> bool {
        self.frames_left = self.frames_left.saturating_sub(1);
        self.frames_left > 0 && peak(samples) <= self.peak
    }
}

fn peak(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 160;

    fn voice() -> OpusVoice {
        let mut voice = OpusVoice::new(8000, 5).expect("libopus is there");
        voice.save_silence(20);
        voice
    }

    fn tone(n: usize) -> Vec<i16> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
        let sample = |k: usize| ((k as f32 * 0.5).sin() * 6000.0 * (k as f32 * 0.002).sin()) as i16;
        (n * FRAME..(n + 1) * FRAME).map(sample).collect()
    }

    /// Lengths of the payloads of so many frames.
    fn lengths(voice: &mut OpusVoice, frames: impl IntoIterator<Item = Vec<i16>>) -> Vec<usize> {
        let mut payload = [0; 960];
        frames.into_iter().map(|frame| voice.encode(&frame, &mut payload).expect("a legal frame")).collect()
    }

    #[test]
    fn silence_becomes_frames_without_audio_and_talk_ends_it_at_once() {
        let mut voice = voice();
        lengths(&mut voice, (0..50).map(tone));
        let quiet = lengths(&mut voice, vec![vec![8; FRAME]; 100]);
        assert!(quiet[30..].iter().all(|len| *len <= 2), "{quiet:?}");
        let loud = lengths(&mut voice, (50..60).map(tone));
        assert!(loud.iter().all(|len| *len > 10), "{loud:?}");
    }

    #[test]
    fn noise_is_looked_at_again_and_again() {
        let mut voice = voice();
        lengths(&mut voice, vec![vec![0; FRAME]; 50]);
        let silence = voice.silence.as_ref().expect("silence");
        assert!(silence.frames_left <= 20);
        let mut frames = vec![vec![0; FRAME]; 20];
        frames[7][5] = 200;
        lengths(&mut voice, frames[..8].to_vec());
        assert!(voice.silence.as_ref().is_none_or(|silence| silence.peak == 400), "a click was listened to");
    }

    #[test]
    fn without_being_asked_silence_is_encoded() {
        let mut voice = OpusVoice::new(8000, 5).expect("libopus is there");
        let quiet = lengths(&mut voice, vec![vec![0; FRAME]; 100]);
        assert!(quiet.iter().all(|len| *len > 2));
    }

    #[test]
    fn copies_are_sent_only_to_those_who_lose_packets() {
        let mut voice = voice();
        let size = |lengths: &[usize]| lengths[20..].iter().sum::<usize>();
        let plain = size(&lengths(&mut voice, (0..100).map(tone)));
        voice.set_expected_loss(10);
        let with_copies = size(&lengths(&mut voice, (100..200).map(tone)));
        assert!(with_copies > plain, "{with_copies} {plain}");
        voice.set_expected_loss(250);
        voice.set_expected_loss(0);
        voice.set_complexity(99);
        assert!(size(&lengths(&mut voice, (200..300).map(tone))) < with_copies);
    }

    #[test]
    fn nothing_of_before_a_reset_is_heard_after_it() {
        let (mut voice, mut payload) = (voice(), [0; 200]);
        for n in 1..10 {
            voice.encode(&tone(n), &mut payload).expect("a frame");
        }
        voice.reset();
        let len = voice.encode(&[0; FRAME], &mut payload).expect("a frame");
        let mut decoder = crate::opus_ffi::Decoder::new(8000).expect("libopus is there");
        let mut samples = [0; FRAME];
        decoder.decode(&payload[..len], &mut samples).expect("our own");
        assert!(peak(&samples) < 8, "{}", peak(&samples));
    }
}

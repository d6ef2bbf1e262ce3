//! Opus for voice (RFC 6716, RFC 7587): bit rate, redundancy against loss, and silence that is hardly ever encoded.

use super::comfort_noise::OVERLOAD_POWER;
use super::quiet::Quiet;
use crate::opus_ffi::{Encoder, OpusError, Setting};

/// Enough for narrowband voice to be transparent; half of it is G.711's own noise.
const NARROWBAND_BITRATE: i32 = 24_000;
/// As much for wideband voice.
const WIDEBAND_BITRATE: i32 = 32_000;
/// What the copies of lost frames may cost on top, so that the frames themselves stay as good.
const COPIES_BITRATE: i32 = 8_000;
/// -70 dBov: what is louder is always encoded, for a frame of 20 ms that is said again and again is a buzz of 50 Hz. (RFC 3389
/// tells a background's timbre, so `route/hush.rs` may begin sooner.)
const LOUDEST: f32 = OVERLOAD_POWER * 1e-7;
/// While it is quiet, the background is encoded once in so many ms.
const REFRESH_MS: u32 = 400;
/// A longer payload, of several frames of noise, is not sent again.
const LONGEST: usize = 128;

/// What saves the encoding of silence: the last frame of it is sent again and again.
///
/// libopus could send frames without audio, but takes a steady tone for a background and chops it; and a decoder that has had
/// such frames lets a tone that then begins, the next ring above all, swell to full scale for most of a second.
struct Economy {
    quiet: Quiet,
    /// How often a frame is sent again.
    period: u32,
    kept: Option<Kept>,
}

/// The frame of silence that was encoded last.
struct Kept {
    payload: [u8; LONGEST],
    len: usize,
    /// How often it is sent yet.
    left: u32,
}

/// An encoder of voice.
pub(super) struct OpusVoice {
    encoder: Encoder,
    rate_hz: u32,
    bitrate: i32,
    /// `None` when silence is encoded like everything else.
    economy: Option<Box<Economy>>,
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
        Ok(OpusVoice { encoder, rate_hz, bitrate, economy: None })
    }

    /// Send the same frame again and again while it is quiet. The clock towards the peer never stops, and no receiver takes
    /// the pause for loss.
    pub(super) fn save_silence(&mut self, frame_ms: u32) {
        let quiet = Quiet::new(self.rate_hz, frame_ms, LOUDEST);
        let period = (REFRESH_MS / frame_ms.max(1)).saturating_sub(1);
        self.economy = Some(Box::new(Economy { quiet, period, kept: None }));
    }

    /// Encode one frame, or say the last one again.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Result<usize, OpusError> {
        let Some(economy) = &mut self.economy else { return self.encoder.encode(samples, payload) };
        let is_quiet = economy.quiet.hear(samples);
        if let Some(kept) = economy.kept.as_mut().filter(|kept| is_quiet && kept.left > 0) {
            kept.left -= 1;
            payload[..kept.len].copy_from_slice(&kept.payload[..kept.len]);
            return Ok(kept.len);
        }
        let len = self.encoder.encode(samples, payload)?;
        economy.kept = (is_quiet && len <= LONGEST).then(|| Kept::of(&payload[..len], economy.period));
        Ok(len)
    }

    /// Forget what was encoded.
    pub(super) fn reset(&mut self) {
        self.encoder.reset();
        if let Some(economy) = &mut self.economy {
            economy.quiet.interrupt();
        }
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

impl Kept {
    fn of(encoded: &[u8], left: u32) -> Kept {
        let mut payload = [0; LONGEST];
        payload[..encoded.len()].copy_from_slice(encoded);
        Kept { payload, len: encoded.len(), left }
    }
}

#[cfg(test)]
mod tests;

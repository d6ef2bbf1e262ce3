//! Whether a line is quiet, so that its frames need not be sent, to a peer that takes comfort noise, or encoded, in Opus.
//!
//! A frame is quiet when nothing in it stands out of the background, not even for 5 ms: so the weak beginning of a word is
//! sent with the word. What is doubtful is sound: a frame too many costs 200 bytes, one too few a syllable.

use super::comfort_noise::{OVERLOAD_POWER, mean_square};

/// The shortest sound that counts, in ms.
const BLOCK_MS: u32 = 5;
/// A line is quiet after so many ms without a sound: pauses between words, and weak ends of them, lie within, and a decoder
/// has learnt by then what the background sounds like.
const HANGOVER_MS: u32 = 300;
/// -70 dBov: the lowest step of A-law lies below, and the noise of a microphone above.
const QUIETEST: f32 = OVERLOAD_POWER * 1e-7;
/// 8 dB: what is so much louder than the background stands out of it.
const STANDS_OUT: f32 = 6.3;
/// The background may become louder by 3 dB in a second: speech pauses more often than that.
const RISE_DB_PER_MS: f32 = 0.003;

/// Listens to the frames of a line.
pub struct Quiet {
    frame_ms: u32,
    /// Samples in [`BLOCK_MS`].
    block: usize,
    /// What is louder is never quiet, as a mean square.
    loudest: f32,
    /// Mean square of the background, and by how much it may rise from frame to frame.
    background: f32,
    rise: f32,
    /// For how long nothing was heard, up to [`HANGOVER_MS`].
    lasts_ms: u32,
}

impl Quiet {
    /// For frames of `frame_ms` at `rate_hz`. What is louder than `loudest`, a mean square, is never quiet, however steady it
    /// is: a tone, music, a street.
    #[must_use]
    pub fn new(rate_hz: u32, frame_ms: u32, loudest: f32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let rise = 10_f32.powf(RISE_DB_PER_MS * frame_ms as f32 / 10.0);
        let block = (rate_hz * BLOCK_MS / 1000) as usize;
        Self { frame_ms, block, loudest, background: QUIETEST, rise, lasts_ms: 0 }
    }

    /// The next frame, of whole blocks; whether the line is quiet.
    pub fn hear(&mut self, frame: &[i16]) -> bool {
        if self.has_sound(frame) {
            self.lasts_ms = 0;
        } else if self.lasts_ms >= HANGOVER_MS {
            return true;
        } else {
            self.lasts_ms += self.frame_ms;
        }
        false
    }

    /// Something else was sent meanwhile: quiet must last anew.
    pub fn interrupt(&mut self) {
        self.lasts_ms = 0;
    }

    fn has_sound(&mut self, frame: &[i16]) -> bool {
        let blocks = frame.chunks(self.block).map(mean_square);
        let (sum, peak) = blocks.fold((0.0, 0.0_f32), |(sum, peak), power| (sum + power, peak.max(power)));
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let mean = sum * self.block as f32 / frame.len() as f32;
        self.background = mean.min(self.background * self.rise).clamp(QUIETEST / STANDS_OUT, self.loudest / STANDS_OUT);
        peak > (self.background * STANDS_OUT).max(QUIETEST)
    }
}

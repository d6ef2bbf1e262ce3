//! Concealment for codecs that have none of their own: the last 20 ms once more, and again, fading out.

/// What is repeated: 20 ms at 8 kHz.
const HISTORY: usize = 160;
/// Nothing is heard any more after 60 ms; a longer repetition sounds like a machine (as in G.711 appendix I).
const FADE: usize = 480;

/// The latest samples heard, and how long nothing has been heard.
pub(super) struct Fade {
    history: [i16; HISTORY],
    /// Samples concealed since the last ones heard.
    gap: usize,
}

impl Fade {
    pub(super) fn new() -> Self {
        Self { history: [0; HISTORY], gap: 0 }
    }

    /// Remember decoded samples.
    pub(super) fn heard(&mut self, samples: &[i16]) {
        self.gap = 0;
        let new = &samples[samples.len().saturating_sub(HISTORY)..];
        self.history.copy_within(new.len().., 0);
        self.history[HISTORY - new.len()..].copy_from_slice(new);
    }

    /// Fill `samples` in the place of lost ones; a gap may be filled piece by piece.
    pub(super) fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            *sample = scaled(self.history[self.gap % HISTORY], FADE.saturating_sub(self.gap));
            self.gap = self.gap.saturating_add(1);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the gain is at most 1")]
fn scaled(sample: i16, gain: usize) -> i16 {
    (i32::from(sample) * gain as i32 / FADE as i32) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_the_last_frame_fading_to_silence() {
        let mut fade = Fade::new();
        fade.heard(&[7; 300]);
        fade.heard(&[4800; 160]);
        let mut filled = [1; 700];
        fade.fill(&mut filled[..100]);
        fade.fill(&mut filled[100..]);
        assert_eq!((filled[0], filled[240], filled[479]), (4800, 2400, 10));
        assert!(filled[480..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn short_frames_make_up_the_history_together() {
        let mut fade = Fade::new();
        fade.heard(&[100; 80]);
        fade.heard(&[200; 80]);
        let mut filled = [0; 160];
        fade.fill(&mut filled);
        assert!(filled[..80].iter().all(|&sample| (80..=100).contains(&sample)));
        assert!(filled[80..].iter().all(|&sample| (130..=170).contains(&sample)));
    }
}

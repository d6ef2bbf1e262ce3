//! Concealment for codecs that have none of their own: what was lost is spoken on as it was (in the place of ITU-T
//! G.711 appendix I, and better: no delay, and the timbre stays).
//!
//! When the first packet is missing, linear prediction (order 16 at 8 kHz) splits the last samples into a vocal tract and what
//! excites it. The last pitch period of the excitation is repeated, mixed with noise as far as the voice was unvoiced,
//! and sent through the vocal tract, whose memory makes the joint seamless. After 10 ms the voice fades, to silence
//! at 60 ms. What arrives after the gap is faded into what would have gone on.

mod pitch;

use super::prediction::{MAX_ORDER, Predictor};
use pitch::Pitch;

/// What is remembered, in ms: the longest pitch period and the window that it is sought with.
pub(super) const HISTORY_MS: usize = 40;
const MAX_HISTORY: usize = HISTORY_MS * 16;
/// The longest pitch period, 15 ms (66 Hz), at 16 kHz.
const MAX_PERIOD: usize = 15 * 16;
/// Until here nothing fades, in ms; a longer repetition of the same sounds like a machine …
const FADE_FROM_MS: usize = 10;
/// … and from here on there is silence (as in G.711 appendix I).
const FADE_TO_MS: usize = 60;
/// The quickest and the slowest change back to what arrives, in ms.
const MERGE_MS: std::ops::RangeInclusive<usize> = 4..=10;

/// Remembers what was heard, and speaks on.
pub struct Plc {
    per_ms: usize,
    /// The latest samples, oldest first; as many as the rate makes of [`HISTORY_MS`].
    history: [i16; MAX_HISTORY],
    voice: Option<Box<Voice>>,
}

/// What goes on during a gap.
#[derive(Clone)]
struct Voice {
    predictor: Predictor,
    /// The last samples put out, newest first.
    memory: [f32; MAX_ORDER],
    /// One period of the excitation.
    cycle: [f32; MAX_PERIOD],
    period: usize,
    /// Where in the cycle we are.
    at: usize,
    /// How much of the excitation is periodic, and how much is noise.
    periodic: f32,
    noisy: f32,
    /// Samples made in this gap.
    made: usize,
    seed: u32,
}

impl Plc {
    /// For samples at 8000 or 16000 Hz.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        Self { per_ms: if rate_hz > 8000 { 16 } else { 8 }, history: [0; MAX_HISTORY], voice: None }
    }

    /// Samples invented since the last ones heard.
    #[must_use]
    pub fn gap(&self) -> usize {
        self.voice.as_ref().map_or(0, |voice| voice.made)
    }

    /// What would be invented next.
    pub fn foresee(&self, samples: &mut [i16]) {
        let mut voice = self.voice.clone().unwrap_or_else(|| self.speak_on());
        samples.fill_with(|| voice.next(self.per_ms));
    }

    /// The latest samples heard or invented, oldest first: 40 ms.
    #[must_use]
    pub fn history(&self) -> &[i16] {
        &self.history[..HISTORY_MS * self.per_ms]
    }

    /// Take decoded samples; the first ones after a gap are changed, so that its end is not heard.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if let Some(mut voice) = self.voice.take() {
            merge(&mut voice, samples, self.per_ms);
        }
        self.remember(samples);
    }

    /// Invent `samples` in the place of lost ones; a gap may be filled piece by piece.
    pub fn fill(&mut self, samples: &mut [i16]) {
        let mut voice = self.voice.take().unwrap_or_else(|| self.speak_on());
        samples.fill_with(|| voice.next(self.per_ms));
        self.voice = Some(voice);
        self.remember(samples);
    }

    fn speak_on(&self) -> Box<Voice> {
        Box::new(Voice::new(self.history(), self.per_ms))
    }

    fn remember(&mut self, samples: &[i16]) {
        let history = &mut self.history[..HISTORY_MS * self.per_ms];
        let new = &samples[samples.len().saturating_sub(history.len())..];
        history.copy_within(new.len().., 0);
        let old = history.len() - new.len();
        history[old..].copy_from_slice(new);
    }
}

/// Fade from what would have gone on to what has arrived; the longer the gap, the slower.
fn merge(voice: &mut Voice, samples: &mut [i16], per_ms: usize) {
    let gap_ms = voice.made / per_ms;
    let length = (gap_ms * 2 / 5).clamp(*MERGE_MS.start(), *MERGE_MS.end()) * per_ms;
    let length = length.min(samples.len());
    for (index, sample) in samples[..length].iter_mut().enumerate() {
        let share = to_f32(index + 1) / to_f32(length + 1);
        let old = f32::from(voice.next(per_ms));
        *sample = to_i16(old + share * (f32::from(*sample) - old));
    }
}

impl Voice {
    fn new(history: &[i16], per_ms: usize) -> Self {
        let mut past = [0.0; MAX_HISTORY];
        let past = &mut past[..history.len()];
        for (value, &sample) in past.iter_mut().zip(history) {
            *value = f32::from(sample);
        }
        let Pitch { period, likeness } = pitch::find(past, per_ms);
        let predictor = Predictor::of(&windowed(past, per_ms)[..past.len()], MAX_ORDER);
        let mut cycle = [0.0; MAX_PERIOD];
        predictor.excitation(past, &mut cycle[..period]);
        let mut memory = [0.0; MAX_ORDER];
        for (value, &sample) in memory.iter_mut().zip(past.iter().rev()) {
            *value = sample;
        }
        // Wholly periodic from a likeness of 0.7 on, wholly noise under 0.3.
        let periodic = ((likeness - 0.3) / 0.4).clamp(0.0, 1.0);
        let noisy = (1.0 - periodic * periodic).sqrt();
        Self { predictor, memory, cycle, period, at: 0, periodic, noisy, made: 0, seed: 1 }
    }

    fn next(&mut self, per_ms: usize) -> i16 {
        let gain = fading(self.made, per_ms);
        self.made += 1;
        if gain <= 0.0 {
            return 0;
        }
        let excitation = self.periodic * self.cycle[self.at] + self.noisy * self.noise();
        self.at = (self.at + 1) % self.period;
        let sample = (excitation + self.predictor.predict(&self.memory)).clamp(-32_768.0, 32_767.0);
        self.memory.copy_within(..MAX_ORDER - 1, 1);
        self.memory[0] = sample;
        to_i16(sample * gain)
    }

    /// A random one of the excitation's own values, with a random sign.
    fn noise(&mut self) -> f32 {
        if self.noisy <= 0.0 {
            return 0.0;
        }
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = self.cycle[(self.seed >> 16) as usize % self.period];
        if self.seed & 0x8000 == 0 { value } else { -value }
    }
}

/// The samples that the vocal tract is read from: the last 30 ms, most of all those of 5 ms ago.
fn windowed(past: &[f32], per_ms: usize) -> [f32; MAX_HISTORY] {
    let (rise, fall) = (25 * per_ms, 5 * per_ms);
    let mut window = [0.0; MAX_HISTORY];
    let start = past.len() - rise - fall;
    for (index, (value, sample)) in window[start..].iter_mut().zip(&past[start..]).enumerate() {
        let quarter = std::f32::consts::FRAC_PI_2;
        let phase = if index < rise { to_f32(index) / to_f32(rise) } else { 1.0 + to_f32(index - rise) / to_f32(fall) };
        *value = sample * (phase * quarter).sin().powi(2);
    }
    window
}

/// How loud the sample after `made` others is.
fn fading(made: usize, per_ms: usize) -> f32 {
    let (from, to) = (FADE_FROM_MS * per_ms, FADE_TO_MS * per_ms);
    if made < from { 1.0 } else { to_f32(to.saturating_sub(made)) / to_f32(to - from) }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn to_f32(count: usize) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn to_i16(value: f32) -> i16 {
    value as i16
}

#[cfg(test)]
mod tests;

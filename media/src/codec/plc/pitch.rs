//! The period of a voice: the distance at which its last 20 ms are most like what came before.

/// The pitch period that is sought, in ms: 66 to 200 Hz, as in G.711 appendix I. A higher voice is found at a multiple.
const SHORTEST_MS: usize = 5;
const LONGEST_MS: usize = 15;
/// The piece that is compared, in ms.
const WINDOW_MS: usize = 20;

/// A period, and how well it fits.
pub(super) struct Pitch {
    /// In samples.
    pub(super) period: usize,
    /// From 0, noise, to 1, a tone.
    pub(super) likeness: f32,
}

/// Find it in at least 35 ms of samples.
pub(super) fn find(past: &[f32], per_ms: usize) -> Pitch {
    let step = per_ms / 4;
    let coarse = best(past, per_ms, (SHORTEST_MS * per_ms..=LONGEST_MS * per_ms).step_by(step), step);
    let near = coarse.saturating_sub(step).max(SHORTEST_MS * per_ms)..=(coarse + step).min(LONGEST_MS * per_ms);
    let period = best(past, per_ms, near, 1);
    Pitch { period, likeness: likeness(past, per_ms, period, 1).max(0.0).sqrt() }
}

/// The period of these that fits best, looking at every `stride`th sample.
fn best(past: &[f32], per_ms: usize, periods: impl Iterator<Item = usize>, stride: usize) -> usize {
    let mut winner = (SHORTEST_MS * per_ms, 0.0);
    for period in periods {
        let score = likeness(past, per_ms, period, stride);
        if score > winner.1 {
            winner = (period, score);
        }
    }
    winner.0
}

/// The squared normalized correlation at a distance; 0 where it is negative.
fn likeness(past: &[f32], per_ms: usize, period: usize, stride: usize) -> f32 {
    let start = past.len() - WINDOW_MS * per_ms;
    let (mut product, mut energy, mut now) = (0.0, 1.0, 1.0);
    for index in (start..past.len()).step_by(stride) {
        product += past[index] * past[index - period];
        energy += past[index - period] * past[index - period];
        now += past[index] * past[index];
    }
    if product > 0.0 { product / energy * (product / now) } else { 0.0 }
}

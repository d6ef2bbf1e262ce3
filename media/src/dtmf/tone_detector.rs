//! Finds the tones of keys in speech (ITU-T Q.23, Q.24): samples at 8 kHz in, digits out when they end.
//!
//! Blocks of 12.75 ms that overlap by half go through Goertzel filters at the eight frequencies. A block is a key when one
//! row and one column stand out, hold most of the block's energy, and are about equally loud. Four such blocks in a row,
//! each continuing the phases of the one before, are a tone: speech may hit two frequencies for a moment, but does not
//! hold them steady. Lost packets inside a tone do not split it.

use super::Digit;
use super::keypad::{self, COLUMNS_HZ, RATE_HZ, ROWS_HZ};

/// Samples between two blocks; the filters' lobes are twice as wide as neighbouring frequencies are apart otherwise.
const HOP: usize = 51;
/// Samples of a block.
const BLOCK: usize = 2 * HOP;
const BLOCK_AS_FLOAT: f32 = 102.0;
/// Blocks that make a tone: at least 21 ms, and always reached within the 40 ms that Q.24 asks for.
const CONFIRMED: u32 = 4;
/// Blocks without it that end a tone: interruptions of 10 ms are none (Q.24), pauses of 40 ms always are.
const ENDED: u32 = 4;
/// Longest loss, in samples, that a tone is believed to have lasted through.
const MAX_LOSS: usize = 8 * 100;

/// Share of a block's energy that lies in the two tones: a tone covers 57 % of the block, or all of it at the edge of its
/// tolerance (±1.5 %) with noise at 15 dB.
const MIN_PURITY: f32 = 0.57;
/// Least power of one tone: -36 dBm0 as a squared amplitude (a sine that fills 16 bits has +3.17 dBm0).
const MIN_POWER: f32 = 360.0 * 360.0;
/// The column's tone may be 6 dB louder than the row's, and 11 dB fainter; lines do 4 and 8 (Q.24), filters the rest.
const MAX_TWIST: (f32, f32) = (4.0, 12.0);
/// How far a tone stands out of the others of its group: 6 dB.
const MIN_LEAD: f32 = 4.0;
/// How far from its frequency a tone may be; Q.24 wants 1.5 % taken and 3.5 % refused.
const MAX_DEVIATION: f32 = 0.026;

/// What one filter found: the phase and size of a frequency.
#[derive(Clone, Copy, Default)]
struct Phasor {
    re: f32,
    im: f32,
}

impl Phasor {
    fn turned(angle: f32) -> Phasor {
        Phasor { re: angle.cos(), im: angle.sin() }
    }

    /// `self` times the conjugate of `other`: their difference in phase.
    fn against(self, other: Phasor) -> Phasor {
        Phasor { re: self.re * other.re + self.im * other.im, im: self.im * other.re - self.re * other.im }
    }

    fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }

    /// Squared amplitude of the tone.
    fn power(self) -> f32 {
        const SCALE: f32 = 4.0 / (BLOCK_AS_FLOAT * BLOCK_AS_FLOAT);
        (self.re * self.re + self.im * self.im) * SCALE
    }
}

/// One frequency to look for.
#[derive(Clone, Copy)]
struct Filter {
    /// e^jω, for one sample.
    step: Phasor,
    /// e^jω·HOP: what a steady tone turns from block to block.
    hop: Phasor,
    /// The most that it may turn otherwise, in radians.
    tolerance: f32,
}

impl Filter {
    fn new(frequency_hz: f32) -> Filter {
        let omega = frequency_hz / RATE_HZ * std::f32::consts::TAU;
        let turn = omega * BLOCK_AS_FLOAT / 2.0;
        let tolerance = turn * MAX_DEVIATION;
        Filter { step: Phasor::turned(omega), hop: Phasor::turned(turn % std::f32::consts::TAU), tolerance }
    }

    /// Goertzel's recursion over a block, given as its two halves.
    fn run(&self, halves: [&[f32; HOP]; 2]) -> Phasor {
        let coefficient = 2.0 * self.step.re;
        let (mut newest, mut before) = (0.0_f32, 0.0_f32);
        for sample in halves.into_iter().flatten() {
            let next = sample + coefficient * newest - before;
            (before, newest) = (newest, next);
        }
        Phasor { re: newest - self.step.re * before, im: self.step.im * before }
    }

    fn is_steady(&self, now: Phasor, before: Phasor) -> bool {
        now.against(before).against(self.hop).angle().abs() <= self.tolerance
    }
}

/// The key in one block.
#[derive(Clone, Copy)]
struct Hit {
    event: u8,
    phasors: [Phasor; 2],
    places: [usize; 2],
}

/// A key that may be pressed, or is.
#[derive(Clone, Copy)]
struct Candidate {
    last: Hit,
    /// Phases of `last` still tell something: nothing was lost since.
    is_fresh: bool,
    hits: u32,
    misses: u32,
    /// Samples since the first block, and of them those until the last hit.
    age: usize,
    length: usize,
}

/// Turns samples into digits, each when its tone ends.
pub struct ToneDetector {
    filters: [[Filter; 4]; 2],
    half: [f32; HOP],
    filling: [f32; HOP],
    filled: usize,
    /// `half` holds the samples just before `filling`.
    is_whole: bool,
    candidate: Option<Candidate>,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            filters: [ROWS_HZ.map(Filter::new), COLUMNS_HZ.map(Filter::new)],
            half: [0.0; HOP],
            filling: [0.0; HOP],
            filled: 0,
            is_whole: false,
            candidate: None,
        }
    }
}

impl ToneDetector {
    /// The next samples.
    pub fn push(&mut self, samples: &[i16], emit: &mut dyn FnMut(Digit)) {
        for &sample in samples {
            self.filling[self.filled] = f32::from(sample);
            self.filled += 1;
            if self.filled == HOP {
                self.filled = 0;
                self.step(emit);
            }
        }
    }

    /// So many samples were lost: whatever sounded before and sounds after went on meanwhile, if they are few.
    pub fn lose(&mut self, samples: usize, emit: &mut dyn FnMut(Digit)) {
        self.is_whole = false;
        if samples > MAX_LOSS {
            self.finish().into_iter().for_each(emit);
        } else if let Some(candidate) = &mut self.candidate {
            candidate.is_fresh = false;
            candidate.age += samples + std::mem::take(&mut self.filled);
        }
        self.filled = 0;
    }

    /// A key is being held.
    #[must_use]
    pub fn is_sounding(&self) -> bool {
        self.candidate.is_some_and(|candidate| candidate.hits >= CONFIRMED)
    }

    /// The samples have ended: the digit that was held.
    pub fn finish(&mut self) -> Option<Digit> {
        let candidate = self.candidate.take().filter(|candidate| candidate.hits >= CONFIRMED)?;
        // A block hits from when the tone covers 57 % of it until it covers less.
        let samples = candidate.length + HOP + BLOCK / 7;
        Some(Digit { event: candidate.last.event, duration_ms: u32::try_from(samples / 8).unwrap_or(u32::MAX) })
    }

    fn step(&mut self, emit: &mut dyn FnMut(Digit)) {
        if let Some(candidate) = &mut self.candidate {
            candidate.age += HOP;
        }
        if self.is_whole {
            let hit = self.judge();
            self.follow(hit, emit);
        }
        self.half = self.filling;
        self.is_whole = true;
    }

    /// The key in the block that is complete.
    fn judge(&self) -> Option<Hit> {
        let halves = [&self.half, &self.filling];
        let energy: f32 = halves.into_iter().flatten().map(|sample| sample * sample).sum();
        let mean = energy / BLOCK_AS_FLOAT;
        if mean < MIN_POWER {
            return None; // two tones of the least amplitude have that mean
        }
        let (row, low) = self.strongest(0, halves)?;
        let (column, high) = self.strongest(1, halves)?;
        let (low_power, high_power) = (low.power(), high.power());
        let is_pure = low_power + high_power >= 2.0 * MIN_PURITY * mean;
        let is_even = high_power <= MAX_TWIST.0 * low_power && low_power <= MAX_TWIST.1 * high_power;
        let event = keypad::event_at(row, column);
        (is_pure && is_even).then_some(Hit { event, phasors: [low, high], places: [row, column] })
    }

    /// The one frequency of a group that stands out.
    fn strongest(&self, group: usize, halves: [&[f32; HOP]; 2]) -> Option<(usize, Phasor)> {
        let phasors = self.filters[group].map(|filter| filter.run(halves));
        let powers = phasors.map(Phasor::power);
        let best = (0..4).max_by(|&a, &b| powers[a].total_cmp(&powers[b]))?;
        let leads = (0..4).all(|other| other == best || powers[other] * MIN_LEAD <= powers[best]);
        (leads && powers[best] >= MIN_POWER).then_some((best, phasors[best]))
    }

    fn follow(&mut self, hit: Option<Hit>, emit: &mut dyn FnMut(Digit)) {
        let Some(candidate) = self.candidate.as_mut() else {
            self.candidate = hit.map(Candidate::new);
            return;
        };
        match hit {
            Some(hit) if hit.event == candidate.last.event && candidate.is_continued_by(&hit, &self.filters) => {
                candidate.add(hit);
            }
            hit => {
                candidate.misses += 1;
                candidate.is_fresh = false;
                let ends = candidate.hits < CONFIRMED || candidate.misses >= ENDED;
                let is_other = hit.is_some_and(|hit| hit.event != candidate.last.event);
                if ends || is_other {
                    self.finish().into_iter().for_each(emit);
                    self.candidate = hit.map(Candidate::new);
                }
            }
        }
    }
}

impl Candidate {
    fn new(hit: Hit) -> Candidate {
        Candidate { last: hit, is_fresh: true, hits: 1, misses: 0, age: 0, length: 0 }
    }

    /// A tone that is known needs no more proof of its steadiness: a gap in it may have moved its phase.
    fn is_continued_by(&self, hit: &Hit, filters: &[[Filter; 4]; 2]) -> bool {
        let steady =
            |group: usize| filters[group][hit.places[group]].is_steady(hit.phasors[group], self.last.phasors[group]);
        self.hits >= CONFIRMED || !self.is_fresh || (steady(0) && steady(1))
    }

    fn add(&mut self, hit: Hit) {
        self.last = hit;
        self.is_fresh = true;
        self.hits += 1;
        self.misses = 0;
        self.length = self.age;
    }
}

#[cfg(test)]
mod tests;

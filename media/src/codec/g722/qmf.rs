//! The quadrature mirror filters that split 8 kHz of sound into two bands and join them again (ITU-T G.722 §3.1, §4.4).

/// One half of the symmetric 24-tap filter, every second coefficient (table 11).
const TAPS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Pairs of samples that the filter sees.
const DEPTH: usize = 12;
/// The line of pairs is moved back once per so many.
const ROOM: usize = 4 * DEPTH;

/// The last pairs of samples, newest last, in memory that is moved only now and then.
#[derive(Clone)]
struct Line {
    even: [i32; ROOM],
    odd: [i32; ROOM],
    end: usize,
}

impl Line {
    fn new() -> Self {
        Self { even: [0; ROOM], odd: [0; ROOM], end: DEPTH }
    }

    /// Add a pair; gives the filtered sums of both phases.
    #[inline]
    fn push(&mut self, even: i32, odd: i32) -> (i32, i32) {
        if self.end == ROOM {
            self.even.copy_within(ROOM - DEPTH.., 0);
            self.odd.copy_within(ROOM - DEPTH.., 0);
            self.end = DEPTH;
        }
        self.even[self.end] = even;
        self.odd[self.end] = odd;
        self.end += 1;
        let window = self.end - DEPTH..self.end;
        let evens = self.even[window.clone()].iter().zip(TAPS).map(|(sample, tap)| sample * tap).sum();
        let odds = self.odd[window].iter().zip(TAPS.iter().rev()).map(|(sample, tap)| sample * tap).sum();
        (evens, odds)
    }
}

/// Splits pairs of samples into one sample of each band.
#[derive(Clone)]
pub struct Analysis(Line);

impl Default for Analysis {
    fn default() -> Self {
        Self::new()
    }
}

impl Analysis {
    /// A filter at rest.
    #[must_use]
    pub fn new() -> Self {
        Self(Line::new())
    }

    /// See the samples before those to be split: as many as the filter is long.
    pub fn warm(&mut self, past: &[i16]) {
        for pair in past[past.len().saturating_sub(2 * DEPTH)..].chunks_exact(2) {
            self.0.push(pair[0].into(), pair[1].into());
        }
    }

    #[inline]
    pub(super) fn split(&mut self, first: i16, second: i16) -> (i32, i32) {
        let (evens, odds) = self.0.push(first.into(), second.into());
        ((odds + evens) >> 14, (odds - evens) >> 14)
    }
}

/// Joins a sample of each band into a pair.
#[derive(Clone)]
pub(super) struct Synthesis(Line);

impl Synthesis {
    pub(super) fn new() -> Self {
        Self(Line::new())
    }

    #[inline]
    pub(super) fn join(&mut self, low: i32, high: i32) -> (i16, i16) {
        let (sums, differences) = self.0.push(low + high, low - high);
        (sample(differences), sample(sums))
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn sample(sum: i32) -> i16 {
    (sum >> 11).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

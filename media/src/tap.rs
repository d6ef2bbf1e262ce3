//! A tap: decoded sound on its way from a media thread to a reader that may be slow.
//!
//! Sound is written at its place in time, so that the taps of several legs, read up to the same moment, lie side by
//! side: what nobody wrote is silence. Neither side ever waits: a reader that falls behind by more than the tap holds
//! loses sound (it is counted), and a writer that comes after the reader has passed its place does, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What a tap holds: longer than Python has ever been seen to be blocked.
const HOLDS: Duration = Duration::from_secs(4);
/// The most that is read at once.
const MAX_READ: Duration = Duration::from_secs(60);

/// Places in time are counted in samples since the engine began.
pub type Place = u64;

/// The place of a moment at this rate.
#[must_use]
pub fn place_of(moment: Duration, rate_hz: u32) -> Place {
    let samples = moment.as_nanos() * u128::from(rate_hz) / 1_000_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

struct Shared {
    rate_hz: u32,
    /// A sample and the lap in which it was written: what is left of an earlier lap is silence by now.
    slots: Box<[AtomicU32]>,
    /// Everything before it has been read.
    read: AtomicU64,
    dropped: AtomicU64,
    late: AtomicU64,
    is_closed: AtomicBool,
}

impl Shared {
    fn index(&self, place: Place) -> usize {
        // The remainder is smaller than a length, so it fits.
        usize::try_from(place % self.slots.len() as u64).unwrap_or(0)
    }

    /// The lap of a place. Its count begins anew after three days; the slots are overwritten long before.
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are meant")]
    fn lap(&self, place: Place) -> u16 {
        // Lap 0 is what the slots begin with.
        (place / self.slots.len() as u64 + 1) as u16
    }
}

/// The end of a tap at which a leg writes.
pub struct TapWriter(Arc<Shared>);

/// The end of a tap that is read; dropped or closed, it costs the leg nothing any more.
pub struct Tap(Arc<Shared>);

/// A tap whose reading begins at `start`.
#[must_use]
pub fn tap(rate_hz: u32, start: Duration) -> (TapWriter, Tap) {
    let count = usize::try_from(place_of(HOLDS, rate_hz)).unwrap_or(1).max(1);
    let shared = Arc::new(Shared {
        rate_hz,
        slots: (0..count).map(|_| AtomicU32::new(0)).collect(),
        read: AtomicU64::new(place_of(start, rate_hz)),
        dropped: AtomicU64::new(0),
        late: AtomicU64::new(0),
        is_closed: AtomicBool::new(false),
    });
    (TapWriter(shared.clone()), Tap(shared))
}

impl TapWriter {
    /// Samples per second that are to be written.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.0.rate_hz
    }

    /// Nobody will read any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::Relaxed)
    }

    /// Put samples at their place. Never waits.
    pub fn write(&mut self, place: Place, samples: &[i16]) {
        let shared = &*self.0;
        let first = shared.read.load(Ordering::Acquire);
        let end = first + shared.slots.len() as u64;
        let late = first.saturating_sub(place).min(samples.len() as u64);
        let fitting = end.saturating_sub(place).min(samples.len() as u64);
        shared.late.fetch_add(late, Ordering::Relaxed);
        shared.dropped.fetch_add(samples.len() as u64 - fitting, Ordering::Relaxed);
        for (place, sample) in (place..end).zip(samples).skip(usize::try_from(late).unwrap_or(usize::MAX)) {
            let value = u32::from(shared.lap(place)) << 16 | u32::from(sample.cast_unsigned());
            shared.slots[shared.index(place)].store(value, Ordering::Release);
        }
    }
}

impl Tap {
    /// Append what was heard up to `until`, little-endian, with silence where nothing was; at most a minute at once.
    pub fn read(&self, until: Duration, bytes: &mut Vec<u8>) {
        let shared = &*self.0;
        let first = shared.read.load(Ordering::Relaxed);
        let most = place_of(MAX_READ, shared.rate_hz);
        let end = place_of(until, shared.rate_hz).clamp(first, first + most);
        for place in first..end {
            let value = shared.slots[shared.index(place)].load(Ordering::Acquire);
            let [_, _, high, low] = value.to_be_bytes();
            let is_current = value >> 16 == u32::from(shared.lap(place));
            bytes.extend_from_slice(&if is_current { [low, high] } else { [0, 0] });
        }
        shared.read.store(end, Ordering::Release);
    }

    /// How much sound was lost because the reader was slow.
    #[must_use]
    pub fn dropped(&self) -> Duration {
        self.duration(&self.0.dropped)
    }

    /// How much sound came after its place had been read: the reader is too close to the present.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.duration(&self.0.late)
    }

    fn duration(&self, samples: &AtomicU64) -> Duration {
        Duration::from_nanos(samples.load(Ordering::Relaxed) * 1_000_000_000 / u64::from(self.0.rate_hz))
    }

    /// No more is wanted.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn read(tap: &Tap, until_ms: u64) -> Vec<i16> {
        let mut bytes = Vec::new();
        tap.read(at(until_ms), &mut bytes);
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn sound_lies_at_its_place_and_the_rest_is_silence() {
        let (mut writer, tap) = tap(8000, at(10));
        writer.write(place_of(at(11), 8000), &[-3; 8]);
        let heard = read(&tap, 13);
        assert_eq!(heard, [[0; 8], [-3; 8], [0; 8]].concat());
        assert_eq!(read(&tap, 13), [0; 0]);
        assert_eq!(read(&tap, 12), [0; 0]);
    }

    #[test]
    fn the_order_of_writing_does_not_matter() {
        let (mut writer, tap) = tap(8000, at(0));
        writer.write(8, &[2; 8]);
        writer.write(0, &[1; 8]);
        assert_eq!(read(&tap, 2), [[1; 8], [2; 8]].concat());
    }

    #[test]
    fn what_comes_after_its_place_was_read_is_counted_and_heard_nowhere() {
        let (mut writer, tap) = tap(8000, at(0));
        read(&tap, 10);
        writer.write(place_of(at(9), 8000), &[5; 16]);
        assert_eq!(tap.late(), at(1));
        assert_eq!(read(&tap, 12), [[5; 8], [0; 8]].concat());
        assert!(read(&tap, 9000).iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_reader_that_falls_behind_loses_the_newest_and_nothing_is_moved() {
        let (mut writer, tap) = tap(8000, at(0));
        for ms in 0..5000 {
            writer.write(place_of(at(ms), 8000), &[i16::try_from(ms).unwrap(); 8]);
        }
        assert_eq!(tap.dropped(), at(1000));
        let heard = read(&tap, 5000);
        let expected: Vec<i16> = (0..5000).flat_map(|ms| [if ms < 4000 { ms } else { 0 }; 8]).collect();
        assert_eq!(heard, expected);
    }

    #[test]
    fn what_an_earlier_lap_left_is_not_heard_again() {
        let (mut writer, tap) = tap(8000, at(0));
        writer.write(0, &[7; 8000]);
        assert_eq!(read(&tap, 1000), [7; 8000]);
        assert_eq!(read(&tap, 20_000), vec![0; 19 * 8000]);
    }

    #[test]
    fn one_reading_is_bounded_whatever_is_asked() {
        let (_writer, tap) = tap(8000, at(0));
        assert_eq!(read(&tap, 3_600_000).len(), 60 * 8000);
    }

    #[test]
    fn a_writer_learns_that_nobody_reads() {
        let (writer, tap) = tap(16_000, at(0));
        assert!(!writer.is_closed());
        drop(tap);
        assert!(writer.is_closed());
    }

    #[test]
    fn places_follow_the_clock() {
        assert_eq!(place_of(Duration::from_micros(125), 8000), 1);
        assert_eq!(place_of(Duration::from_secs(86_400), 16_000), 86_400 * 16_000);
    }

    #[test]
    fn writing_and_reading_at_once_doubles_and_invents_nothing() {
        let (mut writer, tap) = tap(8000, at(0));
        let written = std::thread::spawn(move || {
            for ms in 0..3000_u64 {
                writer.write(ms * 8, &[1; 8]);
            }
        });
        let heard: Vec<i16> = (1..=3000).flat_map(|ms| read(&tap, ms)).collect();
        written.join().unwrap();
        assert_eq!(heard.len(), 24_000);
        let ones = heard.iter().filter(|sample| **sample == 1).count();
        assert!(heard.iter().all(|sample| [0, 1].contains(sample)));
        assert!(ones as u128 + tap.late().as_millis() * 8 <= 24_000);
        assert_eq!(tap.dropped(), at(0));
    }
}

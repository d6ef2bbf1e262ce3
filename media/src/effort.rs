//! How hard the Opus encoders of one thread work: as hard as is wanted, less when the thread has little time left. A
//! call with plainer sound is better than one with gaps.

/// Above this load the effort falls, by two steps at a time: each saves a tenth of an encoder's time.
const TOO_BUSY: f64 = 0.7;
const DOWN: i32 = 2;
/// Below this load it rises again, by one.
const CALM: f64 = 0.45;
const UP: i32 = 1;

/// The effort of one thread's encoders.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    most: i32,
    current: i32,
}

impl Effort {
    /// Begin with the most that is wanted, 0 to 10.
    #[must_use]
    pub fn new(most: i32) -> Effort {
        Effort { most, current: most }
    }

    /// The thread measured its load, a share of a core; the new effort if it changes.
    pub fn on_load(&mut self, load: f64) -> Option<i32> {
        let wanted = if load > TOO_BUSY {
            (self.current - DOWN).max(0)
        } else if load < CALM {
            (self.current + UP).min(self.most)
        } else {
            self.current
        };
        let changes = wanted != self.current;
        self.current = wanted;
        changes.then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_works_less_hard_and_a_calm_one_as_before() {
        let mut effort = Effort::new(5);
        let seen: Vec<_> = [0.3, 0.9, 0.9, 0.9, 0.9, 0.6, 0.4].map(|load| effort.on_load(load)).into();
        assert_eq!(seen, [None, Some(3), Some(1), Some(0), None, None, Some(1)]);
        assert_eq!((0..9).filter_map(|_| effort.on_load(0.0)).last(), Some(5));
        assert_eq!(effort.on_load(0.0), None);
    }
}

//! For whom a line of samples is made, and what that changes.

/// Who hears the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A party of the call: every piece comes at its time, and something in the place of what does not come.
    Party,
    /// Somebody who hears it later: what is there comes at once, and nothing is invented while nothing comes.
    Later,
}

impl Listener {
    /// A missing packet is waited for at least this long after its best arrival, in µs: one that the next packet overtook
    /// is there by then.
    pub(super) const fn patience(self) -> i64 {
        match self {
            Listener::Party => 40_000,
            Listener::Later => 100_000,
        }
    }

    /// Media time before which nothing is expected, in samples: what the line, made up to `position`, has passed. It waits for
    /// who hears it later, but not for what is older than `hopeless`, which no buffer is deep enough for.
    pub(super) fn passed(self, position: i64, hopeless: i64) -> i64 {
        match self {
            Listener::Party => position,
            Listener::Later => position.max(hopeless),
        }
    }
}

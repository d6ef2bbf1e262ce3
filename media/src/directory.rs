//! Which leg a packet on the shared port belongs to, and which thread holds that leg.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::outbox::PathChange;
use crate::path::{LegId, Path};

/// Where a leg lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Number of the thread.
    pub shard: usize,
    /// The leg.
    pub leg: LegId,
}

#[derive(Default)]
struct Maps {
    by_ufrag: HashMap<Box<[u8]>, Home>,
    /// Only paths over which an authenticated check came, so strangers cannot fill it.
    by_path: HashMap<Path, Home>,
}

/// Shared by all threads; read per packet of the shared port, written when a call begins, moves, ends or restarts ICE.
/// A writer goes through all entries to find a leg's old names, and packets wait for it meanwhile (ADR 0007).
#[derive(Default)]
pub struct Directory(RwLock<Maps>);

impl Directory {
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leg that a binding request names.
    #[must_use]
    pub fn by_ufrag(&self, ufrag: &[u8]) -> Option<Home> {
        self.read().by_ufrag.get(ufrag).copied()
    }

    /// The leg that sends over this path.
    #[must_use]
    pub fn by_path(&self, path: Path) -> Option<Home> {
        self.read().by_path.get(&path).copied()
    }

    /// Give a ufrag to a leg, instead of its old one; false when another leg has it.
    pub fn name(&self, ufrag: &str, home: Home) -> bool {
        let mut maps = self.write();
        if maps.by_ufrag.get(ufrag.as_bytes()).is_some_and(|other| other.leg != home.leg) {
            return false;
        }
        maps.by_ufrag.retain(|_, other| other.leg != home.leg);
        maps.by_ufrag.insert(ufrag.as_bytes().into(), home);
        true
    }

    /// A path began or ceased to belong to a leg of this thread. The latest leg to prove itself has the path.
    pub fn change_path(&self, shard: usize, change: PathChange) {
        match change {
            PathChange::Added(path, leg) => {
                let home = Home { shard, leg };
                if self.by_path(path) != Some(home) {
                    self.write().by_path.insert(path, home);
                }
            }
            PathChange::Removed(path, leg) => {
                let mut maps = self.write();
                if maps.by_path.get(&path).is_some_and(|home| home.leg == leg) {
                    maps.by_path.remove(&path);
                }
            }
        }
    }

    /// The leg moved to another thread.
    pub fn move_leg(&self, leg: LegId, shard: usize) {
        let maps = &mut *self.write();
        for home in maps.by_ufrag.values_mut().chain(maps.by_path.values_mut()).filter(|home| home.leg == leg) {
            home.shard = shard;
        }
    }

    /// The leg is gone.
    pub fn forget(&self, leg: LegId) {
        let mut maps = self.write();
        maps.by_ufrag.retain(|_, home| home.leg != leg);
    }

    /// How many ufrags and paths are known.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        let maps = self.read();
        (maps.by_ufrag.len(), maps.by_path.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::SocketId;

    const HOME: Home = Home { shard: 0, leg: LegId(1) };
    const OTHER: Home = Home { shard: 1, leg: LegId(2) };

    fn path() -> Path {
        Path { socket: SocketId(3), peer: ([127, 0, 0, 1], 9).into() }
    }

    #[test]
    fn a_leg_has_one_ufrag_and_nobody_can_take_it() {
        let directory = Directory::default();
        assert!(directory.name("old", HOME));
        assert!(directory.name("new", HOME));
        assert_eq!((directory.by_ufrag(b"old"), directory.by_ufrag(b"new")), (None, Some(HOME)));
        assert!(!directory.name("new", OTHER));
        directory.forget(HOME.leg);
        assert!(directory.name("new", OTHER));
    }

    #[test]
    fn a_path_belongs_to_the_leg_that_proved_itself_last() {
        let directory = Directory::default();
        directory.change_path(0, PathChange::Added(path(), HOME.leg));
        directory.change_path(1, PathChange::Added(path(), OTHER.leg));
        directory.change_path(0, PathChange::Removed(path(), HOME.leg));
        assert_eq!(directory.by_path(path()), Some(OTHER));
        directory.change_path(1, PathChange::Removed(path(), OTHER.leg));
        assert_eq!(directory.len(), (0, 0));
    }

    #[test]
    fn a_leg_that_moves_takes_its_names_along() {
        let directory = Directory::default();
        directory.name("u", HOME);
        directory.change_path(0, PathChange::Added(path(), HOME.leg));
        directory.move_leg(HOME.leg, 5);
        let moved = Some(Home { shard: 5, leg: HOME.leg });
        assert_eq!((directory.by_ufrag(b"u"), directory.by_path(path())), (moved, moved));
    }
}

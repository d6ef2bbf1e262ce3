//! Which leg a packet on the shared port belongs to, and which thread holds that leg. Media packets are found by their
//! path, in a map that the thread which reads the port has for itself; only STUN asks what all threads share.

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
struct Names {
    homes: HashMap<Box<[u8]>, Home>,
    by_leg: HashMap<LegId, Box<[u8]>>,
}

/// The ICE ufrags of all legs. Shared by all threads; read per STUN packet, written when a call begins, moves, ends or
/// restarts ICE.
#[derive(Default)]
pub struct Ufrags(RwLock<Names>);

impl Ufrags {
    fn read(&self) -> RwLockReadGuard<'_, Names> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leg that a binding request names.
    #[must_use]
    pub fn home(&self, ufrag: &[u8]) -> Option<Home> {
        self.read().homes.get(ufrag).copied()
    }

    /// Give a ufrag to a leg, instead of its old one; false when another leg has it.
    pub fn name(&self, ufrag: &str, home: Home) -> bool {
        let names = &mut *self.write();
        if names.homes.get(ufrag.as_bytes()).is_some_and(|other| other.leg != home.leg) {
            return false;
        }
        if let Some(old) = names.by_leg.insert(home.leg, ufrag.as_bytes().into()) {
            names.homes.remove(&old);
        }
        names.homes.insert(ufrag.as_bytes().into(), home);
        true
    }

    /// The leg moved to another thread.
    pub fn move_leg(&self, leg: LegId, shard: usize) {
        let names = &mut *self.write();
        if let Some(home) = names.by_leg.get(&leg).and_then(|ufrag| names.homes.get_mut(ufrag)) {
            home.shard = shard;
        }
    }

    /// The leg is gone.
    pub fn forget(&self, leg: LegId) {
        let names = &mut *self.write();
        if let Some(ufrag) = names.by_leg.remove(&leg) {
            names.homes.remove(&ufrag);
        }
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().homes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The paths of all legs on the shared port, known to the thread that reads it. Only paths over which an authenticated
/// check came, so strangers cannot fill it.
#[derive(Default)]
pub struct Paths(HashMap<Path, Home>);

impl Paths {
    /// The leg that sends over this path.
    #[must_use]
    pub fn home(&self, path: Path) -> Option<Home> {
        self.0.get(&path).copied()
    }

    /// A path began or ceased to belong to a leg of this thread. The latest leg to prove itself has the path.
    pub fn change(&mut self, shard: usize, change: PathChange) {
        match change {
            PathChange::Added(path, leg) => {
                self.0.insert(path, Home { shard, leg });
            }
            PathChange::Removed(path, leg) => {
                if self.home(path).is_some_and(|home| home.leg == leg) {
                    self.0.remove(&path);
                }
            }
        }
    }

    /// The leg moved to another thread.
    pub fn move_leg(&mut self, leg: LegId, shard: usize) {
        self.0.values_mut().filter(|home| home.leg == leg).for_each(|home| home.shard = shard);
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        let ufrags = Ufrags::default();
        assert!(ufrags.name("old", HOME));
        assert!(ufrags.name("new", HOME));
        assert_eq!((ufrags.home(b"old"), ufrags.home(b"new")), (None, Some(HOME)));
        assert!(!ufrags.name("new", OTHER));
        ufrags.forget(HOME.leg);
        assert!(ufrags.name("new", OTHER));
        ufrags.forget(OTHER.leg);
        assert!(ufrags.is_empty());
    }

    #[test]
    fn a_leg_may_take_its_own_ufrag_again() {
        let ufrags = Ufrags::default();
        assert!(ufrags.name("u", HOME) && ufrags.name("u", HOME));
        assert_eq!((ufrags.home(b"u"), ufrags.len()), (Some(HOME), 1));
    }

    #[test]
    fn a_path_belongs_to_the_leg_that_proved_itself_last() {
        let mut paths = Paths::default();
        paths.change(0, PathChange::Added(path(), HOME.leg));
        paths.change(1, PathChange::Added(path(), OTHER.leg));
        paths.change(0, PathChange::Removed(path(), HOME.leg));
        assert_eq!(paths.home(path()), Some(OTHER));
        paths.change(1, PathChange::Removed(path(), OTHER.leg));
        assert!(paths.is_empty());
    }

    #[test]
    fn a_leg_that_moves_takes_its_names_along() {
        let (ufrags, mut paths) = (Ufrags::default(), Paths::default());
        ufrags.name("u", HOME);
        paths.change(0, PathChange::Added(path(), HOME.leg));
        ufrags.move_leg(HOME.leg, 5);
        paths.move_leg(HOME.leg, 5);
        let moved = Some(Home { shard: 5, leg: HOME.leg });
        assert_eq!((ufrags.home(b"u"), paths.home(path())), (moved, moved));
    }
}

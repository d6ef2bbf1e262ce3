//! The ICE-lite half of a browser leg: which path the peer has chosen (RFC 8445 §2.5, §7.3, RFC 7675).
//!
//! A check with USE-CANDIDATE from anywhere moves the path: at once, or while media still comes over the old one, with the
//! first media over the new one, for a check can be overheard and sent again by a stranger, media cannot (RFC 3711 §3.3.2).
//! A plain check moves it only when there is no path yet (Chromium's first check is plain, and its `ClientHello` may come
//! before the nomination) or when the old path is silent (clients that nominate once and then change their address).
//! Whatever is authenticated is also consent.

use std::time::Duration;

use crate::path::Path;
use crate::stun::Password;

/// A path from which nothing valid came for this long gives way to a plain check; browsers check every 2.5 to 5 s and
/// send media in between.
const SILENT: Duration = Duration::from_secs(3);

/// Media that came so lately still comes: a few packets may be lost.
const STILL: Duration = Duration::from_millis(500);

/// Validated paths kept per leg: the chosen one and those that the peer may still switch to.
const MAX_PATHS: usize = 4;

/// What a valid check changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A path seen for the first time.
    pub added: Option<Path>,
    /// A path that fell out because there are too many.
    pub removed: Option<Path>,
    /// The peer nominated this path, or moved to it.
    pub nominated: Option<Path>,
}

#[derive(Clone, Copy)]
struct Selected {
    path: Path,
    nominated: bool,
}

/// Our side of ICE for one leg.
pub struct IceLite {
    ufrag: String,
    password: Password,
    selected: Option<Selected>,
    /// When media last came over the selected path.
    media: Option<Duration>,
    /// Nominated while media still came over the selected path.
    rival: Option<Path>,
    /// The path moved, and no check has told so yet.
    is_news: bool,
    /// Validated paths and when something valid last came over them.
    paths: Vec<(Path, Duration)>,
}

impl IceLite {
    /// An endpoint with these local credentials.
    #[must_use]
    pub fn new(ufrag: &str, pwd: &str) -> IceLite {
        IceLite {
            ufrag: ufrag.to_owned(),
            password: Password::new(pwd),
            selected: None,
            media: None,
            rival: None,
            is_news: false,
            paths: Vec::new(),
        }
    }

    /// New credentials; the old ones are refused from now on. The path stays until the peer chooses another
    /// (RFC 8445 §2.4).
    pub fn restart(&mut self, ufrag: &str, pwd: &str) {
        ufrag.clone_into(&mut self.ufrag);
        self.password = Password::new(pwd);
    }

    /// The local password, if the ufrag is ours.
    #[must_use]
    pub fn password_for(&self, ufrag: &[u8]) -> Option<&Password> {
        (self.ufrag.as_bytes() == ufrag).then_some(&self.password)
    }

    /// Where to send, once a valid check has come.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.selected.map(|selected| selected.path)
    }

    /// Whether the peer has nominated the path, rather than only tried it.
    #[must_use]
    pub fn is_nominated(&self) -> bool {
        self.selected.is_some_and(|selected| selected.nominated)
    }

    /// Every validated path.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.paths.iter().map(|(path, _)| *path)
    }

    /// Note that authenticated media came over `path`, which moves the path if it was nominated meanwhile.
    pub fn heard_media(&mut self, now: Duration, path: Path) {
        self.heard(now, path);
        if self.rival == Some(path) {
            self.select(path, true);
            self.is_news = true;
        }
        if self.path() == Some(path) {
            self.media = Some(now);
        }
    }

    /// Note that something authenticated came over `path`; false when no valid check ever did.
    fn heard(&mut self, now: Duration, path: Path) -> bool {
        match self.paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, at)) => {
                *at = now;
                true
            }
            None => false,
        }
    }

    /// Whether a valid check has come over `path`.
    #[must_use]
    pub fn is_valid(&self, path: Path) -> bool {
        self.paths.iter().any(|(known, _)| *known == path)
    }

    /// Take an authenticated binding request.
    pub fn on_check(&mut self, now: Duration, path: Path, use_candidate: bool) -> Change {
        let mut change = Change::default();
        if !self.heard(now, path) {
            change.added = Some(path);
            change.removed = self.make_room();
            self.paths.push((path, now));
        }
        if self.should_select(now, path, use_candidate) {
            let moved = self.selected.is_some_and(|old| old.path != path && old.nominated);
            self.select(path, use_candidate || moved);
            self.is_news = use_candidate || moved;
        } else if use_candidate && self.path() != Some(path) {
            self.rival = Some(path);
        }
        if std::mem::take(&mut self.is_news) {
            change.nominated = self.path();
        }
        change
    }

    fn select(&mut self, path: Path, nominated: bool) {
        self.selected = Some(Selected { path, nominated });
        (self.media, self.rival) = (None, None);
    }

    fn should_select(&self, now: Duration, path: Path, use_candidate: bool) -> bool {
        match self.selected {
            None => true,
            Some(old) if old.path == path => use_candidate && !old.nominated,
            Some(_) if use_candidate => self.media.is_none_or(|at| now.saturating_sub(at) >= STILL),
            Some(old) => self.is_silent(now, old.path),
        }
    }

    fn is_silent(&self, now: Duration, path: Path) -> bool {
        let last = self.paths.iter().find(|(known, _)| *known == path).map(|(_, at)| *at);
        last.is_none_or(|at| now.saturating_sub(at) >= SILENT)
    }

    /// Forget the longest silent path that is not in use, if there are too many.
    fn make_room(&mut self) -> Option<Path> {
        if self.paths.len() < MAX_PATHS {
            return None;
        }
        let in_use = self.path();
        let idle = self.paths.iter().enumerate().filter(|(_, (path, _))| Some(*path) != in_use);
        let oldest = idle.min_by_key(|(_, (_, at))| *at).map(|(index, _)| index)?;
        Some(self.paths.swap_remove(oldest).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::SocketId;

    const PLAIN: bool = false;
    const USE_CANDIDATE: bool = true;

    fn path(port: u16) -> Path {
        Path { socket: SocketId(3), peer: ([127, 0, 0, 1], port).into() }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_first_plain_check_makes_a_provisional_path_and_use_candidate_nominates_it() {
        let mut ice = IceLite::new("u", "p");
        let change = ice.on_check(at(0), path(1), PLAIN);
        assert_eq!(change, Change { added: Some(path(1)), ..Change::default() });
        assert_eq!((ice.path(), ice.is_nominated()), (Some(path(1)), false));
        assert_eq!(ice.on_check(at(1), path(1), USE_CANDIDATE).nominated, Some(path(1)));
        assert!(ice.is_nominated());
    }

    #[test]
    fn a_repeated_nomination_is_told_once() {
        let mut ice = IceLite::new("u", "p");
        assert_eq!(ice.on_check(at(0), path(1), USE_CANDIDATE).nominated, Some(path(1)));
        assert_eq!(ice.on_check(at(1), path(1), USE_CANDIDATE), Change::default());
    }

    #[test]
    fn use_candidate_from_a_new_source_moves_the_path_at_once() {
        let mut ice = IceLite::new("u", "p");
        ice.on_check(at(0), path(1), USE_CANDIDATE);
        assert_eq!(ice.on_check(at(0), path(2), USE_CANDIDATE).nominated, Some(path(2)));
        assert_eq!(ice.path(), Some(path(2)));
        assert!(ice.is_valid(path(1)), "packets under way still count");
    }

    #[test]
    fn while_media_comes_over_the_old_path_only_media_moves_it() {
        let ms = Duration::from_millis;
        let mut ice = IceLite::new("u", "p");
        ice.on_check(ms(0), path(1), USE_CANDIDATE);
        ice.heard_media(ms(100), path(1));
        // Overheard and sent again by a stranger, or the browser on its way to another network.
        assert_eq!(ice.on_check(ms(200), path(2), USE_CANDIDATE).nominated, None);
        ice.heard_media(ms(300), path(1));
        assert_eq!(ice.path(), Some(path(1)));
        ice.heard_media(ms(320), path(2));
        assert_eq!(ice.path(), Some(path(2)));
        assert_eq!(ice.on_check(ms(330), path(2), PLAIN).nominated, Some(path(2)), "told with the next check");
        assert_eq!(ice.on_check(ms(340), path(2), PLAIN).nominated, None);
    }

    #[test]
    fn once_media_ceases_on_the_old_path_a_nomination_moves_it() {
        let ms = Duration::from_millis;
        let mut ice = IceLite::new("u", "p");
        ice.on_check(ms(0), path(1), USE_CANDIDATE);
        ice.heard_media(ms(100), path(1));
        assert_eq!(ice.on_check(ms(599), path(2), USE_CANDIDATE).nominated, None);
        assert_eq!(ice.on_check(ms(600), path(2), USE_CANDIDATE).nominated, Some(path(2)));
    }

    #[test]
    fn a_plain_check_moves_the_path_only_once_the_old_one_is_silent() {
        let mut ice = IceLite::new("u", "p");
        ice.on_check(at(0), path(1), USE_CANDIDATE);
        assert_eq!(ice.on_check(at(2), path(2), PLAIN).nominated, None);
        ice.heard(at(3), path(1));
        assert_eq!(ice.on_check(at(5), path(2), PLAIN).nominated, None);
        assert_eq!(ice.on_check(at(6), path(2), PLAIN).nominated, Some(path(2)));
    }

    #[test]
    fn a_restart_refuses_the_old_ufrag_and_keeps_the_path() {
        let mut ice = IceLite::new("old", "p");
        ice.on_check(at(0), path(1), USE_CANDIDATE);
        ice.restart("new", "q");
        assert!(ice.password_for(b"old").is_none());
        assert!(ice.password_for(b"new").is_some());
        assert_eq!(ice.path(), Some(path(1)));
    }

    #[test]
    fn paths_are_bounded_and_the_chosen_one_never_falls_out() {
        let mut ice = IceLite::new("u", "p");
        ice.on_check(at(0), path(1), USE_CANDIDATE);
        for port in 2..=4 {
            ice.on_check(at(1), path(port), PLAIN);
        }
        let change = ice.on_check(at(2), path(5), PLAIN);
        assert_eq!((change.added, change.removed), (Some(path(5)), Some(path(2))));
        assert!(ice.is_valid(path(1)));
    }

    #[test]
    fn a_path_without_a_valid_check_is_a_stranger() {
        let mut ice = IceLite::new("u", "p");
        assert!(!ice.heard(at(0), path(1)));
        assert!(!ice.is_valid(path(1)));
    }
}

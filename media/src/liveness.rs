//! Whether a leg's peer is still there: media started, media stalled, silent, returned, dead.

use std::time::Duration;

use crate::event::Event;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// No RTP yet.
    Awaited,
    /// RTP comes.
    Flowing,
    /// RTP came, and said that it would rest.
    Resting,
    /// RTP came once, but not lately.
    Stalled,
}

/// How long is too long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without RTP until `MediaStalled`.
    pub stall: Duration,
    /// Without anything valid until `Dead`.
    pub dead: Duration,
    /// Without anything valid until `Silent`, for a peer that keeps checking (RFC 7675 §5.1: every 4 to 6 s).
    pub silent: Duration,
}

impl Limits {
    /// All of them, to be checked.
    #[must_use]
    pub fn all(&self) -> [Duration; 3] {
        [self.stall, self.dead, self.silent]
    }
}

/// What silence of a peer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A browser that was here once never stops checking: it is silent soon and may return. One that never came is dead.
    Checking,
    /// Nothing need come for a while: it is dead after long.
    Quiet,
}

/// The watch over one leg. Events come once per change.
pub struct Liveness {
    limits: Limits,
    presence: Presence,
    media: Media,
    last_rtp: Duration,
    last_sign: Duration,
    /// Whether silence counts: not before the peer's address is known, not on hold.
    watching: bool,
    /// Whether there was ever a sign of life.
    seen: bool,
    /// Whether `Silent` or `Dead` was told and nothing came since.
    told: bool,
}

impl Presence {
    /// What would have shown life, for the sentence.
    fn signs(self) -> &'static str {
        match self {
            Presence::Checking => "STUN or SRTP",
            Presence::Quiet => "RTP or RTCP",
        }
    }
}

impl Liveness {
    /// A watch that begins at `now`, or with [`Liveness::watch`].
    #[must_use]
    pub fn new(now: Duration, limits: Limits, presence: Presence, watching: bool) -> Liveness {
        let (media, last_rtp, last_sign) = (Media::Awaited, now, now);
        Liveness { limits, presence, media, last_rtp, last_sign, watching, seen: false, told: false }
    }

    /// A valid RTP packet came.
    pub fn on_rtp(&mut self, now: Duration) -> Option<Event> {
        self.last_rtp = now;
        let began = !matches!(self.media, Media::Flowing | Media::Resting);
        self.media = Media::Flowing;
        began.then_some(Event::MediaStarted)
    }

    /// The packet that just came told of a silence: until the peer talks again, nothing need come (RFC 3389 §4).
    pub fn fall_silent(&mut self) {
        self.media = Media::Resting;
    }

    /// Something valid came: STUN, RTCP, RTP.
    pub fn on_sign(&mut self, now: Duration) -> Option<Event> {
        let returned = self.is_silent();
        (self.last_sign, self.seen, self.told) = (now, true, false);
        returned.then_some(Event::Returned)
    }

    /// For how long there were signs of life after the last RTP.
    #[must_use]
    pub fn outlived(&self) -> Duration {
        self.last_sign.saturating_sub(self.last_rtp)
    }

    /// Begin or stop counting silence, anew from `now`.
    pub fn watch(&mut self, now: Duration, watching: bool) {
        (self.watching, self.last_sign, self.told) = (watching, now, false);
    }

    /// The peer's address may have changed: its first RTP is news again.
    pub fn await_media(&mut self) {
        self.media = Media::Awaited;
    }

    /// Tell what is overdue.
    pub fn on_timer(&mut self, now: Duration) -> Option<Event> {
        if self.stall_deadline().is_some_and(|at| at <= now) {
            self.media = Media::Stalled;
            return Some(Event::MediaStalled);
        }
        if self.silence_deadline().is_some_and(|at| at <= now) {
            self.told = true;
            let sentence = format!("no valid {} for {} s", self.presence.signs(), self.silence_limit().as_secs_f32());
            return Some(if self.is_silent() { Event::Silent(sentence) } else { Event::Dead(sentence) });
        }
        None
    }

    /// When `on_timer` has something to tell, if nothing comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.stall_deadline().into_iter().chain(self.silence_deadline()).min()
    }

    fn stall_deadline(&self) -> Option<Duration> {
        (self.media == Media::Flowing).then(|| self.last_rtp + self.limits.stall)
    }

    fn silence_deadline(&self) -> Option<Duration> {
        (self.watching && !self.told).then(|| self.last_sign + self.silence_limit())
    }

    fn silence_limit(&self) -> Duration {
        if self.may_return() { self.limits.silent } else { self.limits.dead }
    }

    fn is_silent(&self) -> bool {
        self.told && self.may_return()
    }

    fn may_return(&self) -> bool {
        self.seen && self.presence == Presence::Checking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const LIMITS: Limits =
        Limits { stall: Duration::from_secs(3), dead: Duration::from_secs(30), silent: Duration::from_secs(8) };

    fn liveness(presence: Presence) -> Liveness {
        Liveness::new(at(0), LIMITS, presence, true)
    }

    #[test]
    fn media_starts_stalls_and_starts_again_each_told_once() {
        let mut liveness = liveness(Presence::Quiet);
        assert_eq!(liveness.on_rtp(at(100)), Some(Event::MediaStarted));
        assert_eq!(liveness.on_rtp(at(120)), None);
        assert_eq!(liveness.deadline(), Some(at(3120)));
        assert_eq!(liveness.on_timer(at(3119)), None);
        assert_eq!(liveness.on_timer(at(3120)), Some(Event::MediaStalled));
        assert_eq!(liveness.on_timer(at(3121)), None);
        assert_eq!(liveness.on_rtp(at(4000)), Some(Event::MediaStarted));
    }

    #[test]
    fn media_that_rests_does_not_stall_until_talk_came_again() {
        let mut liveness = liveness(Presence::Quiet);
        liveness.on_rtp(at(0));
        liveness.fall_silent();
        assert_eq!(liveness.on_timer(at(10_000)), None);
        assert_eq!(liveness.on_rtp(at(20_000)), None);
        assert_eq!(liveness.on_timer(at(23_000)), Some(Event::MediaStalled));
    }

    #[test]
    fn a_quiet_peer_dies_once_and_any_sign_of_life_begins_anew() {
        let mut liveness = liveness(Presence::Quiet);
        assert_eq!(liveness.on_timer(at(30_000)), Some(Event::Dead("no valid RTP or RTCP for 30 s".into())));
        assert_eq!(liveness.on_timer(at(90_000)), None);
        assert_eq!(liveness.on_sign(at(90_000)), None);
        assert_eq!(liveness.deadline(), Some(at(120_000)));
    }

    #[test]
    fn a_browser_that_never_came_is_dead_and_one_that_was_here_is_silent() {
        let mut absent = liveness(Presence::Checking);
        assert_eq!(absent.deadline(), Some(at(30_000)));
        assert_eq!(absent.on_timer(at(30_000)), Some(Event::Dead("no valid STUN or SRTP for 30 s".into())));
        let mut present = liveness(Presence::Checking);
        assert_eq!(present.on_sign(at(100)), None);
        assert_eq!(present.on_timer(at(8099)), None);
        assert_eq!(present.on_timer(at(8100)), Some(Event::Silent("no valid STUN or SRTP for 8 s".into())));
        assert_eq!((present.on_timer(at(90_000)), present.deadline()), (None, None));
    }

    #[test]
    fn what_comes_after_the_last_rtp_shows_that_the_peer_outlived_it() {
        let mut liveness = liveness(Presence::Checking);
        for ms in [100, 120] {
            liveness.on_sign(at(ms));
            liveness.on_rtp(at(ms));
        }
        assert_eq!(liveness.outlived(), Duration::ZERO);
        liveness.on_sign(at(2600));
        assert_eq!(liveness.outlived(), Duration::from_millis(2480));
    }

    #[test]
    fn the_return_of_a_silent_browser_is_told_once() {
        let mut liveness = liveness(Presence::Checking);
        assert_eq!(liveness.on_sign(at(0)), None);
        assert!(liveness.on_timer(at(8000)).is_some());
        assert_eq!(liveness.on_sign(at(9000)), Some(Event::Returned));
        assert_eq!(liveness.on_sign(at(9020)), None);
        assert_eq!(liveness.deadline(), Some(at(17_020)));
    }

    #[test]
    fn checks_as_rare_as_consent_allows_are_no_silence() {
        let mut liveness = liveness(Presence::Checking);
        for check in 0..100 {
            assert_eq!(liveness.on_timer(at(6000 * check)), None);
            assert_eq!(liveness.on_sign(at(6000 * check)), None);
        }
    }

    #[test]
    fn a_silence_that_was_told_is_told_again_after_a_new_offer() {
        let mut liveness = liveness(Presence::Checking);
        assert_eq!(liveness.on_sign(at(0)), None);
        assert!(liveness.on_timer(at(8000)).is_some());
        liveness.watch(at(10_000), true);
        assert_eq!(liveness.deadline(), Some(at(18_000)));
        assert!(matches!(liveness.on_timer(at(18_000)), Some(Event::Silent(_))));
    }

    #[test]
    fn a_leg_that_is_not_watched_does_not_die() {
        let mut liveness = liveness(Presence::Quiet);
        liveness.watch(at(1), false);
        assert_eq!(liveness.on_timer(at(100_000)), None);
        liveness.watch(at(100_000), true);
        assert_eq!(liveness.deadline(), Some(at(130_000)));
    }
}

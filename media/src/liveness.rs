//! Whether a leg's peer is still there: media started, media stalled, dead.

use std::time::Duration;

use crate::event::Event;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// No RTP yet.
    Awaited,
    /// RTP comes.
    Flowing,
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
}

/// The watch over one leg. Events come once per change.
pub struct Liveness {
    limits: Limits,
    /// What would have shown life, for the sentence.
    signs: &'static str,
    media: Media,
    last_rtp: Duration,
    last_sign: Duration,
    /// Whether silence counts: not before the peer's address is known, not on hold.
    watching: bool,
    told_dead: bool,
}

impl Liveness {
    /// A watch that begins at `now`, or with [`Liveness::watch`].
    #[must_use]
    pub fn new(now: Duration, limits: Limits, signs: &'static str, watching: bool) -> Liveness {
        Liveness { limits, signs, media: Media::Awaited, last_rtp: now, last_sign: now, watching, told_dead: false }
    }

    /// A valid RTP packet came.
    pub fn on_rtp(&mut self, now: Duration) -> Option<Event> {
        self.on_sign(now);
        self.last_rtp = now;
        let began = self.media != Media::Flowing;
        self.media = Media::Flowing;
        began.then_some(Event::MediaStarted)
    }

    /// Something valid came: STUN, RTCP, RTP.
    pub fn on_sign(&mut self, now: Duration) {
        self.last_sign = now;
        self.told_dead = false;
    }

    /// Begin or stop counting silence, anew from `now`.
    pub fn watch(&mut self, now: Duration, watching: bool) {
        self.watching = watching;
        self.on_sign(now);
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
        if self.dead_deadline().is_some_and(|at| at <= now) {
            self.told_dead = true;
            let seconds = self.limits.dead.as_secs_f32();
            return Some(Event::Dead(format!("no valid {} for {seconds} s", self.signs)));
        }
        None
    }

    /// When `on_timer` has something to tell, if nothing comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.stall_deadline().into_iter().chain(self.dead_deadline()).min()
    }

    fn stall_deadline(&self) -> Option<Duration> {
        (self.media == Media::Flowing).then(|| self.last_rtp + self.limits.stall)
    }

    fn dead_deadline(&self) -> Option<Duration> {
        (self.watching && !self.told_dead).then(|| self.last_sign + self.limits.dead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn liveness() -> Liveness {
        Liveness::new(at(0), Limits { stall: at(3000), dead: at(30_000) }, "RTP", true)
    }

    #[test]
    fn media_starts_stalls_and_starts_again_each_told_once() {
        let mut liveness = liveness();
        assert_eq!(liveness.on_rtp(at(100)), Some(Event::MediaStarted));
        assert_eq!(liveness.on_rtp(at(120)), None);
        assert_eq!(liveness.deadline(), Some(at(3120)));
        assert_eq!(liveness.on_timer(at(3119)), None);
        assert_eq!(liveness.on_timer(at(3120)), Some(Event::MediaStalled));
        assert_eq!(liveness.on_timer(at(3121)), None);
        assert_eq!(liveness.on_rtp(at(4000)), Some(Event::MediaStarted));
    }

    #[test]
    fn silence_kills_once_and_any_sign_of_life_begins_anew() {
        let mut liveness = liveness();
        assert_eq!(liveness.on_timer(at(30_000)), Some(Event::Dead("no valid RTP for 30 s".into())));
        assert_eq!(liveness.on_timer(at(90_000)), None);
        liveness.on_sign(at(90_000));
        assert_eq!(liveness.deadline(), Some(at(120_000)));
    }

    #[test]
    fn a_leg_that_is_not_watched_does_not_die() {
        let mut liveness = liveness();
        liveness.watch(at(1), false);
        assert_eq!(liveness.on_timer(at(100_000)), None);
        liveness.watch(at(100_000), true);
        assert_eq!(liveness.deadline(), Some(at(130_000)));
    }
}

//! A sound being played to one listener: which packet is next, and when it is due. The packets themselves are shared.

use std::sync::Arc;
use std::time::Duration;

use crate::sound::{Cut, Frames};

/// A player this late lets the rest of its delay go: a burst of old packets would only be dropped by the listener.
const MAX_LAG: Duration = Duration::from_millis(100);

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Play {
    /// Names this playing; its end is told by it.
    pub number: u64,
    /// The packets.
    pub frames: Arc<Frames>,
    /// From the beginning again, until stopped.
    pub repeats: bool,
}

impl Play {
    fn end(&self) -> Option<usize> {
        (!self.repeats).then(|| self.frames.len())
    }
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub enum Due<'a> {
    /// Send this payload; after a pause that was longer than the packets if `resumes`.
    Payload {
        /// What to send.
        payload: &'a [u8],
        /// How long it is, in ticks.
        ticks: u32,
        /// Time passed that no packet filled.
        resumes: bool,
    },
    /// The last packet is sent: what comes next may be early, and must not be missed.
    End,
    /// It ends there, since it was stopped.
    Stopped,
}

/// One playing.
pub struct Player {
    play: Play,
    /// Index of the packet that goes next.
    next: usize,
    /// Index of the packet that does not go any more, if it is known.
    end: Option<usize>,
    is_stopped: bool,
    due: Duration,
}

impl Player {
    /// Begin at `start`.
    #[must_use]
    pub fn new(play: Play, start: Duration) -> Player {
        Player { end: play.end(), play, next: 0, is_stopped: false, due: start }
    }

    /// The name of this playing.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.play.number
    }

    /// What its packets are made for.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.play.frames.cut()
    }

    /// When `take` has something.
    #[must_use]
    pub fn due(&self) -> Duration {
        if self.is_over() { self.due.saturating_sub(self.frame()) } else { self.due }
    }

    /// When the packet after the latest one would be due.
    #[must_use]
    pub fn free_at(&self) -> Duration {
        self.due
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    fn frame(&self) -> Duration {
        Duration::from_millis(u64::from(self.play.frames.frame_ms()))
    }

    /// Play on from the same place with other packets of the same sound.
    pub fn exchange(&mut self, play: Play) {
        let played_ms = self.next as u64 * u64::from(self.play.frames.frame_ms());
        let next = played_ms / u64::from(play.frames.frame_ms().max(1));
        self.next = usize::try_from(next).unwrap_or(usize::MAX).min(play.frames.len());
        self.end = play.end();
        self.play = play;
    }

    /// End behind the next packet: the source's for the same time may have gone by already.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.is_stopped, true) && !self.is_over() {
            self.next %= self.play.frames.len();
            self.end = Some(self.next + 1);
        }
    }

    /// Whether it ends before its time.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// What is due at `now`, if anything; call again until `None`.
    pub fn take(&mut self, now: Duration) -> Option<Due<'_>> {
        let late = now.checked_sub(self.due())?;
        if self.is_over() {
            return Some(if self.is_stopped { Due::Stopped } else { Due::End });
        }
        let resumes = late > MAX_LAG;
        if resumes {
            self.due = now;
        }
        self.due += self.frame();
        let frames = &self.play.frames;
        let index = self.next % frames.len();
        self.next = index + 1;
        let payload = frames.payload(index)?;
        Some(Due::Payload { payload, ticks: frames.ticks(), resumes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::sound::Sound;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// 70 ms of sound in frames of 20 ms: four of them, the last one filled up.
    fn play(ptime_ms: u32, repeats: bool) -> Play {
        let sound = Sound::new(vec![0; 560], vec![0; 1120]).unwrap();
        Play { number: 1, frames: sound.frames(Cut { codec: Codec::Pcmu, ptime_ms }).unwrap(), repeats }
    }

    /// Lengths of what is due, and whether it resumes.
    fn due(player: &mut Player, now: Duration) -> Option<(usize, bool)> {
        match player.take(now)? {
            Due::Payload { payload, resumes, .. } => Some((payload.len(), resumes)),
            Due::End | Due::Stopped => Some((0, false)),
        }
    }

    #[test]
    fn packets_come_at_their_time_and_the_end_behind_the_last_one() {
        let mut player = Player::new(play(20, false), at(1000));
        assert_eq!(due(&mut player, at(999)), None);
        for n in 0..4 {
            assert_eq!(due(&mut player, at(999 + 20 * n)), None);
            assert_eq!(player.due(), at(1000 + 20 * n));
            assert_eq!(due(&mut player, at(1003 + 20 * n)), Some((160, false)));
        }
        assert_eq!(player.take(at(1063)), Some(Due::End));
        assert_eq!(player.free_at(), at(1080));
    }

    #[test]
    fn a_loop_has_no_end_and_no_gap() {
        let mut player = Player::new(play(10, true), at(0));
        assert!((0..50).all(|n| due(&mut player, at(10 * n)) == Some((80, false))));
    }

    #[test]
    fn a_short_delay_is_made_up_and_a_long_one_is_let_go() {
        let mut player = Player::new(play(20, true), at(0));
        let mut count = 0;
        while due(&mut player, at(60)).is_some() {
            count += 1;
        }
        assert_eq!(count, 4);
        assert_eq!(due(&mut player, at(5000)), Some((160, true)));
        assert_eq!((due(&mut player, at(5000)), player.due()), (None, at(5020)));
    }

    #[test]
    fn a_sound_that_is_stopped_ends_behind_its_next_packet() {
        let mut player = Player::new(play(20, true), at(1000));
        (0..4).for_each(|n| assert_eq!(due(&mut player, at(1000 + 20 * n)), Some((160, false))));
        player.stop();
        player.stop();
        assert_eq!(player.take(at(1079)), None);
        assert_eq!(due(&mut player, at(1080)), Some((160, false)));
        assert_eq!(player.take(at(1080)), Some(Due::Stopped));
    }

    #[test]
    fn other_packets_go_on_at_the_same_place() {
        let mut player = Player::new(play(20, false), at(0));
        due(&mut player, at(0));
        due(&mut player, at(20));
        player.exchange(play(10, false));
        let mut left = 0;
        while player.take(at(40 + 10 * left)) != Some(Due::End) {
            left += 1;
        }
        assert_eq!((left, player.cut().ptime_ms), (3, 10), "40 of 70 ms were played");
    }
}

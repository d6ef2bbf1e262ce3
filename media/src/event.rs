//! What Python is told, and the queue where it waits: bounded per leg, state events coalesced and never lost.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::dtmf::{Digit, Form};
use crate::path::LegId;

/// DTLS datagrams that may wait per leg; a flight of a handshake has fewer.
const MAX_DTLS: usize = 32;

/// Digits that may wait per leg: several minutes of the fastest dialling.
const MAX_DIGITS: usize = 256;

/// Something that happened on a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// One DTLS datagram over a validated path.
    Dtls(Vec<u8>),
    /// ICE chose this path.
    Nominated(String),
    /// RTP goes to this learned source, not where the SDP says; `None`: to the announced address again.
    Detour(Option<SocketAddr>),
    /// First RTP packet, or the first after a stall.
    MediaStarted,
    /// No RTP for a while.
    MediaStalled,
    /// All that arrived since the beginning is silence.
    Soundless,
    /// There was sound, but for long now only digital silence.
    Hushed,
    /// What was said of silence is over.
    Audible,
    /// Packets arrive and none of them can be authenticated.
    Undecryptable,
    /// A browser that was here shows no life any more; the sentence says for how long.
    Silent(String),
    /// A silent browser shows life again.
    Returned,
    /// One digit, when its end is certain, and how it came.
    Dtmf(Digit, Form),
    /// Nothing valid for long; the sentence says for how long.
    Dead(String),
    /// A bug of ours ended the leg.
    Broken,
    /// The playing of this number has ended by itself.
    Played(u64),
    /// The playing of this number never began: the leg's codec has no encoder here.
    Unplayable(u64),
    /// The peer left (RFC 3550 §6.6).
    RtcpBye,
    /// DTLS or digits were dropped because nobody took them.
    Overflow,
}

/// Events of one kind on one leg share a place or a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Dtls,
    Path,
    Media,
    Level,
    Keys,
    Digits,
    Silence,
    Dead,
    Broken,
    Played,
    Bye,
    Overflow,
}

impl Event {
    fn kind(&self) -> Kind {
        match self {
            Event::Dtls(_) => Kind::Dtls,
            Event::Nominated(_) | Event::Detour(_) => Kind::Path,
            Event::MediaStarted | Event::MediaStalled => Kind::Media,
            Event::Soundless | Event::Hushed | Event::Audible => Kind::Level,
            Event::Undecryptable => Kind::Keys,
            Event::Dtmf(..) => Kind::Digits,
            Event::Silent(_) | Event::Returned => Kind::Silence,
            Event::Dead(_) => Kind::Dead,
            Event::Broken => Kind::Broken,
            Event::Played(_) | Event::Unplayable(_) => Kind::Played,
            Event::RtcpBye => Kind::Bye,
            Event::Overflow => Kind::Overflow,
        }
    }
}

impl Kind {
    /// How many may wait; a state keeps only its latest value.
    fn limit(self) -> usize {
        match self {
            Kind::Dtls => MAX_DTLS,
            Kind::Digits => MAX_DIGITS,
            _ => 1,
        }
    }

    fn is_state(self) -> bool {
        self.limit() == 1
    }
}

/// Events waiting, oldest first.
#[derive(Default)]
pub struct Queue {
    events: VecDeque<(LegId, Event)>,
    /// Number of the event at the front of `events`.
    first: u64,
    /// How many wait of each kind, and the number of the latest.
    waiting: HashMap<(LegId, Kind), (usize, u64)>,
}

impl Queue {
    /// Add an event, or put it in the place of an older one of its kind; false if it was dropped.
    pub fn push(&mut self, leg: LegId, event: Event) -> bool {
        let kind = event.kind();
        let (count, latest) = self.waiting.get(&(leg, kind)).copied().unwrap_or_default();
        if count < kind.limit() {
            self.append(leg, event, count);
        } else if kind.is_state() {
            self.replace(latest, leg, event);
        } else {
            self.push(leg, Event::Overflow);
            return false;
        }
        true
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Take the oldest events.
    pub fn take(&mut self, at_most: usize) -> Vec<(LegId, Event)> {
        let count = at_most.min(self.events.len());
        let taken: Vec<_> = self.events.drain(..count).collect();
        self.first += count as u64;
        for (leg, event) in &taken {
            self.forget(*leg, event.kind());
        }
        taken
    }

    fn append(&mut self, leg: LegId, event: Event, waiting: usize) {
        let number = self.first + self.events.len() as u64;
        self.waiting.insert((leg, event.kind()), (waiting + 1, number));
        self.events.push_back((leg, event));
    }

    fn replace(&mut self, number: u64, leg: LegId, event: Event) {
        let place = usize::try_from(number - self.first).ok().and_then(|index| self.events.get_mut(index));
        if let Some(place) = place {
            *place = (leg, event);
        }
    }

    fn forget(&mut self, leg: LegId, kind: Kind) {
        if let Some((count, _)) = self.waiting.get_mut(&(leg, kind)) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&(leg, kind));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LegId = LegId(1);
    const B: LegId = LegId(2);

    fn five() -> Event {
        Event::Dtmf(Digit { event: 5, duration_ms: 100 }, Form::Event)
    }

    #[test]
    fn events_leave_oldest_first_and_at_most_as_many_as_asked() {
        let mut queue = Queue::default();
        queue.push(A, Event::MediaStarted);
        queue.push(B, Event::MediaStarted);
        queue.push(A, five());
        assert_eq!(queue.take(2), [(A, Event::MediaStarted), (B, Event::MediaStarted)]);
        assert_eq!(queue.take(2), [(A, five())]);
        assert!(queue.is_empty());
    }

    #[test]
    fn states_coalesce_per_leg_to_the_latest() {
        let mut queue = Queue::default();
        queue.push(A, Event::MediaStarted);
        queue.push(B, Event::MediaStarted);
        queue.push(A, Event::MediaStalled);
        queue.push(A, Event::Nominated("one".into()));
        queue.push(A, Event::Nominated("two".into()));
        let expected = [(A, Event::MediaStalled), (B, Event::MediaStarted), (A, Event::Nominated("two".into()))];
        assert_eq!(queue.take(10), expected);
    }

    #[test]
    fn a_state_is_told_again_after_it_was_taken() {
        let mut queue = Queue::default();
        for _ in 0..2 {
            queue.push(A, Event::MediaStarted);
            assert_eq!(queue.take(10), [(A, Event::MediaStarted)]);
        }
    }

    #[test]
    fn dtls_is_bounded_per_leg_and_the_loss_is_told_once() {
        let mut queue = Queue::default();
        let dropped = (0..100).filter(|n| !queue.push(A, Event::Dtls(vec![*n]))).count();
        assert_eq!(dropped, 100 - MAX_DTLS);
        queue.push(B, Event::Dtls(vec![1]));
        let taken = queue.take(1024);
        assert_eq!(taken.iter().filter(|(leg, _)| *leg == A).count(), MAX_DTLS + 1);
        assert_eq!(taken.iter().filter(|(_, event)| *event == Event::Overflow).count(), 1);
        assert_eq!(taken.last(), Some(&(B, Event::Dtls(vec![1]))));
    }

    #[test]
    fn places_stay_right_after_a_partial_take() {
        let mut queue = Queue::default();
        queue.push(B, Event::RtcpBye);
        queue.push(A, Event::MediaStarted);
        assert_eq!(queue.take(1), [(B, Event::RtcpBye)]);
        queue.push(A, Event::MediaStalled);
        assert_eq!(queue.take(10), [(A, Event::MediaStalled)]);
    }
}

//! The relay of one thread: its legs, the routes between them, and their timers. Sans-I/O: packets, commands and time
//! come in, the outbox says what to do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use crate::command::Command;
use crate::counters::{Dropped, Figures};
use crate::dtmf::{Digit, Form};
use crate::event::Event;
use crate::leg::{Leg, Received};
use crate::outbox::Outbox;
use crate::path::{LegId, Path};
use crate::prefetch::prefetch;
use crate::report::Onward;

/// Timers are rounded up to this: one wake-up then serves many legs.
const TICK: Duration = Duration::from_millis(1000 / TICKS_PER_S);
const TICKS_PER_S: u64 = 200;

/// Leg ids are small numbers of our own, so they need no protection against chosen collisions.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

/// The legs of one thread.
#[derive(Default)]
pub struct Relay {
    legs: HashMap<LegId, Box<Leg>, BuildHasherDefault<IdHasher>>,
    timers: BinaryHeap<Reverse<(u64, LegId)>>,
    /// The leg being worked on: the one to blame if that fails.
    busy: Option<LegId>,
    /// Effort of the Opus encoders, when it is another than their legs were made with.
    complexity: Option<i32>,
}

// In 64 bits: divisions by 128-bit numbers, as in `Duration::as_micros`, are slow, and every packet asks for ticks.
fn tick_at_or_after(time: Duration) -> u64 {
    let rest = u64::from(time.subsec_nanos()).div_ceil(u64::from(TICK.subsec_nanos()));
    time.as_secs().saturating_mul(TICKS_PER_S).saturating_add(rest)
}

fn time_of(tick: u64) -> Duration {
    Duration::from_millis(tick.saturating_mul(1000 / TICKS_PER_S))
}

impl Relay {
    /// Take a leg, new or from another thread.
    pub fn adopt(&mut self, mut leg: Box<Leg>) {
        let id = leg.id();
        leg.armed = None;
        if let Some(complexity) = self.complexity {
            leg.set_complexity(complexity);
        }
        self.legs.insert(id, leg);
        self.arm(id, 0);
    }

    /// Change the effort of all Opus encoders, 0 to 10.
    pub fn set_complexity(&mut self, complexity: i32) {
        self.complexity = Some(complexity);
        self.legs.values_mut().for_each(|leg| leg.set_complexity(complexity));
    }

    /// Give a leg to another thread, routes and all.
    pub fn release(&mut self, id: LegId) -> Option<Box<Leg>> {
        self.legs.remove(&id)
    }

    /// How many legs live here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    /// Whether no leg lives here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// The leg being worked on when a call into the relay did not return.
    #[must_use]
    pub fn busy(&self) -> Option<LegId> {
        self.busy
    }

    fn leg(&mut self, id: LegId) -> Option<&mut Leg> {
        self.busy = Some(id);
        self.legs.get_mut(&id).map(Box::as_mut)
    }

    /// A packet for this leg is about to be read: bring near what it will touch, also where it is sent on. In a call that is
    /// the leg's own source, which is known without looking further.
    pub fn expect(&self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else {
            return;
        };
        prefetch(leg.as_ref());
        if let Some(peer) = leg.source.and_then(|source| self.legs.get(&source)) {
            peer.expect_to_send();
        }
    }

    /// A packet for this leg came over `path`; false when the leg is not here.
    pub fn on_packet(&mut self, now: Duration, id: LegId, path: Path, data: &mut [u8], out: &mut Outbox) -> bool {
        let Some(leg) = self.leg(id) else {
            return false;
        };
        let received = leg.on_packet(now, path, data, out);
        self.deliver(now, id, &received, out);
        self.arm(id, 0);
        true
    }

    /// Hand what a leg received to the legs that it is routed to.
    fn deliver(&mut self, now: Duration, source: LegId, received: &Received, out: &mut Outbox) {
        let mut index = 0;
        while let Some(destination) = self.destination(source, index) {
            index += 1;
            let Some(leg) = self.leg(destination) else {
                continue;
            };
            if let Some(media) = &received.media {
                leg.forward(now, media, out);
            }
            for digit in received.digits.iter().flatten() {
                leg.forward_digit(now, *digit, out);
            }
            self.arm(destination, 0);
        }
    }

    fn destination(&self, source: LegId, index: usize) -> Option<LegId> {
        self.legs.get(&source)?.destinations.get(index).copied()
    }

    /// Do what was asked of a leg.
    pub fn on_command(&mut self, now: Duration, id: LegId, command: Command, out: &mut Outbox) {
        match command {
            Command::SetSource(source) => self.set_source(id, source),
            Command::SetReceiving(_) => self.interrupt_destinations(id),
            Command::Hear(digit) => self.hear(now, id, digit, out),
            _ => {}
        }
        let Some(leg) = self.leg(id) else {
            return;
        };
        let early = leg.apply(now, command, out);
        for (path, mut packet) in early {
            self.on_packet(now, id, path, &mut packet, out);
        }
        self.arm(id, 0);
    }

    /// The peer of a leg sent a digit outside its media.
    fn hear(&mut self, now: Duration, id: LegId, digit: Digit, out: &mut Outbox) {
        let digit = self.leg(id).and_then(|leg| leg.hear(now, digit, Form::Info, out));
        self.deliver(now, id, &Received { media: None, digits: [digit, None, None, None] }, out);
    }

    fn interrupt_destinations(&mut self, source: LegId) {
        let mut index = 0;
        while let Some(destination) = self.destination(source, index) {
            index += 1;
            if let Some(leg) = self.leg(destination) {
                leg.interrupt();
            }
        }
    }

    fn set_source(&mut self, id: LegId, source: Option<LegId>) {
        let source = source.filter(|source| self.legs.contains_key(source));
        let Some(leg) = self.leg(id) else {
            return;
        };
        let old = std::mem::replace(&mut leg.source, source);
        if old != source {
            // What an old source announced, such as a silence to be filled, holds no longer.
            leg.interrupt();
        }
        if let Some(leg) = old.and_then(|old| self.leg(old)) {
            leg.destinations.retain(|destination| *destination != id);
        }
        if let Some(leg) = source.and_then(|source| self.leg(source)) {
            leg.destinations.push(id);
        }
    }

    /// End a leg politely; its last figures.
    pub fn close(&mut self, now: Duration, id: LegId, out: &mut Outbox) -> Option<Figures> {
        let leg = self.leg(id)?;
        leg.close(now, out);
        let figures = self.figures(id);
        self.forget(id);
        figures
    }

    /// End a leg that broke, and tell.
    pub fn kill(&mut self, id: LegId, out: &mut Outbox) {
        if let Some(leg) = self.legs.get(&id) {
            leg.release_paths(out);
            out.event(id, Event::Broken);
            self.forget(id);
        }
    }

    fn forget(&mut self, id: LegId) {
        self.leave_onward(id);
        let destinations = self.legs.get(&id).map(|leg| leg.destinations.clone()).unwrap_or_default();
        self.set_source(id, None);
        for destination in destinations {
            self.set_source(destination, None);
        }
        self.legs.remove(&id);
    }

    /// Everything counted and measured on a leg.
    #[must_use]
    pub fn figures(&self, id: LegId) -> Option<Figures> {
        self.legs.get(&id).map(|leg| leg.figures(self.onward(id)))
    }

    /// Something of a leg was dropped outside of it.
    pub fn count_dropped(&mut self, id: LegId, reason: Dropped) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.count_dropped(reason);
        }
    }

    /// Set the leg's timer, not before `earliest`, unless it is set to ring sooner.
    fn arm(&mut self, id: LegId, earliest: u64) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let tick = tick_at_or_after(leg.deadline()).max(earliest);
        if leg.armed.is_none_or(|armed| tick < armed) {
            leg.armed = Some(tick);
            self.timers.push(Reverse((tick, id)));
        }
    }

    /// When `on_timer` has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.peek().map(|Reverse((tick, _))| time_of(*tick))
    }

    /// Ring the timers that are due.
    pub fn on_timer(&mut self, now: Duration, out: &mut Outbox) {
        while let Some(Reverse((tick, id))) = self.timers.peek().copied() {
            if time_of(tick) > now {
                break;
            }
            self.timers.pop();
            self.ring(now, tick, id, out);
        }
    }

    fn ring(&mut self, now: Duration, tick: u64, id: LegId, out: &mut Outbox) {
        let Some(mut leg) = self.leg(id).filter(|leg| leg.armed == Some(tick)) else {
            return;
        };
        leg.armed = None;
        if leg.tells_onward(now) {
            let onward = self.onward(id);
            let Some(same) = self.leg(id) else {
                return;
            };
            same.set_onward(onward);
            leg = same;
        }
        let digit: Option<Digit> = leg.on_timer(now, out);
        let received = Received { media: None, digits: [digit, None, None, None] };
        self.deliver(now, id, &received, out);
        // Never twice in one tick, whatever the leg says.
        self.arm(id, tick_at_or_after(now) + 1);
    }

    /// What became of the packets of a leg's peer where they are sent on, or were.
    fn onward(&self, id: LegId) -> Onward {
        let destination = self.destination(id, 0).and_then(|destination| self.legs.get(&destination));
        let last = || self.legs.get(&id).map(|leg| leg.last_onward()).unwrap_or_default();
        destination.map_or_else(last, |leg| leg.onward())
    }

    /// A leg that goes leaves its source what became of the packets.
    fn leave_onward(&mut self, id: LegId) {
        let Some((source, onward)) = self.legs.get(&id).and_then(|leg| Some((leg.source?, leg.onward()))) else {
            return;
        };
        if let Some(source) = self.leg(source) {
            source.set_onward(onward);
        }
    }
}

#[cfg(test)]
mod tests;

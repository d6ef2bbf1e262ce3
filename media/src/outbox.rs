//! What the relay wants done: packets to send, events to tell, paths to remember. Reused from one round to the next, so
//! that a packet costs no allocation.

use crate::event::Event;
use crate::path::{LegId, Path};

/// The longest datagram that we send; Ethernet's MTU with room for SRTP's tag.
pub const MAX_PACKET: usize = 1500;

/// One packet, in the outbox's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Who sends it, for the counters.
    pub leg: LegId,
    /// Where it goes.
    pub path: Path,
    start: usize,
    len: usize,
}

/// A path that began or ceased to belong to a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// What comes from here belongs to this leg.
    Added(Path, LegId),
    /// No longer.
    Removed(Path, LegId),
}

/// Results of handling packets, commands and timers.
#[derive(Default)]
pub struct Outbox {
    buffer: Vec<u8>,
    used: usize,
    entries: Vec<Entry>,
    /// For Python.
    pub events: Vec<(LegId, Event)>,
    /// For whoever sorts the shared port's packets.
    pub paths: Vec<PathChange>,
}

impl Outbox {
    /// Add a packet that `write` makes in place; it returns the length, or `None` for no packet after all.
    pub fn packet(&mut self, leg: LegId, path: Path, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let end = self.used + MAX_PACKET;
        if self.buffer.len() < end {
            self.buffer.resize(end.next_power_of_two(), 0);
        }
        let Some(len) = write(&mut self.buffer[self.used..end]) else {
            return false;
        };
        self.entries.push(Entry { leg, path, start: self.used, len });
        self.used += len;
        true
    }

    /// Add an event.
    pub fn event(&mut self, leg: LegId, event: Event) {
        self.events.push((leg, event));
    }

    /// Packets waiting.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The bytes of a packet.
    #[must_use]
    pub fn bytes(&self, entry: &Entry) -> &[u8] {
        &self.buffer[entry.start..entry.start + entry.len]
    }

    /// The packets have been sent.
    pub fn clear_packets(&mut self) {
        self.entries.clear();
        self.used = 0;
    }
}

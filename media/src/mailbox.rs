//! How threads talk: messages for a media thread, events for Python.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::Command;
use crate::counters::{Drops, Figures};
use crate::event::{Event, Queue};
use crate::leg::Leg;
use crate::outbox::PathChange;
use crate::path::{LegId, Path};
use crate::ports::Pair;
use crate::socket::EventFd;

/// Lock, even if another thread panicked meanwhile: what is inside is sound between any two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A leg with its own sockets, on its way to a thread.
pub struct Parcel {
    /// The leg.
    pub leg: Box<Leg>,
    /// The sockets of an RTP leg.
    pub sockets: Option<Pair>,
}

/// Bytes of packets that may wait for a thread: what its sockets hold by default, and seconds of a full thread's traffic.
const MAX_WAITING: usize = 4 << 20;

/// Packets of the shared port that another thread received.
#[derive(Default)]
pub struct Packets {
    bytes: Vec<u8>,
    entries: Vec<(LegId, Path, usize)>,
}

impl Packets {
    /// Add a packet.
    pub fn push(&mut self, leg: LegId, path: Path, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.entries.push((leg, path, data.len()));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What they take in memory, in bytes.
    fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<(LegId, Path, usize)>()
    }

    /// Visit each packet in order.
    pub fn visit(&mut self, mut visit: impl FnMut(LegId, Path, &mut [u8])) {
        let mut rest = &mut self.bytes[..];
        for (leg, path, len) in &self.entries {
            let (packet, behind) = rest.split_at_mut(*len);
            visit(*leg, *path, packet);
            rest = behind;
        }
    }
}

/// What one thread counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Legs alive.
    pub legs: usize,
    /// Paths known on the shared port; only the thread that reads it knows any.
    pub paths: usize,
    /// Packets of the shared port that no leg got.
    pub drops: Drops,
    /// Legs ended because handling their packets failed.
    pub failures: u64,
}

/// A message for a media thread. A dropped `Sender` means that there is no answer.
pub enum Message {
    /// Do this on a leg.
    Command(LegId, Command),
    /// Take this leg.
    Adopt(Parcel),
    /// Give this leg away.
    Release(LegId, Sender<Parcel>),
    /// End this leg; its last figures.
    Close(LegId, Sender<Figures>),
    /// Figures of this leg.
    Figures(LegId, Sender<Figures>),
    /// Figures of the thread.
    Totals(Sender<Totals>),
    /// Packets for legs of this thread.
    Packets(Packets),
    /// For the thread that reads the shared port: what changed on the paths of a thread's legs.
    Paths(usize, Vec<PathChange>),
    /// For the same: a leg moved to a thread.
    Moved(LegId, usize),
    /// End.
    Stop,
}

/// Messages waiting for a thread.
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    wake: EventFd,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Message>,
    /// Bytes of the packets among them.
    packets: usize,
}

impl Mailbox {
    /// An empty one.
    ///
    /// # Errors
    /// Too many open files.
    pub fn new() -> io::Result<Mailbox> {
        Ok(Mailbox { waiting: Mutex::default(), wake: EventFd::new()? })
    }

    /// Leave a message.
    pub fn post(&self, message: Message) {
        self.add(&mut lock(&self.waiting), message);
    }

    /// Leave packets; false if so many wait that these are dropped.
    #[must_use]
    pub fn post_packets(&self, packets: Packets) -> bool {
        let mut waiting = lock(&self.waiting);
        let size = waiting.packets + packets.size();
        if size > MAX_WAITING {
            return false;
        }
        waiting.packets = size;
        self.add(&mut waiting, Message::Packets(packets));
        true
    }

    fn add(&self, waiting: &mut Waiting, message: Message) {
        waiting.messages.push(message);
        if waiting.messages.len() == 1 {
            self.wake.signal();
        }
    }

    /// Take all messages.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        let mut waiting = lock(&self.waiting);
        self.wake.clear();
        mem::take(&mut *waiting).messages
    }
}

impl AsRawFd for Mailbox {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

/// Events waiting for Python.
pub struct Events {
    queue: Mutex<Queue>,
    readable: EventFd,
}

impl Events {
    /// None yet.
    ///
    /// # Errors
    /// Too many open files.
    pub fn new() -> io::Result<Events> {
        Ok(Events { queue: Mutex::default(), readable: EventFd::new()? })
    }

    /// Add events; `dropped` hears of each that had no room.
    pub fn push(&self, events: &mut Vec<(LegId, Event)>, dropped: &mut impl FnMut(LegId)) {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        for (leg, event) in events.drain(..) {
            if !queue.push(leg, event) {
                dropped(leg);
            }
        }
        if was_empty && !queue.is_empty() {
            self.readable.signal();
        }
    }

    /// Take the oldest events.
    #[must_use]
    pub fn take(&self, at_most: usize) -> Vec<(LegId, Event)> {
        let mut queue = lock(&self.queue);
        let taken = queue.take(at_most);
        if queue.is_empty() {
            self.readable.clear();
        }
        taken
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.readable.as_raw_fd()
    }
}

/// The descriptor of a socket as the relay names it.
#[must_use]
pub fn socket_id(socket: &UdpSocket) -> crate::path::SocketId {
    crate::path::SocketId(socket.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::SocketId;

    fn packets(count: usize, len: usize) -> Packets {
        let mut packets = Packets::default();
        let path = Path { socket: SocketId(-1), peer: ([192, 0, 2, 1], 5).into() };
        (0..count).for_each(|_| packets.push(LegId(1), path, &vec![0; len]));
        packets
    }

    #[test]
    fn packets_that_nobody_takes_are_bounded_by_their_bytes() {
        let mailbox = Mailbox::new().unwrap();
        let batch = packets(32, 1000);
        let (size, mut posted) = (batch.size(), 0);
        while mailbox.post_packets(packets(32, 1000)) {
            posted += 1;
        }
        assert_eq!(posted, MAX_WAITING / size);
        mailbox.post(Message::Stop);
        assert_eq!(mailbox.take().len(), posted + 1, "what was asked is never dropped");
        assert!(mailbox.post_packets(batch), "there is room again");
    }

    #[test]
    fn empty_packets_count_too() {
        let mailbox = Mailbox::new().unwrap();
        let most = MAX_WAITING / packets(1, 0).size();
        assert!(mailbox.post_packets(packets(most, 0)));
        assert!(!mailbox.post_packets(packets(1, 0)));
    }
}

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
    /// End.
    Stop,
}

/// Messages waiting for a thread.
pub struct Mailbox {
    waiting: Mutex<Vec<Message>>,
    wake: EventFd,
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
        let mut waiting = lock(&self.waiting);
        waiting.push(message);
        if waiting.len() == 1 {
            self.wake.signal();
        }
    }

    /// Take all messages.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        let mut waiting = lock(&self.waiting);
        self.wake.clear();
        mem::take(&mut *waiting)
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

    /// Add events.
    pub fn push(&self, events: &mut Vec<(LegId, Event)>) {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        for (leg, event) in events.drain(..) {
            queue.push(leg, event);
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

//! Where a datagram came from and where an answer goes: one of our sockets and the peer's address on it.

use std::fmt;
use std::net::SocketAddr;

/// Names one of our sockets; only `engine` and `socket` know what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub i32);

/// A way to the peer. The rest of the crate only compares paths, so that one can become something else than a UDP
/// address (ICE-TCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our end.
    pub socket: SocketId,
    /// The peer's end.
    pub peer: SocketAddr,
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(formatter)
    }
}

/// Names one leg for its whole life; never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

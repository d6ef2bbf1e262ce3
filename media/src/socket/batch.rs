//! Many datagrams per system call: recvmmsg and sendmmsg.

use std::io::{self, ErrorKind};
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::ptr::null_mut;

use libc::{c_uint, iovec, mmsghdr};

use super::address::RawAddress;
use crate::outbox::{Entry, Outbox};
use crate::path::LegId;

/// Room per received datagram; what is longer is cut by the system, noticed and dropped.
const SLOT: usize = 2048;

fn count(len: usize) -> c_uint {
    c_uint::try_from(len).unwrap_or(c_uint::MAX)
}

/// No datagram, if that is all that the error says.
fn nothing_or(error: io::Error) -> io::Result<usize> {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) { Ok(0) } else { Err(error) }
}

/// Buffers for datagrams received together.
pub struct ReceiveBatch {
    data: Vec<u8>,
    addresses: Vec<RawAddress>,
    vectors: Vec<iovec>,
    messages: Vec<mmsghdr>,
    received: usize,
}

// SAFETY: the raw pointers inside point only into the vectors of the same value, whose heap blocks move with it unchanged
// and are never resized.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    /// Room for `capacity` datagrams.
    #[must_use]
    pub fn new(capacity: usize) -> ReceiveBatch {
        // SAFETY: all-zero is a valid iovec and mmsghdr: null pointers with length zero.
        let (vector, message): (iovec, mmsghdr) = unsafe { (zeroed(), zeroed()) };
        let mut batch = ReceiveBatch {
            data: vec![0; capacity * SLOT],
            addresses: vec![RawAddress::default(); capacity],
            vectors: vec![vector; capacity],
            messages: vec![message; capacity],
            received: 0,
        };
        batch.prepare();
        batch
    }

    /// Make every header point to its slot and its address, once for all calls.
    fn prepare(&mut self) {
        let slots = self.data.chunks_exact_mut(SLOT).zip(&mut self.addresses);
        for ((slot, address), (vector, message)) in slots.zip(self.vectors.iter_mut().zip(&mut self.messages)) {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = SLOT;
            message.msg_hdr.msg_name = address.as_mut_ptr().cast();
            message.msg_hdr.msg_namelen = RawAddress::CAPACITY;
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
    }

    /// Take what waits in the socket, up to the capacity; how many datagrams that are.
    ///
    /// # Errors
    /// What the system says; that nothing waits is no error.
    pub fn receive(&mut self, socket: RawFd) -> io::Result<usize> {
        for message in &mut self.messages[..self.received] {
            // The last call wrote the lengths of what it received here.
            message.msg_hdr.msg_namelen = RawAddress::CAPACITY;
        }
        self.received = 0;
        let (messages, len) = (self.messages.as_mut_ptr(), count(self.messages.len()));
        // SAFETY: `prepare` made every header point to a slot and an address of this value, which the call may fill and
        // which live until it returns; the timeout may be null.
        let result = unsafe { libc::recvmmsg(socket, messages, len, libc::MSG_DONTWAIT, null_mut()) };
        match super::check(result) {
            Ok(received) => self.received = usize::try_from(received).unwrap_or(0),
            Err(error) => return nothing_or(error),
        }
        Ok(self.received)
    }

    /// Take one datagram: cheaper than [`ReceiveBatch::receive`], which looks for a second one after the last. How many
    /// that are, 0 or 1.
    ///
    /// # Errors
    /// What the system says; that nothing waits is no error.
    pub fn receive_one(&mut self, socket: RawFd) -> io::Result<usize> {
        self.received = 0;
        let Some((message, (slot, address))) =
            self.messages.first_mut().zip(self.data.get_mut(..SLOT).zip(self.addresses.first_mut()))
        else {
            return Ok(0);
        };
        let mut name_len = RawAddress::CAPACITY;
        // With MSG_TRUNC the whole length is told, also of what does not fit.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: pointers and lengths describe `slot`, `address` and `name_len`, which live until the call returns.
        let result = unsafe {
            let (data, len) = (slot.as_mut_ptr().cast(), slot.len());
            libc::recvfrom(socket, data, len, flags, address.as_mut_ptr(), &raw mut name_len)
        };
        let Ok(len) = usize::try_from(result) else {
            return nothing_or(io::Error::last_os_error());
        };
        message.msg_len = count(len);
        message.msg_hdr.msg_flags = if len > SLOT { libc::MSG_TRUNC } else { 0 };
        self.received = 1;
        Ok(1)
    }

    /// A datagram of the last call; `None` when it was cut or has no IP source.
    pub fn datagram(&mut self, index: usize) -> Option<(SocketAddr, &mut [u8])> {
        let message = self.messages[..self.received].get(index)?;
        if message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let len = usize::try_from(message.msg_len).unwrap_or(SLOT).min(SLOT);
        let source = self.addresses[index].get()?;
        Some((source, &mut self.data[index * SLOT..index * SLOT + len]))
    }
}

/// Headers for datagrams sent together.
#[derive(Default)]
pub struct SendBatch {
    addresses: Vec<RawAddress>,
    vectors: Vec<iovec>,
    messages: Vec<mmsghdr>,
}

// SAFETY: the raw pointers inside are set anew for every call and not used between calls.
unsafe impl Send for SendBatch {}

impl SendBatch {
    /// Send all packets of the outbox; `failed` hears of each one that the system refuses.
    pub fn send(&mut self, out: &Outbox, failed: &mut dyn FnMut(LegId)) {
        for run in out.entries().chunk_by(|a, b| a.path.socket == b.path.socket) {
            self.send_run(out, run, failed);
        }
    }

    /// Send packets that leave from the same socket.
    fn send_run(&mut self, out: &Outbox, mut run: &[Entry], failed: &mut dyn FnMut(LegId)) {
        while let Some(first) = run.first() {
            match self.send_some(out, run, first.path.socket.0) {
                Ok(sent @ 1..) => run = &run[sent.min(run.len())..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // No room, no route, refused: that packet is lost, as packets are; the next may have another peer.
                Ok(0) | Err(_) => {
                    failed(first.leg);
                    run = &run[1..];
                }
            }
        }
    }

    fn send_some(&mut self, out: &Outbox, run: &[Entry], socket: RawFd) -> io::Result<usize> {
        if let [entry] = run {
            return send_one(out, entry, socket);
        }
        self.prepare(out, run);
        let (messages, len) = (self.messages.as_mut_ptr(), count(self.messages.len()));
        // SAFETY: `prepare` made every header point to bytes of `out` and an address of this value; both outlive the
        // call, which does not write through these pointers.
        let sent = super::check(unsafe { libc::sendmmsg(socket, messages, len, libc::MSG_DONTWAIT) })?;
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    fn prepare(&mut self, out: &Outbox, run: &[Entry]) {
        self.addresses.clear();
        self.vectors.clear();
        self.messages.clear();
        for entry in run {
            let bytes = out.bytes(entry);
            self.addresses.push(RawAddress::from(entry.path.peer));
            self.vectors.push(iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        }
        // Only now, when the vectors no longer move.
        for (address, vector) in self.addresses.iter_mut().zip(&mut self.vectors) {
            // SAFETY: all-zero is a valid mmsghdr.
            let mut message: mmsghdr = unsafe { zeroed() };
            message.msg_hdr.msg_namelen = address.len();
            message.msg_hdr.msg_name = address.as_mut_ptr().cast();
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            self.messages.push(message);
        }
    }
}

/// Send a packet that has no company: cheaper than a batch of one.
fn send_one(out: &Outbox, entry: &Entry, socket: RawFd) -> io::Result<usize> {
    let (bytes, address) = (out.bytes(entry), RawAddress::from(entry.path.peer));
    // SAFETY: pointers and lengths describe `bytes` and `address`, which live until the call returns.
    let sent = unsafe {
        let (data, len) = (bytes.as_ptr().cast(), bytes.len());
        libc::sendto(socket, data, len, libc::MSG_DONTWAIT, address.as_ptr(), address.len())
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) }
}

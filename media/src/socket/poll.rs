//! Waiting: epoll and eventfd.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, epoll_event};

use super::check;

/// Descriptors served per wake-up.
const MAX_READY: usize = 64;

/// A set of descriptors to wait for.
pub struct Epoll(OwnedFd);

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// What the system says, such as too many open files.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointers; the descriptor it returns is ours alone.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) }))
    }

    /// Report `token` while `descriptor` is readable.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&self, descriptor: RawFd, token: u64) -> io::Result<()> {
        let mut event = epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: token };
        // SAFETY: `event` lives until the call returns.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &raw mut event) })?;
        Ok(())
    }

    /// Report `descriptor` no longer.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, descriptor: RawFd) -> io::Result<()> {
        let none = std::ptr::null_mut();
        // SAFETY: EPOLL_CTL_DEL ignores the event, which may be null.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_DEL, descriptor, none) })?;
        Ok(())
    }

    /// Wait until something is readable or the time is over; the tokens.
    ///
    /// # Errors
    /// What the system says; an interruption is no error.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Tokens> {
        let mut ready = [epoll_event { events: 0, u64: 0 }; MAX_READY];
        // Rounded up, or a timer would be waited for in a busy loop.
        let timeout = timeout.map_or(-1, |time| c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX));
        let room = c_int::try_from(MAX_READY).unwrap_or(1);
        // SAFETY: pointer and count describe `ready`.
        let result = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.as_mut_ptr(), room, timeout) };
        let len = match check(result) {
            Ok(len) => usize::try_from(len).unwrap_or(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        Ok(Tokens { tokens: ready.map(|event| event.u64), len })
    }
}

/// Tokens of readable descriptors.
pub struct Tokens {
    tokens: [u64; MAX_READY],
    len: usize,
}

impl std::ops::Deref for Tokens {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.tokens[..self.len]
    }
}

#[cfg(test)]
impl<const N: usize> PartialEq<[u64; N]> for Tokens {
    fn eq(&self, other: &[u64; N]) -> bool {
        **self == *other
    }
}

#[cfg(test)]
impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(formatter)
    }
}

/// A descriptor that is readable from `signal` to `clear`.
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Not readable at first.
    ///
    /// # Errors
    /// What the system says, such as too many open files.
    pub fn new() -> io::Result<EventFd> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: takes no pointers; the descriptor it returns is ours alone.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(check(libc::eventfd(0, flags))?) }))
    }

    /// Make it readable.
    pub fn signal(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: pointer and length describe `one`. It fails only when the counter is full, and then it is readable.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Make it unreadable.
    pub fn clear(&self) {
        let mut count = [0; 8];
        // SAFETY: pointer and length describe `count`. It fails only when there was nothing to clear.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

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

    /// Wait until something is readable or the time is over; `ready` then has its tokens.
    ///
    /// # Errors
    /// What the system says; an interruption is no error.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Ready) -> io::Result<()> {
        // Rounded up, or a timer would be waited for in a busy loop.
        let timeout = timeout.map_or(-1, |time| {
            let rest = u64::from(time.subsec_nanos()).div_ceil(1_000_000);
            c_int::try_from(time.as_secs().saturating_mul(1000).saturating_add(rest)).unwrap_or(c_int::MAX)
        });
        let room = c_int::try_from(MAX_READY).unwrap_or(1);
        ready.len = 0;
        // SAFETY: pointer and count describe `ready.events`.
        let result = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.events.as_mut_ptr(), room, timeout) };
        match check(result) {
            Ok(len) => ready.len = usize::try_from(len).unwrap_or(0).min(MAX_READY),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What is readable; used again for every wait, so that nothing of it is cleared or copied.
pub struct Ready {
    events: [epoll_event; MAX_READY],
    len: usize,
}

impl Default for Ready {
    fn default() -> Ready {
        Ready { events: [epoll_event { events: 0, u64: 0 }; MAX_READY], len: 0 }
    }
}

impl Ready {
    /// How many are readable.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Token of one of them; `None` beyond the last.
    #[must_use]
    pub fn token(&self, index: usize) -> Option<u64> {
        self.events[..self.len].get(index).map(|event| event.u64)
    }

    /// Their tokens.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.events[..self.len].iter().map(|event| event.u64)
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

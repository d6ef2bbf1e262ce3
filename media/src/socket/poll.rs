//! Waiting: epoll, eventfd, timerfd.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, epoll_event, itimerspec, timespec};

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
        self.add_for(libc::EPOLLIN, descriptor, token)
    }

    /// Report `token` each time that `alarm` rings.
    ///
    /// # Errors
    /// What the system says.
    pub fn add_alarm(&self, alarm: &Alarm, token: u64) -> io::Result<()> {
        // By edge: then nobody has to read it.
        self.add_for(libc::EPOLLIN | libc::EPOLLET, alarm.timer.as_raw_fd(), token)
    }

    fn add_for(&self, events: c_int, descriptor: RawFd, token: u64) -> io::Result<()> {
        let mut event = epoll_event { events: events.cast_unsigned(), u64: token };
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

    /// Wait until something is readable; `ready` then has its tokens.
    ///
    /// # Errors
    /// What the system says; an interruption is no error.
    pub fn wait(&self, ready: &mut Ready) -> io::Result<()> {
        let room = c_int::try_from(MAX_READY).unwrap_or(1);
        ready.len = 0;
        // SAFETY: pointer and count describe `ready.events`.
        let result = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.events.as_mut_ptr(), room, -1) };
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

/// Wakes an [`Epoll`] at its time. It stays set from one wait to the next, where a time limit of the wait would be set and taken
/// back around every packet.
pub struct Alarm {
    timer: OwnedFd,
    /// When it rings, unless it has rung.
    at: Option<Duration>,
}

impl Alarm {
    /// Not set.
    ///
    /// # Errors
    /// What the system says, such as too many open files.
    pub fn new() -> io::Result<Alarm> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: takes no pointers; the descriptor it returns is ours alone.
        let timer = unsafe { OwnedFd::from_raw_fd(check(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?) };
        Ok(Alarm { timer, at: None })
    }

    /// Ring at `at`, or at once if that is past; perhaps also at a sooner time that was wanted before.
    pub fn set(&mut self, now: Duration, at: Duration) {
        if self.at.is_some_and(|set| now < set && set <= at) {
            return;
        }
        self.at = Some(at);
        // Zero would be never.
        let rest = at.saturating_sub(now).max(Duration::from_nanos(1));
        let value = timespec {
            tv_sec: libc::time_t::try_from(rest.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: rest.subsec_nanos().into(),
        };
        let once = itimerspec { it_interval: timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: `once` lives until the call returns; the old value may be null. It fails only for what is no time.
        unsafe { libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const once, std::ptr::null_mut()) };
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

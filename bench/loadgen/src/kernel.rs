//! The system calls that std does not have: epoll, the kernel's receive timestamps, exact sleeping.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Longest datagram taken.
pub const MAX_DATAGRAM: usize = 2048;
/// Room in a socket: a stall of the load generator must not look like a loss of the gateway.
const RECEIVE_BUFFER: libc::c_int = 1 << 20;
/// Descriptors that one `wait` can report.
const EVENTS: u16 = 512;

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Which descriptors are ready, by the token they were added with.
pub struct Poller(OwnedFd);

impl Poller {
    /// A poller without descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the descriptor is new and ours.
        let owned = unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Self(owned))
    }

    /// Watch for something to read, level-triggered. Closing the descriptor ends it.
    pub fn add(&self, descriptor: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: token };
        // SAFETY: both descriptors are open, `event` lives during the call.
        checked(unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor.as_raw_fd(), &raw mut event)
        })?;
        Ok(())
    }

    /// Tokens of what is ready, after at most `timeout_ms` (-1: for ever).
    pub fn wait(&self, timeout_ms: i32, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS as usize];
        // SAFETY: the array has room for EVENTS events.
        let count =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), libc::c_int::from(EVENTS), timeout_ms) };
        match checked(count) {
            Ok(count) => ready.extend(events.iter().take(count.unsigned_abs() as usize).map(|event| event.u64)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A non-blocking socket on a free loopback port; `stamped` ones know when the kernel took each datagram.
pub fn socket(stamped: bool) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    set_option(&socket, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
    if stamped {
        set_option(&socket, libc::SO_TIMESTAMPNS, 1)?;
    }
    Ok(socket)
}

fn set_option(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: `value` is an int that lives during the call, as these options want.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_in_c::<libc::c_int>(),
        )
    })?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the structures of the socket calls have few bytes")]
const fn size_in_c<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A datagram that was received.
pub struct Datagram {
    /// Its bytes are `buffer[..len]`.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// When the kernel took it, in ns of the real-time clock; 0 on a socket without stamps.
    pub taken_ns: u64,
}

/// Take one datagram with its kernel timestamp; `None` when none waits.
pub fn receive(socket: &UdpSocket, buffer: &mut [u8; MAX_DATAGRAM]) -> io::Result<Option<Datagram>> {
    let mut control = [0_u64; 16];
    // SAFETY: all-zero is a valid value of these plain C structures.
    let (mut name, mut message): (libc::sockaddr_in, libc::msghdr) = unsafe { (zeroed(), zeroed()) };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = size_in_c::<libc::sockaddr_in>();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: `message` points to name, buffer and control, which all outlive the call.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    if len < 0 {
        let error = io::Error::last_os_error();
        return if is_nothing(&error) { Ok(None) } else { Err(error) };
    }
    let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
    let from = SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(name.sin_port)));
    Ok(Some(Datagram { len: len.unsigned_abs(), from, taken_ns: stamp_of(&message) }))
}

/// Nothing waits, or only the news that a peer's port is closed: it is gone, or not there yet.
fn is_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | ConnectionRefused | Interrupted)
}

fn stamp_of(message: &libc::msghdr) -> u64 {
    // SAFETY: `message` was filled by recvmsg and its control buffer still lives; the macros stay inside it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_TIMESTAMPNS {
                return nanoseconds(ptr::read_unaligned(libc::CMSG_DATA(header).cast()));
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    0
}

fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// The real-time clock in ns: the one that the kernel stamps datagrams with.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives during the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    nanoseconds(time)
}

/// CPU time of this thread in ns.
pub fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives during the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    nanoseconds(time)
}

/// Wake as exactly as the kernel can: without it, sleeping adds 50 µs.
pub fn wake_exactly() -> io::Result<()> {
    // SAFETY: PR_SET_TIMERSLACK takes one number.
    checked(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) })?;
    Ok(())
}

/// Sleep until `at_ns` of the real-time clock, or return at once when it is past.
pub fn sleep_until(at_ns: u64) {
    std::thread::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns())));
}

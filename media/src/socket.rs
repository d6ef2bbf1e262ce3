//! System calls that std has not: UDP with options set before binding, many datagrams per call, epoll, eventfd, timerfd.

#![allow(unsafe_code, reason = "the only way to these system calls; each block says why it is sound")]

mod address;
mod batch;
mod poll;

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_void, socklen_t};

pub use batch::{ReceiveBatch, SendBatch};
pub use poll::{Alarm, Epoll, EventFd, Ready};

use address::RawAddress;

/// Expedited forwarding (RFC 3246), which RFC 8837 gives to audio, as it stands in the TOS or traffic class byte.
const DSCP_EF: c_int = 46 << 2;

/// `Ok(result)`, or the thread's errno for -1.
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_option(socket: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let len = socklen_t::try_from(size_of::<c_int>()).unwrap_or(4);
    // SAFETY: the pointer and length describe `value`, which lives until the call returns.
    check(unsafe { libc::setsockopt(socket, level, name, (&raw const value).cast::<c_void>(), len) })?;
    Ok(())
}

/// Ask for a receive buffer beyond the system's limit, or for as much of it as we may have.
fn set_receive_buffer(socket: RawFd, bytes: usize) {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    if set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
        // Needs CAP_NET_ADMIN; a smaller buffer only costs packets when the machine stalls.
        let _ = set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes);
    }
}

/// Mark what we send as audio; a network that does not care loses nothing.
fn set_traffic_class(socket: RawFd, address: SocketAddr) {
    let _ = match address {
        SocketAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_TOS, DSCP_EF),
        SocketAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, DSCP_EF),
    };
}

/// A non-blocking UDP socket bound to `address`. IPv6 sockets take no IPv4.
///
/// # Errors
/// What the system says; `AddrInUse` when the port is taken.
pub fn bind_udp(address: SocketAddr, receive_buffer: usize) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes no pointers, and the descriptor it returns is ours alone.
    let socket = unsafe { OwnedFd::from_raw_fd(check(libc::socket(family, kind, 0))?) };
    if address.is_ipv6() {
        set_option(socket.as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    set_receive_buffer(socket.as_raw_fd(), receive_buffer);
    set_traffic_class(socket.as_raw_fd(), address);
    let raw = RawAddress::from(address);
    // SAFETY: pointer and length describe `raw`, a valid socket address that lives until the call returns.
    check(unsafe { libc::bind(socket.as_raw_fd(), raw.as_ptr(), raw.len()) })?;
    Ok(UdpSocket::from(socket))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::event::Event;
    use crate::outbox::Outbox;
    use crate::path::{LegId, Path, SocketId};

    fn loopback(ip: &str) -> UdpSocket {
        bind_udp(SocketAddr::new(ip.parse().unwrap(), 0), 1 << 16).unwrap()
    }

    fn send_and_receive(ip: &str) {
        let (from, to) = (loopback(ip), loopback(ip));
        let path = Path { socket: SocketId(from.as_raw_fd()), peer: to.local_addr().unwrap() };
        let mut out = Outbox::default();
        for n in 0..40_u8 {
            out.packet(LegId(1), path, |buffer| {
                buffer[..3].copy_from_slice(&[n, n, n]);
                Some(3)
            });
        }
        SendBatch::default().send(&out, &mut |_| panic!("nothing may fail"));
        let mut batch = ReceiveBatch::new(64);
        let epoll = Epoll::new().unwrap();
        epoll.add(to.as_raw_fd(), 7).unwrap();
        let mut ready = Ready::default();
        epoll.wait(&mut ready).unwrap();
        assert_eq!(ready.tokens().collect::<Vec<_>>(), [7]);
        assert_eq!(batch.receive(to.as_raw_fd()).unwrap(), 40);
        let (source, data) = batch.datagram(39).unwrap();
        assert_eq!((source, &*data), (from.local_addr().unwrap(), &[39, 39, 39][..]));
        assert_eq!(batch.receive(to.as_raw_fd()).unwrap(), 0);
    }

    #[test]
    fn a_batch_goes_over_ipv4() {
        send_and_receive("127.0.0.1");
    }

    #[test]
    fn a_batch_goes_over_ipv6() {
        send_and_receive("::1");
    }

    #[test]
    fn one_datagram_is_taken_alone_and_a_long_one_is_refused() {
        let (from, to) = (loopback("127.0.0.1"), loopback("127.0.0.1"));
        let source = from.local_addr().unwrap();
        let mut batch = ReceiveBatch::new(4);
        assert_eq!(batch.receive_one(to.as_raw_fd()).unwrap(), 0);
        for len in [3, 4000, 5, 6] {
            from.send_to(&vec![7; len], to.local_addr().unwrap()).unwrap();
        }
        assert_eq!(batch.receive_one(to.as_raw_fd()).unwrap(), 1);
        assert_eq!(batch.datagram(0).map(|(peer, data)| (peer, data.len())), Some((source, 3)));
        assert_eq!((batch.receive_one(to.as_raw_fd()).unwrap(), batch.datagram(0)), (1, None));
        assert_eq!((batch.receive(to.as_raw_fd()).unwrap(), batch.datagram(1).unwrap().1.len()), (2, 6));
    }

    #[test]
    fn one_bad_destination_does_not_stop_the_others() {
        let (from, to) = (loopback("127.0.0.1"), loopback("127.0.0.1"));
        let socket = SocketId(from.as_raw_fd());
        let mut out = Outbox::default();
        for (leg, port) in [(1, 0), (2, to.local_addr().unwrap().port())] {
            let path = Path { socket, peer: ([127, 0, 0, 1], port).into() };
            out.packet(LegId(leg), path, |_| Some(10));
        }
        let mut failed = Vec::new();
        SendBatch::default().send(&out, &mut |leg| failed.push(leg));
        assert_eq!(failed, [LegId(1)], "port 0 is nowhere");
        assert_eq!(ReceiveBatch::new(4).receive(to.as_raw_fd()).unwrap(), 1);
        assert_eq!(out.events, Vec::<(LegId, Event)>::new());
    }

    #[test]
    fn a_taken_port_is_refused() {
        let taken = loopback("127.0.0.1");
        let error = bind_udp(taken.local_addr().unwrap(), 1 << 16).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_event_descriptor_is_readable_until_cleared() {
        let event = EventFd::new().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(event.as_raw_fd(), 1).unwrap();
        event.signal();
        event.signal();
        let mut ready = Ready::default();
        epoll.wait(&mut ready).unwrap();
        assert_eq!((ready.len(), ready.token(0), ready.token(1)), (1, Some(1), None));
        event.clear();
        let other = EventFd::new().unwrap();
        epoll.add(other.as_raw_fd(), 2).unwrap();
        other.signal();
        epoll.wait(&mut ready).unwrap();
        assert_eq!(ready.tokens().collect::<Vec<_>>(), [2]);
    }

    fn awaited_alarm() -> (Alarm, Epoll, Ready) {
        let (alarm, epoll) = (Alarm::new().unwrap(), Epoll::new().unwrap());
        epoll.add_alarm(&alarm, 1).unwrap();
        (alarm, epoll, Ready::default())
    }

    #[test]
    fn an_alarm_rings_once_at_its_time_and_again_when_set_again() {
        let (mut alarm, epoll, mut ready) = awaited_alarm();
        let start = Instant::now();
        for ms in [5, 10] {
            alarm.set(start.elapsed(), Duration::from_millis(ms));
            epoll.wait(&mut ready).unwrap();
            assert_eq!(ready.tokens().collect::<Vec<_>>(), [1]);
            assert!(start.elapsed() >= Duration::from_millis(ms));
        }
    }

    #[test]
    fn an_alarm_for_the_past_rings_at_once_and_a_sooner_one_counts() {
        let (mut alarm, epoll, mut ready) = awaited_alarm();
        let (now, far) = (Duration::from_secs(10), Duration::from_secs(3600));
        for at in [far, Duration::ZERO, far, now] {
            alarm.set(now, at);
            if at <= now {
                epoll.wait(&mut ready).unwrap();
                assert_eq!(ready.len(), 1);
            }
        }
    }
}

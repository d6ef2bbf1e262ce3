//! UDP ports: the shared one for browsers, and pairs for RTP and RTCP (RFC 3550 §11).

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::error::Error;
use crate::random;
use crate::socket::bind_udp;

/// Tries to find one port that is free on every address.
const TRIES: usize = 16;

/// A socket for RTP on an even port and one for RTCP on the odd one above it.
pub struct Pair {
    /// Even port.
    pub rtp: UdpSocket,
    /// Odd port.
    pub rtcp: UdpSocket,
}

fn bind(ip: IpAddr, port: u16, receive_buffer: usize) -> Result<UdpSocket, Error> {
    let address = SocketAddr::new(ip, port);
    bind_udp(address, receive_buffer).map_err(|cause| Error::Bind { address, cause })
}

fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Bind { cause, .. } if cause.kind() == ErrorKind::AddrInUse)
}

/// The port that a socket is bound to.
#[must_use]
pub fn port_of(socket: &UdpSocket) -> u16 {
    socket.local_addr().map_or(0, |address| address.port())
}

/// The same port on every address; 0 for any.
///
/// # Errors
/// The first port that could not be had.
pub fn bind_shared(ips: &[IpAddr], port: u16, receive_buffer: usize) -> Result<Vec<UdpSocket>, Error> {
    let mut tries = 0;
    loop {
        match bind_once(ips, port, receive_buffer) {
            Err(error) if port == 0 && is_taken(&error) && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

fn bind_once(ips: &[IpAddr], port: u16, receive_buffer: usize) -> Result<Vec<UdpSocket>, Error> {
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(ips.len());
    for ip in ips {
        let port = sockets.first().map_or(port, port_of);
        sockets.push(bind(*ip, port, receive_buffer)?);
    }
    Ok(sockets)
}

/// Even ports of a range whose odd neighbour is in it, too.
fn even_ports((first, last): (u16, u16)) -> Vec<u16> {
    (first..last).filter(|port| port % 2 == 0 && *port != 0).collect()
}

/// Check a range of RTP ports.
///
/// # Errors
/// No pair fits into it.
pub fn check_range(range: (u16, u16)) -> Result<(), Error> {
    if even_ports(range).is_empty() {
        let (first, last) = range;
        return Err(Error::Argument(format!(
            "the RTP port range {first}-{last} holds no even port with the odd one above it"
        )));
    }
    Ok(())
}

/// A free pair at a random place in the range, so that a stranger cannot guess where media comes.
///
/// # Errors
/// All are taken, or the address is not ours, or there are too many open files.
pub fn bind_pair(ip: IpAddr, range: (u16, u16), receive_buffer: usize) -> Result<Pair, Error> {
    let ports = even_ports(range);
    let start = random::below(ports.len());
    for port in ports[start..].iter().chain(&ports[..start]) {
        match bind_pair_at(ip, *port, receive_buffer) {
            Err(error) if is_taken(&error) => {}
            result => return result,
        }
    }
    Err(Error::NoPort { ip, first: range.0, last: range.1 })
}

fn bind_pair_at(ip: IpAddr, port: u16, receive_buffer: usize) -> Result<Pair, Error> {
    Ok(Pair { rtp: bind(ip, port, receive_buffer)?, rtcp: bind(ip, port + 1, receive_buffer)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const BUFFER: usize = 1 << 16;

    #[test]
    fn a_range_without_a_pair_is_refused() {
        for range in [(0, 0), (7, 7), (7, 8), (9, 3), (8, 8)] {
            assert!(check_range(range).is_err(), "{range:?}");
        }
        assert!(check_range((8, 9)).is_ok());
    }

    #[test]
    fn pairs_run_out_with_a_sentence_and_come_back() {
        let range = (38_000, 38_003);
        let first = bind_pair(LOOPBACK, range, BUFFER).unwrap();
        let second = bind_pair(LOOPBACK, range, BUFFER).unwrap();
        assert_eq!(port_of(&first.rtp) % 2, 0);
        assert_eq!(port_of(&second.rtcp), port_of(&second.rtp) + 1);
        let error = bind_pair(LOOPBACK, range, BUFFER).err().unwrap();
        assert!(error.to_string().contains("38000 and 38003 on 127.0.0.1"), "{error}");
        drop(first);
        assert!(bind_pair(LOOPBACK, range, BUFFER).is_ok());
    }

    #[test]
    fn the_shared_port_is_the_same_on_every_address() {
        let ips = [LOOPBACK, "::1".parse().unwrap()];
        let sockets = bind_shared(&ips, 0, BUFFER).unwrap();
        assert_eq!(port_of(&sockets[0]), port_of(&sockets[1]));
    }

    #[test]
    fn a_taken_shared_port_is_named() {
        let sockets = bind_shared(&[LOOPBACK], 0, BUFFER).unwrap();
        let port = port_of(&sockets[0]);
        let error = bind_shared(&[LOOPBACK], port, BUFFER).err().unwrap();
        assert_eq!(error.to_string(), format!("UDP port {port} on 127.0.0.1 is taken"));
        assert_eq!(error.errno(), Some(libc::EADDRINUSE));
    }
}

//! What can go wrong, in words for the person who reads it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// An error of this crate.
#[derive(Debug)]
pub enum Error {
    /// An argument makes no sense; the sentence says which and what was expected.
    Argument(String),
    /// A UDP port could not be had.
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// Every pair of ports in the range is taken.
    NoPort {
        /// On which address.
        ip: IpAddr,
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// A thread, an epoll or an event descriptor could not be had.
    System {
        /// What for.
        purpose: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// The relay is closed.
    Closed,
}

impl Error {
    /// The system's number for it, if it is a matter of the system.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Error::Argument(_) => None,
            Error::Bind { cause, .. } | Error::System { cause, .. } => Some(cause.raw_os_error().unwrap_or(libc::EIO)),
            Error::NoPort { .. } => Some(libc::EADDRINUSE),
            Error::Closed => Some(libc::EBADF),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Argument(sentence) => formatter.write_str(sentence),
            Error::Bind { address, cause } => bind_sentence(formatter, *address, cause),
            Error::NoPort { ip, first, last } => {
                write!(formatter, "every pair of UDP ports between {first} and {last} on {ip} is taken")
            }
            Error::System { purpose, cause } => write!(formatter, "cannot get {purpose}: {cause}"),
            Error::Closed => formatter.write_str("the media relay is closed"),
        }
    }
}

fn bind_sentence(formatter: &mut fmt::Formatter<'_>, address: SocketAddr, cause: &io::Error) -> fmt::Result {
    let (ip, port) = (address.ip(), address.port());
    match cause.kind() {
        io::ErrorKind::AddrInUse => write!(formatter, "UDP port {port} on {ip} is taken"),
        io::ErrorKind::AddrNotAvailable => write!(formatter, "{ip} is not an address of this machine"),
        io::ErrorKind::PermissionDenied => write!(formatter, "UDP port {port} on {ip} needs more rights"),
        _ => write!(formatter, "cannot use UDP port {port} on {ip}: {cause}"),
    }
}

impl std::error::Error for Error {}

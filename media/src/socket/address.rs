//! Socket addresses between Rust's form and the system's.

use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::{sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

/// A socket address as the system takes and gives it.
#[derive(Clone, Copy)]
#[repr(C)]
pub union RawAddress {
    any: sockaddr,
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

#[allow(clippy::cast_possible_truncation, reason = "sizes of small structures; address family constants")]
mod sizes {
    use super::{size_of, sockaddr_in, sockaddr_in6, socklen_t};
    pub const V4: socklen_t = size_of::<sockaddr_in>() as socklen_t;
    pub const V6: socklen_t = size_of::<sockaddr_in6>() as socklen_t;
    pub const AF_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
    pub const AF_INET6: libc::sa_family_t = libc::AF_INET6 as libc::sa_family_t;
}

impl Default for RawAddress {
    fn default() -> RawAddress {
        // SAFETY: all-zero is a valid value of every member (integers and byte arrays only).
        unsafe { zeroed() }
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> RawAddress {
        let mut raw = RawAddress::default();
        match address {
            SocketAddr::V4(v4) => {
                raw.v4 = sockaddr_in {
                    sin_family: sizes::AF_INET,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
            }
            SocketAddr::V6(v6) => {
                raw.v6 = sockaddr_in6 {
                    sin6_family: sizes::AF_INET6,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
            }
        }
        raw
    }
}

impl RawAddress {
    /// Room for any address.
    pub const CAPACITY: socklen_t = sizes::V6;

    fn family(&self) -> libc::sa_family_t {
        // SAFETY: every member begins with the address family, and all bytes are initialised.
        unsafe { self.any.sa_family }
    }

    pub fn as_ptr(&self) -> *const sockaddr {
        (&raw const *self).cast()
    }

    pub fn as_mut_ptr(&mut self) -> *mut sockaddr {
        (&raw mut *self).cast()
    }

    /// Length of the address in the form of its family.
    pub fn len(&self) -> socklen_t {
        if self.family() == sizes::AF_INET { sizes::V4 } else { sizes::V6 }
    }

    /// In Rust's form; `None` for a family that is not IP.
    pub fn get(&self) -> Option<SocketAddr> {
        match self.family() {
            sizes::AF_INET => {
                // SAFETY: the family says that `v4` is the member in use; any bytes are valid for it.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
            }
            sizes::AF_INET6 => {
                // SAFETY: the family says that `v6` is the member in use; any bytes are valid for it.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                // The flow label belongs to a packet, not to a peer: left out, or one peer would look like many.
                Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id)))
            }
            _ => None,
        }
    }
}

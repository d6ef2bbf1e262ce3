//! What `epoll` says of a descriptor: sixty-four bits that name it.

use std::os::fd::RawFd;

use crate::path::LegId;

/// What a readable descriptor is.
#[derive(Clone, Copy)]
pub(super) enum Token {
    Mailbox,
    /// Time for the relay's timers, which are looked at whatever wakes us.
    Alarm,
    /// A socket of the shared port.
    Shared(RawFd),
    Rtp(LegId),
    Rtcp(LegId),
}

impl Token {
    const KIND_BITS: u32 = 3;

    pub(super) fn encode(self) -> u64 {
        let (kind, value) = match self {
            Token::Mailbox => (0, 0),
            Token::Shared(socket) => (1, u64::from(socket.cast_unsigned())),
            Token::Rtp(leg) => (2, leg.0),
            Token::Rtcp(leg) => (3, leg.0),
            Token::Alarm => (4, 0),
        };
        value << Token::KIND_BITS | kind
    }

    pub(super) fn decode(token: u64) -> Token {
        let value = token >> Token::KIND_BITS;
        match token & ((1 << Token::KIND_BITS) - 1) {
            0 => Token::Mailbox,
            // The value was made from a descriptor, so it fits.
            1 => Token::Shared(RawFd::try_from(value).unwrap_or(-1)),
            2 => Token::Rtp(LegId(value)),
            3 => Token::Rtcp(LegId(value)),
            _ => Token::Alarm,
        }
    }
}

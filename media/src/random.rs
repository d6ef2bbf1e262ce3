//! Random numbers from the system, where guessing must not help (RFC 3550 §5.1, §8.1).

use crate::leg::Seed;

/// Random bytes.
///
/// # Panics
/// When the system has none; nothing sensible can be done then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    bytes
}

/// A random number below `limit`.
#[must_use]
pub fn below(limit: usize) -> usize {
    let number = u32::from_ne_bytes(bytes()) as usize;
    if limit == 0 { 0 } else { number % limit }
}

/// What a new leg begins with.
#[must_use]
pub fn seed() -> Seed {
    Seed {
        ssrc: u32::from_ne_bytes(bytes()),
        sequence: u16::from_ne_bytes(bytes()),
        timestamp: u32::from_ne_bytes(bytes()),
        name: u64::from_ne_bytes(bytes()),
    }
}

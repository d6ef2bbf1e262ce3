//! Telling the processor what will be read soon: with hundreds of calls every packet finds the caches cold, and memory that is
//! asked for all at once is waited for once, not line after line.

#![allow(unsafe_code, reason = "the processor's hint is behind an unsafe function; the block says why it is sound")]

/// Bytes that the caches take together.
const LINE: usize = 64;

/// Begin to bring `value` near; what it points to stays where it is.
pub fn prefetch<T: ?Sized>(value: &T) {
    prefetch_start(value, size_of_val(value));
}

/// The same for its first `len` bytes.
pub fn prefetch_start<T: ?Sized>(value: &T, len: usize) {
    let start = (&raw const *value).cast::<i8>();
    let end = start.wrapping_add(len);
    let mut line = start.wrapping_sub(start.addr() % LINE);
    while line < end {
        hint(line);
        line = line.wrapping_add(LINE);
    }
}

#[cfg(target_arch = "x86_64")]
fn hint(address: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 has SSE, and a hint about any address is harmless.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
}

#[cfg(not(target_arch = "x86_64"))]
fn hint(_: *const i8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_any_size_and_place_is_taken() {
        let bytes = [7_u8; 3 * LINE];
        for (start, end) in [(0, 0), (1, 2), (LINE - 1, LINE + 1), (5, bytes.len())] {
            prefetch(&bytes[start..end]);
        }
        prefetch_start(&bytes, 1);
        assert_eq!(bytes, [7; 3 * LINE]);
    }
}

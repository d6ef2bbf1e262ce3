//! HMAC-SHA1 with both pads hashed beforehand (RFC 2104 §4), as authentication of `AES_CM` (RFC 3711 §4.2.1).

use sha1::block_api::compress;

const BLOCK: usize = 64;
const DIGEST: usize = 20;
/// SHA-1's initial state (FIPS 180-4 §5.3.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A key, as the two SHA-1 states behind its inner and outer pad: 40 bytes.
pub(super) struct HmacSha1 {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacSha1 {
    pub(super) fn new(key: &[u8; DIGEST]) -> Self {
        Self { inner: padded_state(key, 0x36), outer: padded_state(key, 0x5c) }
    }

    /// Authentication code of `message || word`: the rollover counter or SRTCP index comes last.
    pub(super) fn code(&self, message: &[u8], word: u32) -> [u8; DIGEST] {
        let (blocks, tail) = message.as_chunks::<BLOCK>();
        let mut state = self.inner;
        compress(&mut state, blocks);
        let mut last = [[0; BLOCK]; 2];
        let flat = last.as_flattened_mut();
        flat[..tail.len()].copy_from_slice(tail);
        flat[tail.len()..tail.len() + 4].copy_from_slice(&word.to_be_bytes());
        finish(&mut state, &mut last, tail.len() + 4, BLOCK + message.len() + 4);
        self.close(state)
    }

    fn close(&self, inner: [u32; 5]) -> [u8; DIGEST] {
        let mut state = self.outer;
        let mut last = [[0; BLOCK]; 2];
        last[0][..DIGEST].copy_from_slice(&to_bytes(inner));
        finish(&mut state, &mut last, DIGEST, BLOCK + DIGEST);
        to_bytes(state)
    }
}

fn padded_state(key: &[u8; DIGEST], pad: u8) -> [u32; 5] {
    let mut block = [pad; BLOCK];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    let mut state = INITIAL;
    compress(&mut state, &[block]);
    state
}

/// Pad the `used` bytes of `last` for a message of `total` bytes and hash them (FIPS 180-4 §5.1.1).
fn finish(state: &mut [u32; 5], last: &mut [[u8; BLOCK]; 2], used: usize, total: usize) {
    let blocks = if used + 9 <= BLOCK { 1 } else { 2 };
    let flat = last.as_flattened_mut();
    flat[used] = 0x80;
    flat[blocks * BLOCK - 8..blocks * BLOCK].copy_from_slice(&(total as u64 * 8).to_be_bytes());
    compress(state, &last[..blocks]);
}

fn to_bytes(state: [u32; 5]) -> [u8; DIGEST] {
    let mut bytes = [0; DIGEST];
    for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *chunk = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};

    #[test]
    fn agrees_with_the_hmac_crate_at_every_length() {
        let key = [0x5a; DIGEST];
        let message: Vec<u8> = (0..=255).collect();
        for len in 0..=message.len() {
            let mut reference = Hmac::<sha1::Sha1>::new_from_slice(&key).expect("any length is a key");
            reference.update(&message[..len]);
            reference.update(&0xdead_beef_u32.to_be_bytes());
            let code = HmacSha1::new(&key).code(&message[..len], 0xdead_beef);
            assert_eq!(code[..], reference.finalize().into_bytes()[..], "length {len}");
        }
    }
}

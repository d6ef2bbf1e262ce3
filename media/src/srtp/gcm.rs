//! AES-GCM over precomputed keys (NIST SP 800-38D §7, as used by RFC 7714).

use aes::Block;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, consts::U16};
use ghash::{GHash, universal_hash::UniversalHash};

use super::counter_mode;

/// Bytes of the authentication tag (RFC 7714 §12).
pub(super) const TAG: usize = 16;

/// One session key: the powers of the hash key and AES round keys, which end in what only the portable AES needs.
#[repr(C)]
pub(super) struct Gcm<C> {
    hash: GHash,
    cipher: C,
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Gcm<C> {
    pub(super) fn new(cipher: C) -> Self {
        let mut hash_key = Block::default();
        cipher.encrypt_block(&mut hash_key);
        Self { hash: GHash::new(&hash_key), cipher }
    }

    /// XOR the keystream onto `text`; text counters start at 2.
    pub(super) fn encrypt(&self, nonce: [u8; 12], text: &mut [u8]) {
        counter_mode::apply(&self.cipher, counter(nonce, 2), text);
    }

    /// The tag of these associated data and this ciphertext.
    pub(super) fn tag(&self, nonce: [u8; 12], associated: [&[u8]; 2], ciphertext: &[u8]) -> [u8; TAG] {
        let mut hash = self.hash.clone();
        let associated_len = absorb_associated(&mut hash, associated);
        hash.update_padded(ciphertext);
        let lengths = ((associated_len as u128 * 8) << 64) | (ciphertext.len() as u128 * 8);
        hash.update(&[lengths.to_be_bytes().into()]);
        let mut mask = Block::from(counter(nonce, 1));
        self.cipher.encrypt_block(&mut mask);
        let sum: [u8; TAG] = hash.finalize().into();
        (u128::from_ne_bytes(sum) ^ u128::from_ne_bytes(mask.into())).to_ne_bytes()
    }
}

/// The second part is empty or one word; it may share a block with the end of the first.
fn absorb_associated(hash: &mut GHash, [first, second]: [&[u8]; 2]) -> usize {
    let (whole, tail) = first.as_chunks::<16>();
    for block in whole {
        hash.update(&[(*block).into()]);
    }
    let mut last = [0; 32];
    let rest = tail.len() + second.len();
    last[..tail.len()].copy_from_slice(tail);
    last[tail.len()..rest].copy_from_slice(second);
    hash.update_padded(&last[..rest]);
    first.len() + second.len()
}

fn counter(nonce: [u8; 12], low: u32) -> [u8; 16] {
    let mut counter = [0; 16];
    counter[..12].copy_from_slice(&nonce);
    counter[12..].copy_from_slice(&low.to_be_bytes());
    counter
}

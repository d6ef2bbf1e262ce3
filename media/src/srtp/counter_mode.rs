//! AES in counter mode, the keystream of all profiles (RFC 3711 §4.1.1, NIST SP 800-38D §6.5).

use aes::Block;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, consts::U16};

/// Blocks per batch: a 20 ms G.711 packet in one go.
const BATCH: usize = 16;

/// XOR the keystream that starts at `counter` onto `text`.
///
/// Only the low 32 bits count up, as GCM has it; AES-CM starts them with 16 zero bits and no packet is longer than 2^16 blocks.
pub(super) fn apply<C>(cipher: &C, counter: [u8; 16], text: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let [head @ .., a, b, c, d] = counter;
    let prefix: [u8; 12] = head;
    let mut low = u32::from_be_bytes([a, b, c, d]);
    let mut batch = [Block::default(); BATCH];
    for chunk in text.chunks_mut(BATCH * 16) {
        let blocks = &mut batch[..chunk.len().div_ceil(16)];
        for block in &mut *blocks {
            block[..12].copy_from_slice(&prefix);
            block[12..].copy_from_slice(&low.to_be_bytes());
            low = low.wrapping_add(1);
        }
        cipher.encrypt_blocks(blocks);
        xor(chunk, blocks);
    }
}

fn xor(text: &mut [u8], keystream: &[Block]) {
    let (whole, tail) = text.as_chunks_mut::<16>();
    for (text, key) in whole.iter_mut().zip(keystream) {
        *text = (u128::from_ne_bytes(*text) ^ u128::from_ne_bytes((*key).into())).to_ne_bytes();
    }
    if let Some(key) = keystream.get(whole.len()) {
        for (text, key) in tail.iter_mut().zip(key) {
            *text ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use aes::Aes128Enc;
    use aes::cipher::KeyInit;

    use super::*;
    use crate::srtp::kdf::sized;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.2, session salt with two zero bytes as IV.
    #[test]
    fn gives_the_keystream_of_rfc_3711_b_2() {
        let cipher = Aes128Enc::new(&sized(&hex("2b7e151628aed2a6abf7158809cf4f3c")));
        let iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000").try_into().expect("16 bytes");
        let mut stream = vec![0; 0xff02 * 16];
        apply(&cipher, iv, &mut stream);
        assert_eq!(
            stream[..48],
            hex("e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0")
        );
        assert_eq!(
            stream[0xfeff * 16..],
            hex("ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44")
        );
    }
}

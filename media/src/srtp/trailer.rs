//! What follows the text of a protected packet: tag, SRTCP's index word, MKI.
//!
//! RFC 3711 §3.1 and §3.4 put the tag last; for AEAD it is the end of the ciphertext and so comes first (RFC 7714 §8.2, §9.2).

use std::ops::Range;

use super::cipher::Cipher;

/// Where each part lies, from the end of the text on.
pub(super) struct Trailer {
    tag_start: usize,
    tag_len: usize,
    word_start: usize,
    word_len: usize,
    mki_len: usize,
}

impl Trailer {
    /// `word_len` is 0 for RTP.
    pub(super) fn new(cipher: &Cipher, word_len: usize, mki_len: usize) -> Trailer {
        let tag_len = cipher.tag_len();
        let (tag_start, word_start) = if cipher.is_aead() { (0, tag_len) } else { (word_len + mki_len, 0) };
        Trailer { tag_start, tag_len, word_start, word_len, mki_len }
    }

    pub(super) fn len(&self) -> usize {
        self.tag_len + self.word_len + self.mki_len
    }

    pub(super) fn tag(&self) -> Range<usize> {
        self.tag_start..self.tag_start + self.tag_len
    }

    pub(super) fn word(&self) -> Range<usize> {
        self.word_start..self.word_start + self.word_len
    }

    /// Always right behind the word.
    pub(super) fn mki(&self) -> Range<usize> {
        let start = self.word_start + self.word_len;
        start..start + self.mki_len
    }
}

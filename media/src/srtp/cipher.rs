//! One session key of one profile, behind the two verbs that all profiles share.

use aes::cipher::KeyInit;
use aes::{Aes128Enc, Aes256Enc};
use subtle::ConstantTimeEq;

use super::gcm::{self, Gcm};
use super::hmac_sha1::HmacSha1;
use super::kdf::{Derivation, Part, Use, sized};
use super::{Profile, SrtpError, counter_mode};
use crate::prefetch::prefetch_start;

/// Bytes of the truncated HMAC (RFC 3711 §5.2), and of the short one for RTP (RFC 4568 §6.2.2).
const CM_TAG: u8 = 10;
const SHORT_TAG: u8 = 4;
const GCM_TAG: u8 = 16;
const _: () = assert!(gcm::TAG == GCM_TAG as usize);

/// Session keys as they come out of the derivation; of key and salt counts as much as the profile has.
pub(super) struct SessionKey {
    pub(super) key: [u8; 32],
    pub(super) salt: [u8; 14],
    /// Not used by AEAD.
    pub(super) authentication: [u8; 20],
}

impl SessionKey {
    /// Key and salt must have the profile's lengths.
    pub(super) fn derive(master_key: &[u8], master_salt: &[u8], used_for: Use) -> Self {
        let derivation = Derivation { master_key, master_salt, used_for };
        Self {
            key: derivation.derive(Part::Encryption),
            salt: derivation.derive(Part::Salt),
            authentication: derivation.derive(Part::Authentication),
        }
    }
}

/// What a packet touches of a [`Cipher`], in bytes: all before the last round key of AES-256, with AES instructions.
const TOUCHED: usize = 416;

/// Keys for RTP or for RTCP, in one direction; what a packet touches stands in front.
#[repr(C)]
pub(super) struct Cipher {
    /// Session salt, set so that SSRC and index meet it at the same places in every profile.
    salt: [u8; 14],
    /// RTCP's index word is associated data of AEAD (RFC 7714 §9.2); RTP's rollover counter is only in its nonce.
    word_is_associated: bool,
    tag_len: u8,
    keys: Keys,
}

/// A variant's size is that of the portable AES fallback, `cipher`; with AES instructions a packet touches only its first 176 or
/// 240 bytes.
#[repr(C, u8)]
#[expect(clippy::large_enum_variant, reason = "one context per leg; a pointer would cost a cache line per packet")]
enum Keys {
    Cm { hmac: HmacSha1, cipher: Aes128Enc },
    Gcm128(Gcm<Aes128Enc>),
    Gcm256(Gcm<Aes256Enc>),
}

impl Cipher {
    pub(super) fn new(profile: Profile, session: &SessionKey, used_for: Use) -> Self {
        let key = &session.key[..profile.key_len()];
        let keys = match profile {
            Profile::AesCm128HmacSha1_80 | Profile::AesCm128HmacSha1_32 => {
                Keys::Cm { hmac: HmacSha1::new(&session.authentication), cipher: Aes128Enc::new(&sized(key)) }
            }
            Profile::AeadAes128Gcm => Keys::Gcm128(Gcm::new(Aes128Enc::new(&sized(key)))),
            Profile::AeadAes256Gcm => Keys::Gcm256(Gcm::new(Aes256Enc::new(&sized(key)))),
        };
        // A 12-byte salt two places down makes GCM's nonce bytes 2 to 13 of the common IV (RFC 7714 §8.1, §9.1).
        let mut salt = [0; 14];
        salt[14 - profile.salt_len()..].copy_from_slice(&session.salt[..profile.salt_len()]);
        let tag_len = match (profile, used_for) {
            (Profile::AeadAes128Gcm | Profile::AeadAes256Gcm, _) => GCM_TAG,
            (Profile::AesCm128HmacSha1_32, Use::Rtp) => SHORT_TAG,
            (Profile::AesCm128HmacSha1_32 | Profile::AesCm128HmacSha1_80, _) => CM_TAG,
        };
        Self { salt, word_is_associated: matches!(used_for, Use::Rtcp), tag_len, keys }
    }

    /// Bring near what a packet touches.
    pub(super) fn expect(&self) {
        prefetch_start(self, TOUCHED);
    }

    pub(super) fn tag_len(&self) -> usize {
        usize::from(self.tag_len)
    }

    /// AEAD's tag is the end of the ciphertext; an HMAC comes after everything else.
    pub(super) fn is_aead(&self) -> bool {
        !matches!(self.keys, Keys::Cm { .. })
    }

    /// Encrypt `text[clear..]` and write the tag. `word` is the rollover counter, or SRTCP's E flag and index.
    pub(super) fn seal(&self, ssrc: u32, index: u64, text: &mut [u8], clear: usize, word: u32, tag: &mut [u8]) {
        self.apply(ssrc, index, &mut text[clear..]);
        let code = self.code(ssrc, index, text, clear, word);
        tag.copy_from_slice(&code[..tag.len()]);
    }

    /// Check the tag, then decrypt `text[clear..]`.
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        text: &mut [u8],
        clear: usize,
        word: u32,
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        let code = self.code(ssrc, index, text, clear, word);
        if !bool::from(code[..tag.len()].ct_eq(tag)) {
            return Err(SrtpError::Auth);
        }
        self.apply(ssrc, index, &mut text[clear..]);
        Ok(())
    }

    fn apply(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        let iv = self.iv(ssrc, index);
        match &self.keys {
            Keys::Cm { cipher, .. } => counter_mode::apply(cipher, iv, text),
            Keys::Gcm128(gcm) => gcm.encrypt(nonce(iv), text),
            Keys::Gcm256(gcm) => gcm.encrypt(nonce(iv), text),
        }
    }

    /// The untruncated tag; AES-CM's is 20 bytes long, GCM's fills the first 16.
    fn code(&self, ssrc: u32, index: u64, text: &[u8], clear: usize, word: u32) -> [u8; 20] {
        let word_bytes = word.to_be_bytes();
        let (header, ciphertext) = text.split_at(clear);
        let associated = [header, if self.word_is_associated { &word_bytes[..] } else { &[] }];
        let tag = match &self.keys {
            Keys::Cm { hmac, .. } => return hmac.code(text, word),
            Keys::Gcm128(gcm) => gcm.tag(nonce(self.iv(ssrc, index)), associated, ciphertext),
            Keys::Gcm256(gcm) => gcm.tag(nonce(self.iv(ssrc, index)), associated, ciphertext),
        };
        let mut code = [0; 20];
        code[..gcm::TAG].copy_from_slice(&tag);
        code
    }

    /// Salt XOR SSRC XOR index, ending in 16 zero bits (RFC 3711 §4.1.1).
    fn iv(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        let varying = (u128::from(ssrc) << 64 | u128::from(index) << 16).to_be_bytes();
        (u128::from_ne_bytes(iv) ^ u128::from_ne_bytes(varying)).to_ne_bytes()
    }
}

/// 00 00 || SSRC || 48-bit index, XOR salt.
fn nonce(iv: [u8; 16]) -> [u8; 12] {
    let [_, _, nonce @ .., _, _] = iv;
    nonce
}

//! Session keys from the master key (RFC 3711 §4.3), key derivation rate 0.

use aes::cipher::KeyInit;
use aes::cipher::array::{Array, ArraySize};
use aes::{Aes128Enc, Aes256Enc};

use super::counter_mode;

/// What the derived keys are for; the first label of its three.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// Which of the three session keys.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

/// `AES_CM` pseudo-random function of RFC 3711 §4.3.3, or of RFC 6188 §3 for a 256-bit key.
pub(super) struct Derivation<'a> {
    pub(super) master_key: &'a [u8],
    /// A 96-bit salt counts as multiplied by 2^16 (RFC 7714 §11).
    pub(super) master_salt: &'a [u8],
    pub(super) used_for: Use,
}

impl Derivation<'_> {
    pub(super) fn derive<const N: usize>(&self, part: Part) -> [u8; N] {
        let mut iv = [0; 16];
        iv[..self.master_salt.len()].copy_from_slice(self.master_salt);
        iv[7] ^= self.used_for as u8 + part as u8;
        let mut out = [0; N];
        if self.master_key.len() == 32 {
            counter_mode::apply(&Aes256Enc::new(&sized(self.master_key)), iv, &mut out);
        } else {
            counter_mode::apply(&Aes128Enc::new(&sized(self.master_key)), iv, &mut out);
        }
        out
    }
}

/// A key as the cipher wants it; lengths were checked against the profile when the context was made.
pub(super) fn sized<N: ArraySize>(key: &[u8]) -> Array<u8, N> {
    Array::try_from(key).expect("key length was checked against the profile")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.3.
    #[test]
    fn derives_the_session_keys_of_rfc_3711_b_3() {
        let derivation = Derivation {
            master_key: &hex("e1f97a0d3e018be0d64fa32c06de4139"),
            master_salt: &hex("0ec675ad498afeebb6960b3aabe6"),
            used_for: Use::Rtp,
        };
        assert_eq!(derivation.derive::<16>(Part::Encryption)[..], hex("c61e7a93744f39ee10734afe3ff7a087"));
        assert_eq!(derivation.derive::<14>(Part::Salt)[..], hex("30cbbc08863d8c85d49db34a9ae1"));
        let authentication = "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce\
                              e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25\
                              6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2";
        assert_eq!(derivation.derive::<94>(Part::Authentication)[..], hex(authentication));
    }
}

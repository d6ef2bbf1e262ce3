//! The session keys of one direction, and the MKI that names them in packets (RFC 3711 §3.1).

use super::cipher::{Cipher, SessionKey};
use super::kdf::Use;
use super::trailer::Trailer;
use super::{INDEX_LEN, MAX_MKI, Profile, SrtpError};

/// Whether a peer that declared an MKI puts it into its packets: some do not.
#[derive(Clone, Copy, Default)]
pub(super) enum Naming {
    /// As declared, or none was.
    #[default]
    Declared,
    /// Declared and left out.
    Omitted,
}

impl Naming {
    const fn other(self) -> Self {
        match self {
            Self::Declared => Self::Omitted,
            Self::Omitted => Self::Declared,
        }
    }

    /// Open a packet in this form or else in the other: its length, and in which it came. The error is this form's.
    pub(super) fn or_other(
        self,
        mut open: impl FnMut(Self) -> Result<usize, SrtpError>,
    ) -> Result<(usize, Self), SrtpError> {
        let other = self.other();
        open(self).map(|len| (len, self)).or_else(|error| open(other).map(|len| (len, other)).map_err(|_| error))
    }
}

/// Session keys of one direction, for RTP and for RTCP.
pub(super) struct SessionKeys {
    pub(super) rtp: Cipher,
    /// A cipher is made of it for every packet: they are few, and it would be a kilobyte that waits for them.
    pub(super) rtcp: SessionKey,
    pub(super) profile: Profile,
    /// Name of the key in every packet (RFC 3711 §3.1), empty for none.
    pub(super) mki: Box<[u8]>,
}

impl SessionKeys {
    pub(super) fn new(profile: Profile, key_and_salt: &[u8], mki: &[u8]) -> Result<Self, SrtpError> {
        if key_and_salt.len() != profile.key_len() + profile.salt_len() || mki.len() > MAX_MKI {
            return Err(SrtpError::KeyLength);
        }
        let (key, salt) = key_and_salt.split_at(profile.key_len());
        Ok(Self {
            rtp: Cipher::new(profile, &SessionKey::derive(key, salt, Use::Rtp), Use::Rtp),
            rtcp: SessionKey::derive(key, salt, Use::Rtcp),
            profile,
            mki: mki.into(),
        })
    }

    /// What names the key in a packet of this form; no form but the declared one is left where there is no MKI.
    pub(super) fn mki(&self, naming: Naming) -> Result<&[u8], SrtpError> {
        match naming {
            Naming::Declared => Ok(&self.mki),
            Naming::Omitted if self.mki.is_empty() => Err(SrtpError::Auth),
            Naming::Omitted => Ok(&[]),
        }
    }

    pub(super) fn for_rtp(&self, mki: &[u8]) -> (&Cipher, Trailer) {
        (&self.rtp, Trailer::new(&self.rtp, 0, mki.len()))
    }

    pub(super) fn for_rtcp(&self, mki: &[u8]) -> (Cipher, Trailer) {
        let cipher = Cipher::new(self.profile, &self.rtcp, Use::Rtcp);
        let trailer = Trailer::new(&cipher, INDEX_LEN, mki.len());
        (cipher, trailer)
    }
}

/// Whether a packet names its key as it should.
pub(super) fn check_mki(found: &[u8], mki: &[u8]) -> Result<(), SrtpError> {
    if found == mki { Ok(()) } else { Err(SrtpError::Auth) }
}

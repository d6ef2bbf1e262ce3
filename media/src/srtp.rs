//! SRTP and SRTCP: protect what we send, unprotect what we receive (RFC 3711, RFC 7714).

/// Protection profile negotiated by DTLS-SRTP (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// AEAD_AES_128_GCM.
    AeadAes128Gcm,
    /// AEAD_AES_256_GCM.
    AeadAes256Gcm,
    /// AES_CM_128_HMAC_SHA1_80.
    AesCm128HmacSha1_80,
}

impl Profile {
    /// The profile of this registered name, or `None` for one that we do not speak.
    #[must_use]
    pub fn from_name(_name: &str) -> Option<Self> {
        unimplemented!()
    }

    /// Length of the master key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        unimplemented!()
    }

    /// Length of the master salt in bytes.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        unimplemented!()
    }
}

/// The most bytes that protecting adds to a packet (SRTCP with a 16-byte tag and its index).
pub const MAX_OVERHEAD: usize = 20;

/// Why a packet was refused. The packet is then dropped; the context is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpError {
    /// The master key and salt have not the length of the profile.
    KeyLength,
    /// Not a well-formed RTP or RTCP packet.
    Malformed,
    /// The authentication tag is wrong.
    Auth,
    /// Seen before, or too old to tell.
    Replay,
    /// The index space of this key is used up (RFC 3711 §9.2).
    Exhausted,
    /// The buffer has no room for [`MAX_OVERHEAD`] more bytes.
    NoRoom,
}

/// One direction, inbound: every SSRC that the peer sends under one master key.
pub struct Receiver {}

impl Receiver {
    /// A context from master key || master salt (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(_profile: Profile, _key_and_salt: &[u8]) -> Result<Self, SrtpError> {
        unimplemented!()
    }

    /// Authenticate and decrypt in place; the RTP packet is then `packet[..returned]`.
    ///
    /// # Errors
    /// `Malformed`, `Auth`, `Replay`.
    pub fn unprotect_rtp(&mut self, _packet: &mut [u8]) -> Result<usize, SrtpError> {
        unimplemented!()
    }

    /// The same for RTCP.
    ///
    /// # Errors
    /// `Malformed`, `Auth`, `Replay`.
    pub fn unprotect_rtcp(&mut self, _packet: &mut [u8]) -> Result<usize, SrtpError> {
        unimplemented!()
    }
}

/// One direction, outbound.
pub struct Sender {}

impl Sender {
    /// A context from master key || master salt (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(_profile: Profile, _key_and_salt: &[u8]) -> Result<Self, SrtpError> {
        unimplemented!()
    }

    /// Encrypt the RTP packet `buffer[..len]` in place and append the tag; returns the new length.
    ///
    /// # Errors
    /// `Malformed`, `NoRoom`, `Exhausted`, `Replay` (a sequence number used before).
    pub fn protect_rtp(&mut self, _buffer: &mut [u8], _len: usize) -> Result<usize, SrtpError> {
        unimplemented!()
    }

    /// The same for RTCP; the SRTCP index is ours.
    ///
    /// # Errors
    /// `Malformed`, `NoRoom`, `Exhausted`.
    pub fn protect_rtcp(&mut self, _buffer: &mut [u8], _len: usize) -> Result<usize, SrtpError> {
        unimplemented!()
    }
}

//! SRTP and SRTCP: protect what we send, unprotect what we receive (RFC 3711, RFC 7714).
//!
//! One context is one direction under one master key, for a few SSRCs. Its layout matters more than its arithmetic:
//! with hundreds of calls every packet finds the caches cold, so what one packet touches (expanded round keys, HMAC
//! states, salt, newest index and replay window of its SSRC) lies together, and nothing is allocated per packet.
//! Cryptex (RFC 9335), encrypted header extensions (RFC 6904) and key derivation rates are not offered by us and
//! therefore not here.

mod cipher;
mod counter_mode;
mod gcm;
mod hmac_sha1;
mod index;
mod kdf;
mod keys;
#[cfg(test)]
mod tests;
mod trailer;

use std::fmt;

use index::{Streams, Window};
use keys::{Naming, SessionKeys};

use crate::prefetch::prefetch;

/// Protection profile negotiated by DTLS-SRTP (RFC 5764 §4.1.2, RFC 7714 §14.2) or SDES (RFC 4568 §6.2, RFC 7714 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: 4 bytes of tag for RTP, still 10 for RTCP (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
}

impl Profile {
    /// The profile of this registered name, or `None` for one that we do not speak.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "AEAD_AES_128_GCM" => Some(Self::AeadAes128Gcm),
            "AEAD_AES_256_GCM" => Some(Self::AeadAes256Gcm),
            "AES_CM_128_HMAC_SHA1_80" => Some(Self::AesCm128HmacSha1_80),
            "AES_CM_128_HMAC_SHA1_32" => Some(Self::AesCm128HmacSha1_32),
            _ => None,
        }
    }

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Length of the master key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of the master salt in bytes: 112 bits (RFC 3711 §8.2) or 96 (RFC 7714 §12).
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
        }
    }
}

/// The longest MKI (RFC 4568 §6.1).
pub const MAX_MKI: usize = 128;
/// The most bytes that protecting adds to a packet: SRTCP with a 16-byte tag, its index and an MKI.
pub const MAX_OVERHEAD: usize = 16 + INDEX_LEN + MAX_MKI;

/// Bytes of the E flag and index behind an SRTCP packet (RFC 3711 §3.4).
const INDEX_LEN: usize = 4;
/// The E flag: this SRTCP packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Part of an RTCP packet that is never encrypted: header and SSRC of the sender.
const RTCP_CLEAR: usize = 8;

/// Why a packet was refused. The packet is then to be dropped; the context is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpError {
    /// The master key and salt have not the length of the profile, or the MKI is too long.
    KeyLength,
    /// Not a well-formed RTP or RTCP packet.
    Malformed,
    /// The authentication tag is wrong, or the MKI names another key.
    Auth,
    /// This index was used before, or is too old to tell.
    Replay,
    /// No more packets, or no more SSRCs, can be sent safely under this key (RFC 3711 §9.2).
    Exhausted,
    /// The buffer has no room for [`MAX_OVERHEAD`] more bytes.
    NoRoom,
}

impl fmt::Display for SrtpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::KeyLength => "SRTP master key and salt have the wrong length for the profile",
            Self::Malformed => "not a well-formed RTP or RTCP packet",
            Self::Auth => "SRTP authentication failed",
            Self::Replay => "SRTP packet index was used before or is too old",
            Self::Exhausted => "SRTP key is used up; a new DTLS handshake is needed",
            Self::NoRoom => "no room for the SRTP tag in the buffer",
        })
    }
}

impl std::error::Error for SrtpError {}

/// One direction, inbound: every SSRC that the peer sends under one master key.
///
/// It remembers the four SSRCs heard last; a fifth takes the place of the one silent for longest, once it is authenticated.
pub struct Receiver {
    rtp_streams: Streams,
    rtp_naming: Naming,
    keys: SessionKeys,
    rtcp_streams: Streams,
    rtcp_naming: Naming,
}

impl Receiver {
    /// A context from master key || master salt (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Self, SrtpError> {
        Self::with_mki(profile, key_and_salt, &[])
    }

    /// The same, for packets that name their key by this MKI, or should: whether they do is remembered, so that only a
    /// change of it costs a second look.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn with_mki(profile: Profile, key_and_salt: &[u8], mki: &[u8]) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp_streams: Streams::default(),
            rtp_naming: Naming::default(),
            keys: SessionKeys::new(profile, key_and_salt, mki)?,
            rtcp_streams: Streams::default(),
            rtcp_naming: Naming::default(),
        })
    }

    /// How packets are protected.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.keys.profile
    }

    /// Authenticate and decrypt in place (RFC 3711 §3.3); the RTP packet is then `packet[..returned]`.
    ///
    /// # Errors
    /// `Malformed`, `Auth`, `Replay`, `Exhausted`; the packet is then unchanged.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (len, naming) = self.rtp_naming.or_other(|naming| self.open_rtp(packet, naming))?;
        self.rtp_naming = naming;
        Ok(len)
    }

    fn open_rtp(&mut self, packet: &mut [u8], naming: Naming) -> Result<usize, SrtpError> {
        let mki = self.keys.mki(naming)?;
        let (cipher, parts) = self.keys.for_rtp(mki);
        let len = packet.len().checked_sub(parts.len()).ok_or(SrtpError::Malformed)?;
        let (text, trailer) = packet.split_at_mut(len);
        let header = RtpHeader::parse(text)?;
        keys::check_mki(&trailer[parts.mki()], mki)?;
        let window = self.rtp_streams.find(header.ssrc);
        let mut refusal = SrtpError::Replay;
        for index in index::guesses(window, header.sequence) {
            check_index(window, index, index::MAX_RTP)?;
            match cipher.open(header.ssrc, index, text, header.len, roc(index), &trailer[parts.tag()]) {
                Ok(()) => {
                    self.rtp_streams.record(header.ssrc, index);
                    return Ok(len);
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Authenticate and decrypt in place (RFC 3711 §3.4); the RTCP packet is then `packet[..returned]`.
    ///
    /// # Errors
    /// `Malformed`, `Auth`, `Replay`; the packet is then unchanged.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (len, naming) = self.rtcp_naming.or_other(|naming| self.open_rtcp(packet, naming))?;
        self.rtcp_naming = naming;
        Ok(len)
    }

    fn open_rtcp(&mut self, packet: &mut [u8], naming: Naming) -> Result<usize, SrtpError> {
        let mki = self.keys.mki(naming)?;
        let (cipher, parts) = self.keys.for_rtcp(mki);
        let len = packet.len().checked_sub(parts.len()).ok_or(SrtpError::Malformed)?;
        let (text, trailer) = packet.split_at_mut(len);
        let ssrc = rtcp_ssrc(text)?;
        keys::check_mki(&trailer[parts.mki()], mki)?;
        let word = trailer[parts.word()].iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let index = u64::from(word & !ENCRYPTED);
        check_index(self.rtcp_streams.find(ssrc), index, index::MAX_RTCP)?;
        let clear = if word & ENCRYPTED == 0 { len } else { RTCP_CLEAR };
        cipher.open(ssrc, index, text, clear, word, &trailer[parts.tag()])?;
        self.rtcp_streams.record(ssrc, index);
        Ok(len)
    }
}

/// One direction, outbound, for at most four SSRCs: forgetting one would allow its keystream to be used twice.
pub struct Sender {
    rtp_streams: Streams,
    keys: SessionKeys,
    next_rtcp_index: u64,
}

impl Sender {
    /// A context from master key || master salt (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Self, SrtpError> {
        Self::with_mki(profile, key_and_salt, &[])
    }

    /// The same, naming the key by this MKI in every packet.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`].
    pub fn with_mki(profile: Profile, key_and_salt: &[u8], mki: &[u8]) -> Result<Self, SrtpError> {
        let keys = SessionKeys::new(profile, key_and_salt, mki)?;
        Ok(Self { rtp_streams: Streams::default(), keys, next_rtcp_index: 0 })
    }

    /// Bring near what an RTP packet touches.
    pub fn expect_rtp(&self) {
        self.rtp_streams.expect();
        prefetch(&self.keys.mki);
        self.keys.rtp.expect();
    }

    /// Encrypt the RTP packet `buffer[..len]` in place and append the tag; returns the new length.
    ///
    /// Sequence numbers may have gaps and come out of order, but none is taken twice; a leap of half their space reads as a
    /// step back.
    ///
    /// # Errors
    /// `Malformed`, `NoRoom`, `Replay`, `Exhausted`; the buffer is then unchanged.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let (cipher, parts) = self.keys.for_rtp(&self.keys.mki);
        let total = room(buffer, len, parts.len())?;
        let (text, trailer) = buffer[..total].split_at_mut(len);
        let header = RtpHeader::parse(text)?;
        let window = self.rtp_streams.find(header.ssrc);
        if window.is_none() && self.rtp_streams.is_full() {
            return Err(SrtpError::Exhausted);
        }
        let index = window.map_or(Some(u64::from(header.sequence)), |window| window.guess(header.sequence));
        let index = index.ok_or(SrtpError::Replay)?;
        check_index(window, index, index::MAX_RTP)?;
        trailer[parts.mki()].copy_from_slice(&self.keys.mki);
        cipher.seal(header.ssrc, index, text, header.len, roc(index), &mut trailer[parts.tag()]);
        self.rtp_streams.record(header.ssrc, index);
        Ok(total)
    }

    /// Encrypt the RTCP packet `buffer[..len]` in place and append index and tag; returns the new length.
    ///
    /// # Errors
    /// `Malformed`, `NoRoom`, `Exhausted`; the buffer is then unchanged.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let (cipher, parts) = self.keys.for_rtcp(&self.keys.mki);
        let total = room(buffer, len, parts.len())?;
        let (text, trailer) = buffer[..total].split_at_mut(len);
        let ssrc = rtcp_ssrc(text)?;
        let index = self.next_rtcp_index;
        if index > index::MAX_RTCP {
            return Err(SrtpError::Exhausted);
        }
        let word = ENCRYPTED | low_32(index);
        trailer[parts.word()].copy_from_slice(&word.to_be_bytes());
        trailer[parts.mki()].copy_from_slice(&self.keys.mki);
        cipher.seal(ssrc, index, text, RTCP_CLEAR, word, &mut trailer[parts.tag()]);
        self.next_rtcp_index += 1;
        Ok(total)
    }
}

/// What protection needs to know of an RTP header (RFC 3550 §5.1).
struct RtpHeader {
    ssrc: u32,
    sequence: u16,
    /// Up to where the packet stays in clear: fixed header, CSRCs, extension.
    len: usize,
}

impl RtpHeader {
    fn parse(packet: &[u8]) -> Result<Self, SrtpError> {
        let fixed: &[u8; 12] = packet.first_chunk().ok_or(SrtpError::Malformed)?;
        if fixed[0] >> 6 != 2 {
            return Err(SrtpError::Malformed);
        }
        let mut len = fixed.len() + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let extension = packet.get(len..len + 4).ok_or(SrtpError::Malformed)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        if packet.len() < len {
            return Err(SrtpError::Malformed);
        }
        Ok(Self {
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            len,
        })
    }
}

/// SSRC of the sender of an RTCP packet (RFC 3550 §6.4).
fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    match packet.first_chunk::<RTCP_CLEAR>() {
        Some(&[first, _, _, _, a, b, c, d]) if first >> 6 == 2 => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(SrtpError::Malformed),
    }
}

fn room(buffer: &[u8], len: usize, overhead: usize) -> Result<usize, SrtpError> {
    match len.checked_add(overhead) {
        Some(total) if total <= buffer.len() => Ok(total),
        _ => Err(SrtpError::NoRoom),
    }
}

fn check_index(window: Option<&Window>, index: u64, max: u64) -> Result<(), SrtpError> {
    if index > max {
        Err(SrtpError::Exhausted)
    } else if window.is_some_and(|window| window.is_used(index)) {
        Err(SrtpError::Replay)
    } else {
        Ok(())
    }
}

/// Rollover counter of a 48-bit packet index (RFC 3711 §3.3.1).
const fn roc(index: u64) -> u32 {
    low_32(index >> 16)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low_32(value: u64) -> u32 {
    value as u32
}

//! STUN as an ICE-lite agent needs it: binding requests in, responses out (RFC 8489, RFC 8445 §7.3).
//!
//! Reading is in two steps, because the password is known only once the USERNAME has named the leg: `parse` checks
//! form and FINGERPRINT, `Request::is_authentic` checks MESSAGE-INTEGRITY.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const INTEGRITY_LEN: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// Attributes below this must be understood (RFC 8489 §14).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// Room enough for every response that this module writes.
pub const MAX_RESPONSE: usize = 192;

/// The short-term credential of one side, ready to compute MESSAGE-INTEGRITY.
#[derive(Clone)]
pub struct Password(Hmac<Sha1>);

impl Password {
    /// Key from the password of a=ice-pwd (RFC 8489 §9.1.1).
    #[must_use]
    pub fn new(pwd: &str) -> Password {
        // HMAC takes a key of any length, so this cannot fail.
        Password(Hmac::new_from_slice(pwd.as_bytes()).unwrap_or_else(|_| unreachable!("HMAC takes any key")))
    }
}

/// A well-formed binding request with a right FINGERPRINT; not yet authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The ufrag of the answering side: what stands before the colon of USERNAME.
    pub local_ufrag: &'a [u8],
    /// The peer nominates this path (RFC 8445 §7.2.5).
    pub use_candidate: bool,
    /// The peer believes itself controlled, as only we can be.
    pub peer_is_controlled: bool,
    /// First comprehension-required attribute that we do not know.
    pub unknown_attribute: Option<u16>,
    transaction: [u8; 12],
    /// Everything before MESSAGE-INTEGRITY.
    covered: &'a [u8],
    integrity: &'a [u8],
}

/// Parse a STUN message; `None` for anything but a well-formed binding request with USERNAME, MESSAGE-INTEGRITY and
/// FINGERPRINT.
#[must_use]
pub fn parse(message: &[u8]) -> Option<Request<'_>> {
    if !is_binding_request(message) || !has_valid_fingerprint(message) {
        return None;
    }
    let mut request = Request {
        local_ufrag: &[],
        use_candidate: false,
        peer_is_controlled: false,
        unknown_attribute: None,
        transaction: message[8..HEADER_LEN].try_into().ok()?,
        covered: &[],
        integrity: &[],
    };
    let mut at = HEADER_LEN;
    while at < message.len() {
        let (kind, value, next) = attribute(message, at)?;
        if kind == MESSAGE_INTEGRITY {
            request.covered = &message[..at];
            request.integrity = value;
            // What follows is not protected and is ignored (RFC 8489 §14.5); FINGERPRINT is already checked.
            break;
        }
        request.note(kind, value);
        at = next;
    }
    (request.integrity.len() == INTEGRITY_LEN && !request.local_ufrag.is_empty()).then_some(request)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn is_binding_request(message: &[u8]) -> bool {
    message.len() >= HEADER_LEN
        && be16(message, 0) == Some(BINDING_REQUEST)
        && be16(message, 2).map(usize::from) == Some(message.len() - HEADER_LEN)
        && message.len().is_multiple_of(4)
        && message[4..8] == MAGIC_COOKIE.to_be_bytes()
}

/// Type, value and the place of the next attribute.
fn attribute(message: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let kind = be16(message, at)?;
    let len = usize::from(be16(message, at + 2)?);
    let value = message.get(at + 4..at + 4 + len)?;
    Some((kind, value, at + 4 + len.next_multiple_of(4)))
}

/// FINGERPRINT is the last attribute of every connectivity check (RFC 8445 §7.1, RFC 8489 §14.7).
fn has_valid_fingerprint(message: &[u8]) -> bool {
    let Some(at) = message.len().checked_sub(8).filter(|&at| at >= HEADER_LEN) else {
        return false;
    };
    be16(message, at) == Some(FINGERPRINT)
        && be16(message, at + 2) == Some(4)
        && message[at + 4..] == (crc32(&message[..at]) ^ FINGERPRINT_XOR).to_be_bytes()
}

impl<'a> Request<'a> {
    fn note(&mut self, kind: u16, value: &'a [u8]) {
        match kind {
            USERNAME => {
                let end = value.iter().position(|&byte| byte == b':').unwrap_or(0);
                self.local_ufrag = &value[..end];
            }
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLED => self.peer_is_controlled = true,
            PRIORITY => {}
            _ if kind < COMPREHENSION_OPTIONAL => self.unknown_attribute = self.unknown_attribute.or(Some(kind)),
            _ => {}
        }
    }

    /// Check MESSAGE-INTEGRITY in constant time (RFC 8489 §14.5).
    #[must_use]
    pub fn is_authentic(&self, password: &Password) -> bool {
        let mut mac = password.0.clone();
        mac.update(&self.covered[..2]);
        mac.update(&length_with_integrity(self.covered.len()));
        mac.update(&self.covered[4..]);
        mac.verify_slice(self.integrity).is_ok()
    }
}

/// The header's length field as it counts when MESSAGE-INTEGRITY is the last attribute.
fn length_with_integrity(covered: usize) -> [u8; 2] {
    field(covered - HEADER_LEN + 4 + INTEGRITY_LEN)
}

/// A length as the 16-bit field that it is; messages here are far below 64 KiB.
fn field(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// A response under construction.
struct Writer<'b> {
    into: &'b mut [u8; MAX_RESPONSE],
    len: usize,
}

impl<'b> Writer<'b> {
    fn new(into: &'b mut [u8; MAX_RESPONSE], kind: u16, transaction: [u8; 12]) -> Writer<'b> {
        into[..2].copy_from_slice(&kind.to_be_bytes());
        into[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        into[8..HEADER_LEN].copy_from_slice(&transaction);
        Writer { into, len: HEADER_LEN }
    }

    fn set_length(&mut self, attributes: usize) {
        self.into[2..4].copy_from_slice(&field(attributes));
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let end = self.len + 4 + value.len().next_multiple_of(4);
        let slot = &mut self.into[self.len..end];
        slot.fill(0);
        slot[..2].copy_from_slice(&kind.to_be_bytes());
        slot[2..4].copy_from_slice(&field(value.len()));
        slot[4..4 + value.len()].copy_from_slice(value);
        self.len = end;
    }

    /// Add MESSAGE-INTEGRITY and FINGERPRINT; the message's length.
    fn finish(mut self, password: &Password) -> usize {
        self.set_length(self.len - HEADER_LEN + 4 + INTEGRITY_LEN);
        let mut mac = password.0.clone();
        mac.update(&self.into[..self.len]);
        self.push(MESSAGE_INTEGRITY, &mac.finalize().into_bytes());
        self.set_length(self.len - HEADER_LEN + 8);
        let crc = crc32(&self.into[..self.len]) ^ FINGERPRINT_XOR;
        self.push(FINGERPRINT, &crc.to_be_bytes());
        self.len
    }
}

/// Write the success response with XOR-MAPPED-ADDRESS (RFC 8445 §7.3.1.2); its length.
#[must_use]
pub fn success(request: &Request, from: SocketAddr, password: &Password, into: &mut [u8; MAX_RESPONSE]) -> usize {
    let mut writer = Writer::new(into, BINDING_SUCCESS, request.transaction);
    let (value, len) = xor_address(from, request.transaction);
    writer.push(XOR_MAPPED_ADDRESS, &value[..len]);
    writer.finish(password)
}

/// Write 487 (Role Conflict): a lite agent stays controlled whatever the peer says (RFC 8445 §6.1.1, §7.3.1.1).
#[must_use]
pub fn role_conflict(request: &Request, password: &Password, into: &mut [u8; MAX_RESPONSE]) -> usize {
    let mut writer = Writer::new(into, BINDING_ERROR, request.transaction);
    writer.push(ERROR_CODE, b"\0\0\x04\x57Role Conflict");
    writer.finish(password)
}

/// Write 420 (Unknown Attribute) (RFC 8489 §6.3.1).
#[must_use]
pub fn unknown_attribute(request: &Request, kind: u16, password: &Password, into: &mut [u8; MAX_RESPONSE]) -> usize {
    let mut writer = Writer::new(into, BINDING_ERROR, request.transaction);
    writer.push(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute");
    writer.push(UNKNOWN_ATTRIBUTES, &kind.to_be_bytes());
    writer.finish(password)
}

/// The value of XOR-MAPPED-ADDRESS and its length (RFC 8489 §14.2).
fn xor_address(address: SocketAddr, transaction: [u8; 12]) -> ([u8; 20], usize) {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&transaction);
    let mut value = [0; 20];
    let [high, low] = address.port().to_be_bytes();
    value[2..4].copy_from_slice(&[high ^ mask[0], low ^ mask[1]]);
    let len = match address.ip() {
        IpAddr::V4(ip) => {
            value[1] = 1;
            value[4..8].copy_from_slice(&ip.octets());
            8
        }
        IpAddr::V6(ip) => {
            value[1] = 2;
            value[4..20].copy_from_slice(&ip.octets());
            20
        }
    };
    for (byte, mask) in value[4..len].iter_mut().zip(mask) {
        *byte ^= mask;
    }
    (value, len)
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "index < 256; try_from is not const")]
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// CRC-32 of ITU-T V.42, which FINGERPRINT uses.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| crc >> 8 ^ CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
pub(crate) mod tests;

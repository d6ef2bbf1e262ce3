//! STUN: no bytes do harm; an answer is always well-formed; nothing without our password is authentic.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use mediacore::stun::{self, MAX_RESPONSE, Password, Request};
use sha1::Sha1;

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const USE_CANDIDATE: u16 = 0x0025;
const PASSWORD: &str = "only the fuzzer knows it";

/// Take `data` as a whole message, then as the attributes of a message that is right otherwise.
pub fn check(data: &[u8]) {
    if let Some(request) = stun::parse(data) {
        assert!(!request.is_authentic(&Password::new(PASSWORD)), "authentic without the password");
        answer(&request, data);
    }
    let message = binding_request(data, PASSWORD);
    let request = stun::parse(&message);
    if believes_ours(&message) {
        assert!(request.is_none_or(|request| request.is_authentic(&Password::new(PASSWORD))), "our own is refused");
    }
    if let Some(request) = request {
        assert!(!request.is_authentic(&Password::new("another password")), "any password will do");
        answer(&request, &message);
    }
}

/// A check as a browser sends it: these attributes, then MESSAGE-INTEGRITY and FINGERPRINT (RFC 8445 §7.2.2).
#[must_use]
pub fn binding_request(attributes: &[u8], password: &str) -> Vec<u8> {
    let attributes = &attributes[..attributes.len().min(4096) / 4 * 4];
    let mut message = vec![0, 1];
    message.extend(length(attributes.len() + 24));
    message.extend(COOKIE);
    message.extend(b"transaction.");
    message.extend(attributes);
    let mut mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).expect("HMAC takes any key");
    mac.update(&message);
    push(&mut message, MESSAGE_INTEGRITY, &mac.finalize().into_bytes());
    let whole = message.len() + 8 - HEADER;
    message[2..4].copy_from_slice(&length(whole));
    let sum = crc32(&message) ^ 0x5354_554e;
    push(&mut message, 0x8028, &sum.to_be_bytes());
    message
}

/// The attributes of a connectivity check, for `binding_request`.
#[must_use]
pub fn check_attributes(username: &str, nominates: bool) -> Vec<u8> {
    let mut attributes = Vec::new();
    push(&mut attributes, USERNAME, username.as_bytes());
    push(&mut attributes, 0x0024, &[0x6e, 0, 1, 0xff]);
    push(&mut attributes, 0x802a, b"tie-brkr");
    if nominates {
        push(&mut attributes, USE_CANDIDATE, b"");
    }
    attributes
}

fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(length(value.len()));
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("messages here are short").to_be_bytes()
}

/// CRC-32 bit by bit: slow, and not the code under test.
fn crc32(bytes: &[u8]) -> u32 {
    let byte_in =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    !bytes.iter().fold(!0, byte_in)
}

/// Whether the first MESSAGE-INTEGRITY of the message is ours, which stands before FINGERPRINT: `data` may hold another
/// one, or an attribute so long that it hides ours.
fn believes_ours(message: &[u8]) -> bool {
    let ours = message[..message.len() - 8].as_ptr_range().end;
    let first = attributes(message).find(|(kind, _)| *kind == MESSAGE_INTEGRITY);
    first.is_some_and(|(_, value)| value.as_ptr_range().end == ours)
}

fn attributes(message: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = &message[HEADER..];
    std::iter::from_fn(move || {
        let [a, b, c, d] = *rest.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([c, d]));
        let value = rest.get(4..4 + len)?;
        rest = rest.get(4 + len.next_multiple_of(4)..)?;
        Some((u16::from_be_bytes([a, b]), value))
    })
}

/// Every answer that the request could get.
fn answer(request: &Request, message: &[u8]) {
    assert!(!request.local_ufrag.contains(&b':') && !request.local_ufrag.is_empty());
    let password = Password::new(PASSWORD);
    let mut response = [0; MAX_RESPONSE];
    for from in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:1"] {
        let from: SocketAddr = from.parse().expect("an address");
        let len = stun::success(request, from, &password, &mut response);
        assert_eq!(mapped_address(&response[..len]), Some(from));
        expect_response(&response[..len], message, 0x0101);
    }
    let len = stun::role_conflict(request, &password, &mut response);
    expect_response(&response[..len], message, 0x0111);
    let len = stun::unknown_attribute(request, u16::MAX, &password, &mut response);
    expect_response(&response[..len], message, 0x0111);
}

fn expect_response(response: &[u8], request: &[u8], kind: u16) {
    assert_eq!(response[..2], kind.to_be_bytes());
    assert_eq!(response[2..4], length(response.len() - HEADER));
    assert_eq!(response[4..HEADER], request[4..HEADER], "cookie and transaction");
    let (covered, sum) = response.split_at(response.len() - 4);
    assert_eq!(sum, (crc32(&covered[..covered.len() - 4]) ^ 0x5354_554e).to_be_bytes());
}

/// XOR-MAPPED-ADDRESS taken apart (RFC 8489 §14.2).
fn mapped_address(response: &[u8]) -> Option<SocketAddr> {
    let (_, value) = attributes(response).find(|(kind, _)| *kind == 0x0020)?;
    let plain: Vec<u8> = value[4..].iter().zip(&response[4..HEADER]).map(|(byte, mask)| byte ^ mask).collect();
    let ip = match value[1] {
        1 => IpAddr::from(<[u8; 4]>::try_from(plain).ok()?),
        2 => IpAddr::from(<[u8; 16]>::try_from(plain).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([value[2] ^ COOKIE[0], value[3] ^ COOKIE[1]])))
}

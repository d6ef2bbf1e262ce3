//! RFC 5769 vectors, and the rules that keep strangers out.

use super::*;

/// RFC 5769 §2.1: request with the password `VOkJxbRl1RmTxUk/WvJxBt`, here with its own two unknown-to-us attributes.
const RFC5769_REQUEST: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf,
    0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65,
    0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51,
    0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20,
    0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2,
    0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];
const RFC5769_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn password() -> Password {
    Password::new("a password of ours 1234")
}

/// A connectivity check as a controlling browser sends it.
pub(crate) fn check_for(ufrag: &str, pwd: &str, use_candidate: bool) -> Vec<u8> {
    let mut bytes = [0; MAX_RESPONSE];
    let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, *b"transaction!");
    writer.push(USERNAME, format!("{ufrag}:theirs").as_bytes());
    if use_candidate {
        writer.push(USE_CANDIDATE, b"");
    }
    let len = writer.finish(&Password::new(pwd));
    bytes[..len].to_vec()
}

fn with_attributes(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = [0; MAX_RESPONSE];
    let mut writer = Writer::new(&mut bytes, BINDING_REQUEST, *b"transaction!");
    for (kind, value) in attributes {
        writer.push(*kind, value);
    }
    let len = writer.finish(&password());
    bytes[..len].to_vec()
}

fn check() -> Vec<u8> {
    with_attributes(&[(USERNAME, b"ours:theirs"), (USE_CANDIDATE, b""), (0x802a, &[1; 8]), (PRIORITY, &[1; 4])])
}

/// Attributes of a response, in order.
fn attributes(message: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = HEADER_LEN;
    while at < message.len() {
        let (kind, value, next) = attribute(message, at).unwrap();
        found.push((kind, value.to_vec()));
        at = next;
    }
    found
}

#[test]
fn the_request_of_rfc_5769_is_authentic() {
    let request = parse(&RFC5769_REQUEST).unwrap();
    assert_eq!(request.local_ufrag, b"evtj");
    assert!(request.peer_is_controlled);
    assert!(!request.use_candidate);
    assert!(request.is_authentic(&Password::new(RFC5769_PASSWORD)));
    assert!(!request.is_authentic(&Password::new("another")));
}

/// RFC 5769 §2.2: the mapped address 192.0.2.1:32853, byte for byte.
#[test]
fn the_xor_mapped_address_of_rfc_5769_comes_out_for_ipv4() {
    let transaction = RFC5769_REQUEST[8..20].try_into().unwrap();
    let (value, len) = xor_address("192.0.2.1:32853".parse().unwrap(), transaction);
    assert_eq!(value[..len], [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
}

/// RFC 5769 §2.3: the mapped address `[2001:db8:1234:5678:11:2233:4455:6677]:32853`.
#[test]
fn the_xor_mapped_address_of_rfc_5769_comes_out_for_ipv6() {
    let transaction = RFC5769_REQUEST[8..20].try_into().unwrap();
    let (value, len) = xor_address("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap(), transaction);
    let expected = [
        0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
        0xb9, 0xd9,
    ];
    assert_eq!(value[..len], expected);
}

#[test]
fn a_check_is_read() {
    let bytes = check();
    let request = parse(&bytes).unwrap();
    assert_eq!(request.local_ufrag, b"ours");
    assert!(request.use_candidate && !request.peer_is_controlled);
    assert_eq!(request.unknown_attribute, None);
    assert!(request.is_authentic(&password()));
}

#[test]
fn the_answer_carries_address_integrity_and_fingerprint() {
    let bytes = check();
    let request = parse(&bytes).unwrap();
    let mut response = [0; MAX_RESPONSE];
    let len = success(&request, "127.0.0.1:5000".parse().unwrap(), &password(), &mut response);
    let response = &response[..len];
    assert_eq!(be16(response, 0), Some(BINDING_SUCCESS));
    assert_eq!(response[8..20], bytes[8..20]);
    assert!(has_valid_fingerprint(response));
    let kinds: Vec<u16> = attributes(response).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [XOR_MAPPED_ADDRESS, MESSAGE_INTEGRITY, FINGERPRINT]);
}

#[test]
fn a_role_conflict_is_answered_with_487() {
    let bytes = check();
    let mut response = [0; MAX_RESPONSE];
    let len = role_conflict(&parse(&bytes).unwrap(), &password(), &mut response);
    assert_eq!(attributes(&response[..len])[0].1[..4], [0, 0, 4, 87]);
    assert!(has_valid_fingerprint(&response[..len]));
}

#[test]
fn an_unknown_required_attribute_is_named_in_a_420() {
    let bytes = with_attributes(&[(USERNAME, b"ours:theirs"), (0x7abc, b"?")]);
    let request = parse(&bytes).unwrap();
    assert_eq!(request.unknown_attribute, Some(0x7abc));
    let mut response = [0; MAX_RESPONSE];
    let len = unknown_attribute(&request, 0x7abc, &password(), &mut response);
    let found = attributes(&response[..len]);
    assert_eq!(found[0].1[..4], [0, 0, 4, 20]);
    assert_eq!(found[1], (UNKNOWN_ATTRIBUTES, vec![0x7a, 0xbc]));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = check();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted = parse(&changed).is_some_and(|request| request.is_authentic(&password()));
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn attributes_after_the_integrity_are_not_believed() {
    let mut bytes = with_attributes(&[(USERNAME, b"ours:theirs")]);
    bytes.truncate(bytes.len() - 8);
    bytes.extend([0x00, 0x25, 0, 0]);
    let with_fingerprint = bytes.len() + 8 - HEADER_LEN;
    bytes[2..4].copy_from_slice(&field(with_fingerprint));
    let crc = crc32(&bytes) ^ FINGERPRINT_XOR;
    bytes.extend([0x80, 0x28, 0, 4]);
    bytes.extend(crc.to_be_bytes());
    let request = parse(&bytes).unwrap();
    assert!(request.is_authentic(&password()));
    assert!(!request.use_candidate);
}

#[test]
fn requests_without_username_or_integrity_are_refused() {
    assert!(parse(&with_attributes(&[(PRIORITY, &[0; 4])])).is_none());
    assert!(parse(&with_attributes(&[(USERNAME, b"no colon")])).is_none());
    assert!(parse(&with_attributes(&[(USERNAME, b":theirs")])).is_none());
}

#[test]
fn truncated_messages_never_panic() {
    let bytes = check();
    for len in 0..bytes.len() {
        assert!(parse(&bytes[..len]).is_none(), "length {len}");
    }
}

//! Test vectors, and the promises of the contexts.

mod mki;

use super::cipher::{Cipher, SessionKey};
use super::kdf::Use;
use super::*;

const PROFILES: [Profile; 4] =
    [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::AesCm128HmacSha1_80, Profile::AesCm128HmacSha1_32];

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).expect("hex digit");
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn key_and_salt(profile: Profile) -> Vec<u8> {
    (0..).take(profile.key_len() + profile.salt_len()).collect()
}

fn pair(profile: Profile) -> (Sender, Receiver) {
    let key = key_and_salt(profile);
    (Sender::new(profile, &key).expect("right length"), Receiver::new(profile, &key).expect("right length"))
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0x6f];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 3, 0xc0]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xab; 160]);
    packet
}

fn protect(sender: &mut Sender, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MAX_OVERHEAD, 0);
    let len = sender.protect_rtp(&mut buffer, packet.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn protect_rtcp(sender: &mut Sender, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MAX_OVERHEAD, 0);
    let len = sender.protect_rtcp(&mut buffer, packet.len())?;
    buffer.truncate(len);
    Ok(buffer)
}

fn unprotect(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = receiver.unprotect_rtp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

fn unprotect_rtcp(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = receiver.unprotect_rtcp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// One context pair on given session keys, as RFC 7714's vectors have it.
fn session_pair(profile: Profile) -> (Sender, Receiver) {
    let key = std::array::from_fn(|at| u8::try_from(at).expect("a small number"));
    let session = || SessionKey { key, salt: *b"Quid pro quo..", authentication: [0; 20] };
    let keys = || SessionKeys {
        rtp: Cipher::new(profile, &session(), Use::Rtp),
        rtcp: session(),
        profile,
        mki: Box::default(),
    };
    let (mut sender, mut receiver) = pair(profile);
    sender.keys = keys();
    receiver.keys = keys();
    (sender, receiver)
}

#[test]
fn gcm_agrees_with_rfc_7714_section_16() {
    let plain =
        hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
    let vectors = [
        (
            Profile::AeadAes128Gcm,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Profile::AeadAes256Gcm,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (profile, vector) in vectors {
        let (mut sender, mut receiver) = session_pair(profile);
        assert_eq!(protect(&mut sender, &plain), Ok(hex(vector)));
        assert_eq!(unprotect(&mut receiver, &hex(vector)), Ok(plain.clone()));
    }
}

#[test]
fn gcm_agrees_with_rfc_7714_section_17() {
    let plain =
        hex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    let encrypted_128 = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b\
                         c84aa45896cf4d2fc5abf87245d9eade800005d4";
    let encrypted_256 = "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad\
                         1d1eb30c4446839f57ff6f6cb26ac3be800005d4";
    for (profile, vector) in [(Profile::AeadAes128Gcm, encrypted_128), (Profile::AeadAes256Gcm, encrypted_256)] {
        let (mut sender, mut receiver) = session_pair(profile);
        sender.next_rtcp_index = 0x5d4;
        assert_eq!(protect_rtcp(&mut sender, &plain), Ok(hex(vector)));
        assert_eq!(unprotect_rtcp(&mut receiver, &hex(vector)), Ok(plain.clone()));
    }
    let mut tagged_only = plain.clone();
    tagged_only.extend(hex("841dd9683dd78ec92ae58790125f62b3000005d4"));
    let (_, mut receiver) = session_pair(Profile::AeadAes128Gcm);
    assert_eq!(unprotect_rtcp(&mut receiver, &tagged_only), Ok(plain));
}

/// From master keys to wire, as libsrtp 2 writes it: plain header, then CSRCs with a header extension, then RTCP.
#[test]
fn a_stream_is_heard_though_what_came_before_its_first_wrap_was_lost() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        protect(&mut sender, &rtp(1, 65_534)).expect("protects");
        let [overtaken, first, second] = [65_535, 0, 1].map(|number| protect(&mut sender, &rtp(1, number)).unwrap());
        assert_eq!(unprotect(&mut receiver, &first), Ok(rtp(1, 0)));
        assert_eq!(unprotect(&mut receiver, &second), Ok(rtp(1, 1)));
        assert_eq!(unprotect(&mut receiver, &overtaken), Ok(rtp(1, 65_535)));
        assert_eq!(unprotect(&mut receiver, &first), Err(SrtpError::Replay));
    }
}

#[test]
fn another_ssrc_begins_with_a_rollover_counter_of_its_own() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    for number in [0x7fff, 0xfffe, 1] {
        let sealed = protect(&mut sender, &rtp(1, number)).expect("protects");
        assert_eq!(unprotect(&mut receiver, &sealed), Ok(rtp(1, number)));
    }
    for (ssrc, number) in [(2, 3), (1, 2), (2, 4)] {
        let sealed = protect(&mut sender, &rtp(ssrc, number)).expect("protects");
        assert_eq!(unprotect(&mut receiver, &sealed), Ok(rtp(ssrc, number)), "SSRC {ssrc}");
    }
}

#[test]
fn agrees_with_libsrtp() {
    let cm_key = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let vectors = [
        (
            Profile::AesCm128HmacSha1_80,
            cm_key,
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
            "775ff99f37a586509eb8418fa4188586d2037bf9551a5ad253d7de2e2283f3838995e324970c829fe8680a",
            "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
        ),
        (
            Profile::AeadAes128Gcm,
            key_and_salt(Profile::AeadAes128Gcm),
            "800f1234decafbadcafebabe4ad7d8a55fb3fd902db557c94b415ecd17ea3bd1754d1f2808104e868c1cf597",
            "be579d1119a0a978c58b66d20148fec22e7187d4e11eb83c46a00b581686d1771af05dc3489a199b5e7655b01964b5faca",
            "81c8000bcafebabe60b68cb97100e4206ca1c1b44a69f017d387a55d3b720ebc6a4f31cd9316b96180000001",
        ),
        (
            Profile::AeadAes256Gcm,
            key_and_salt(Profile::AeadAes256Gcm),
            "800f1234decafbadcafebabed54ed632a76bff3fa2efbb5597a5d5e87c07497c6b89729d1291317aeef11ba7",
            "e9c353766cc248c770ae951794a9330d03513c6923cbc14f0e9ee8aa060d72a70c52a15f20519328273f1a960fab43f818",
            "81c8000bcafebabe12d596ce61c485e7bae16103356375e982b1916f80021399f9b4c28101aaa9af80000001",
        ),
    ];
    let payload = "abababababababababababababababab";
    let plain = hex(&format!("800f1234decafbadcafebabe{payload}"));
    let header = "92601235decafbadcafebabe1111111122222222bede000151010203";
    let extended = hex(&format!("{header}{}", "cd".repeat(33)));
    let report = hex(&format!("81c8000bcafebabe{payload}"));
    for (profile, key, rtp, extended_rtp, rtcp) in vectors {
        let mut sender = Sender::new(profile, &key).expect("right length");
        let mut receiver = Receiver::new(profile, &key).expect("right length");
        let extended_rtp = hex(&format!("{header}{extended_rtp}"));
        assert_eq!(protect(&mut sender, &plain), Ok(hex(rtp)), "{profile:?}");
        assert_eq!(protect(&mut sender, &extended), Ok(extended_rtp.clone()), "{profile:?}");
        sender.next_rtcp_index = 1;
        assert_eq!(protect_rtcp(&mut sender, &report), Ok(hex(rtcp)), "{profile:?}");
        assert_eq!(unprotect(&mut receiver, &hex(rtp)), Ok(plain.clone()), "{profile:?}");
        assert_eq!(unprotect(&mut receiver, &extended_rtp), Ok(extended.clone()), "{profile:?}");
        assert_eq!(unprotect_rtcp(&mut receiver, &hex(rtcp)), Ok(report.clone()), "{profile:?}");
    }
}

#[test]
fn what_is_protected_comes_back_at_every_length() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        for len in 0..600_u16 {
            let mut packet = rtp(7, len);
            packet.resize(12 + usize::from(len), 0x55);
            let wire = protect(&mut sender, &packet).expect("protects");
            assert_eq!(unprotect(&mut receiver, &wire), Ok(packet), "{profile:?} {len}");
        }
    }
}

#[test]
fn a_packet_is_taken_once() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let wire = protect(&mut sender, &rtp(1, 5)).expect("protects");
        assert!(unprotect(&mut receiver, &wire).is_ok());
        assert_eq!(unprotect(&mut receiver, &wire), Err(SrtpError::Replay));
        let report = protect_rtcp(&mut sender, &hex("80c9000100000001")).expect("protects");
        assert!(unprotect_rtcp(&mut receiver, &report).is_ok());
        assert_eq!(unprotect_rtcp(&mut receiver, &report), Err(SrtpError::Replay));
    }
}

#[test]
fn reordering_around_the_rollover_is_understood() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let sequence = [0xfffc, 0xfffd, 0xfffe, 0xffff, 0, 1, 2, 3];
        let wires: Vec<_> = sequence.map(|number| protect(&mut sender, &rtp(1, number)).expect("protects")).into();
        for position in [0, 1, 4, 2, 6, 3, 7, 5] {
            assert_eq!(unprotect(&mut receiver, &wires[position]), Ok(rtp(1, sequence[position])), "{profile:?}");
        }
        assert_eq!(receiver.rtp_streams.find(1).and_then(|window| window.guess(4)), Some(0x1_0004));
    }
}

#[test]
fn a_tampered_packet_changes_nothing() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let wire = protect(&mut sender, &rtp(1, 0xfff0)).expect("protects");
        for position in 0..wire.len() {
            let mut forged = wire.clone();
            forged[position] ^= 0x01;
            let before = forged.clone();
            assert!(matches!(receiver.unprotect_rtp(&mut forged), Err(SrtpError::Auth | SrtpError::Malformed)));
            assert_eq!(forged, before, "{profile:?} {position}");
        }
        assert!(receiver.rtp_streams.find(1).is_none());
        assert!(unprotect(&mut receiver, &wire).is_ok());
    }
}

#[test]
fn a_tampered_report_changes_nothing() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let wire = protect_rtcp(&mut sender, &hex("81c9000700000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        let wire = wire.expect("protects");
        for position in 0..wire.len() {
            let mut forged = wire.clone();
            forged[position] ^= 0x80;
            let before = forged.clone();
            assert!(matches!(receiver.unprotect_rtcp(&mut forged), Err(SrtpError::Auth | SrtpError::Malformed)));
            assert_eq!(forged, before, "{profile:?} {position}");
        }
        assert!(unprotect_rtcp(&mut receiver, &wire).is_ok());
    }
}

#[test]
fn forged_ssrcs_push_nobody_out() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    let first = protect(&mut sender, &rtp(1, 10)).expect("protects");
    assert!(unprotect(&mut receiver, &first).is_ok());
    for ssrc in 2..100 {
        let mut forged = rtp(ssrc, 10);
        forged.extend([0; 16]);
        assert_eq!(receiver.unprotect_rtp(&mut forged), Err(SrtpError::Auth));
    }
    assert_eq!(unprotect(&mut receiver, &first), Err(SrtpError::Replay));
}

#[test]
fn a_sender_never_uses_a_keystream_twice() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm);
    assert!(protect(&mut sender, &rtp(1, 10)).is_ok());
    assert_eq!(protect(&mut sender, &rtp(1, 10)), Err(SrtpError::Replay));
    for ssrc in 2..=4 {
        assert!(protect(&mut sender, &rtp(ssrc, 10)).is_ok());
    }
    assert_eq!(protect(&mut sender, &rtp(5, 10)), Err(SrtpError::Exhausted));
    assert!(protect(&mut sender, &rtp(2, 11)).is_ok());
}

#[test]
fn a_used_up_key_is_refused() {
    let (mut sender, mut receiver) = pair(Profile::AesCm128HmacSha1_80);
    sender.rtp_streams.record(1, index::MAX_RTP);
    assert_eq!(protect(&mut sender, &rtp(1, 0)), Err(SrtpError::Exhausted));
    receiver.rtp_streams.record(1, index::MAX_RTP);
    assert_eq!(unprotect(&mut receiver, &rtp(1, 0)), Err(SrtpError::Exhausted));
    sender.next_rtcp_index = index::MAX_RTCP;
    assert!(protect_rtcp(&mut sender, &hex("80c9000100000001")).is_ok());
    assert_eq!(protect_rtcp(&mut sender, &hex("80c9000100000001")), Err(SrtpError::Exhausted));
}

#[test]
fn lengths_are_checked() {
    for profile in PROFILES {
        let key = key_and_salt(profile);
        assert!(matches!(Sender::new(profile, &key[1..]), Err(SrtpError::KeyLength)));
        assert!(matches!(Receiver::new(profile, &[]), Err(SrtpError::KeyLength)));
        let (mut sender, _) = pair(profile);
        let mut packet = rtp(1, 1);
        let len = packet.len();
        assert_eq!(sender.protect_rtp(&mut packet, len), Err(SrtpError::NoRoom));
        assert_eq!(sender.protect_rtp(&mut packet, usize::MAX), Err(SrtpError::NoRoom));
        assert_eq!(sender.protect_rtp(&mut packet, 11), Err(SrtpError::Malformed));
        assert_eq!(sender.protect_rtcp(&mut packet, 7), Err(SrtpError::Malformed));
    }
}

#[test]
fn random_bytes_are_refused_and_never_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        for _ in 0..20_000 {
            let len = usize::try_from(random() % 90).expect("small");
            let mut packet: Vec<u8> = (0..len).map(|_| random().to_be_bytes()[0]).collect();
            if let Some(first) = packet.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            // Four bytes of tag are guessed once in four thousand million tries.
            assert!(receiver.unprotect_rtp(&mut packet.clone()).is_err());
            assert!(receiver.unprotect_rtcp(&mut packet.clone()).is_err());
            let _ = sender.protect_rtp(&mut packet.clone(), len / 2);
            let _ = sender.protect_rtcp(&mut packet, len / 2);
        }
    }
}

#[test]
fn names_are_the_registered_ones() {
    assert_eq!(Profile::from_name("AEAD_AES_128_GCM"), Some(Profile::AeadAes128Gcm));
    assert_eq!(Profile::from_name("AES_CM_128_HMAC_SHA1_80"), Some(Profile::AesCm128HmacSha1_80));
    assert_eq!(Profile::from_name("NULL_HMAC_SHA1_80"), None);
    for profile in PROFILES {
        assert_eq!(Profile::from_name(profile.name()), Some(profile));
    }
}

/// The short tag is the beginning of the long one; RTCP keeps ten bytes (RFC 4568 §6.2.2).
#[test]
fn the_32_bit_tag_is_for_rtp_only() {
    let (mut long, _) = pair(Profile::AesCm128HmacSha1_80);
    let (mut short, _) = pair(Profile::AesCm128HmacSha1_32);
    let wire = protect(&mut long, &rtp(1, 5)).expect("protects");
    assert_eq!(protect(&mut short, &rtp(1, 5)), Ok(wire[..wire.len() - 6].to_vec()));
    let report = hex("80c9000100000001");
    assert_eq!(protect_rtcp(&mut short, &report), protect_rtcp(&mut long, &report));
}

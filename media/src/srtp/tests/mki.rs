//! The name of the key in packets: where it stands, and peers that leave it out (RFC 3711 §3.1).

use super::*;

#[test]
fn the_mki_stands_before_an_hmac_and_behind_an_aead_tag() {
    let report = hex("81c9000700000001aaaaaaaaaaaaaaaa");
    for profile in PROFILES {
        let key = key_and_salt(profile);
        let (mut bare, _) = pair(profile);
        let mut sender = Sender::with_mki(profile, &key, b"name").expect("right length");
        let tag = if profile.salt_len() == 12 { 0 } else { sender.keys.rtp.tag_len() };
        let mut expected = protect(&mut bare, &rtp(1, 5)).expect("protects");
        expected.splice(expected.len() - tag..expected.len() - tag, *b"name");
        assert_eq!(protect(&mut sender, &rtp(1, 5)), Ok(expected), "{profile:?}");
        let tag = if profile.salt_len() == 12 { 0 } else { sender.keys.for_rtcp(b"name").0.tag_len() };
        let mut expected = protect_rtcp(&mut bare, &report).expect("protects");
        expected.splice(expected.len() - tag..expected.len() - tag, *b"name");
        assert_eq!(protect_rtcp(&mut sender, &report), Ok(expected), "{profile:?}");
    }
}

#[test]
fn packets_with_the_mki_of_the_key_are_opened_and_others_are_not() {
    let report = hex("81c9000700000001aaaaaaaaaaaaaaaa");
    for profile in PROFILES {
        let key = key_and_salt(profile);
        for len in [1, 4, MAX_MKI] {
            let mki = vec![7; len];
            let mut sender = Sender::with_mki(profile, &key, &mki).expect("right length");
            let mut receiver = Receiver::with_mki(profile, &key, &mki).expect("right length");
            let mut other = Receiver::with_mki(profile, &key, &vec![8; len]).expect("right length");
            let wire = protect(&mut sender, &rtp(1, 5)).expect("protects");
            assert_eq!(unprotect(&mut other, &wire), Err(SrtpError::Auth), "{profile:?}");
            assert_eq!(unprotect(&mut receiver, &wire), Ok(rtp(1, 5)), "{profile:?}");
            let wire = protect_rtcp(&mut sender, &report).expect("protects");
            assert_eq!(unprotect_rtcp(&mut other, &wire), Err(SrtpError::Auth), "{profile:?}");
            assert_eq!(unprotect_rtcp(&mut receiver, &wire), Ok(report.clone()), "{profile:?}");
        }
        assert!(Sender::with_mki(profile, &key, &[0; MAX_MKI + 1]).is_err());
    }
}

#[test]
fn a_declared_mki_may_be_missing_in_packets_which_is_remembered() {
    let report = |number: u8| [&hex("81c9000700000001")[..], &[number; 24]].concat();
    for profile in PROFILES {
        for len in [1, 4, MAX_MKI] {
            let (mut bare, _) = pair(profile);
            let mut receiver =
                Receiver::with_mki(profile, &key_and_salt(profile), &vec![7; len]).expect("right length");
            for n in 0..3 {
                let wire = protect(&mut bare, &rtp(1, n)).expect("protects");
                assert_eq!(unprotect(&mut receiver, &wire), Ok(rtp(1, n)), "{profile:?} {len}");
                assert_eq!(unprotect(&mut receiver, &wire), Err(SrtpError::Replay), "{profile:?} {len}");
                assert!(matches!(receiver.rtp_naming, Naming::Omitted));
            }
            assert!(matches!(receiver.rtcp_naming, Naming::Declared), "RTCP is another matter");
            for n in 0..3 {
                let wire = protect_rtcp(&mut bare, &report(n)).expect("protects");
                assert_eq!(unprotect_rtcp(&mut receiver, &wire), Ok(report(n)), "{profile:?} {len}");
                assert_eq!(unprotect_rtcp(&mut receiver, &wire), Err(SrtpError::Replay), "{profile:?} {len}");
                assert!(matches!(receiver.rtcp_naming, Naming::Omitted));
            }
        }
    }
}

#[test]
fn a_packet_is_taken_once_with_its_mki_or_without() {
    for profile in PROFILES {
        let key = key_and_salt(profile);
        let (mut bare, _) = pair(profile);
        let mut named = Sender::with_mki(profile, &key, b"name").expect("right length");
        let mut receiver = Receiver::with_mki(profile, &key, b"name").expect("right length");
        for n in 0..4 {
            let wires = [&mut named, &mut bare].map(|sender| protect(sender, &rtp(1, n)).expect("protects"));
            let turn = usize::from(n % 2);
            assert_eq!(unprotect(&mut receiver, &wires[turn]), Ok(rtp(1, n)), "{profile:?}");
            assert!(unprotect(&mut receiver, &wires[1 - turn]).is_err(), "{profile:?}");
        }
    }
}

#[test]
fn forged_packets_do_not_change_what_is_remembered_of_the_mki() {
    for profile in PROFILES {
        let (mut bare, _) = pair(profile);
        let mut receiver = Receiver::with_mki(profile, &key_and_salt(profile), b"name").expect("right length");
        let wire = protect(&mut bare, &rtp(1, 5)).expect("protects");
        let mut forged = wire.clone();
        forged[20] ^= 1;
        assert_eq!(unprotect(&mut receiver, &forged), Err(SrtpError::Auth), "{profile:?}");
        assert!(matches!(receiver.rtp_naming, Naming::Declared));
        assert_eq!(unprotect(&mut receiver, &wire), Ok(rtp(1, 5)), "{profile:?}");
        assert_eq!(unprotect(&mut receiver, &forged), Err(SrtpError::Replay), "{profile:?}");
        assert!(matches!(receiver.rtp_naming, Naming::Omitted));
    }
}

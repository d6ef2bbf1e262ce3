//! RTP legs with keys from SDES, and changes of keys.

use super::*;

const SDES: Profile = Profile::AesCm128HmacSha1_32;

/// Keys of both directions of an RTP leg, made of one byte.
fn sdes(number: u8, is_first: bool) -> Command {
    let key = vec![number; SDES.key_len() + SDES.salt_len()];
    Command::SetSdes(Some(Box::new(crate::sdes::Change {
        receiver: Some(Receiver::new(SDES, &key).unwrap()),
        sender: 0,
        new_sender: is_first.then(|| Sender::new(SDES, &key).unwrap()),
    })))
}

fn sdes_peer(number: u8) -> (Sender, Receiver) {
    let key = vec![number; SDES.key_len() + SDES.salt_len()];
    (Sender::new(SDES, &key).unwrap(), Receiver::new(SDES, &key).unwrap())
}

fn sealed(sender: &mut Sender, n: u16) -> Vec<u8> {
    let mut bytes = packet(0, n, u32::from(n) * 160, &[5; 160]);
    let len = bytes.len();
    bytes.resize(len + crate::srtp::MAX_OVERHEAD, 0);
    let len = sender.protect_rtp(&mut bytes, len).unwrap();
    bytes.truncate(len);
    bytes
}

#[test]
fn an_rtp_leg_with_keys_speaks_srtp_both_ways() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut sender, mut receiver) = sdes_peer(1);
    bench.receive(one, sealed(&mut sender, 1));
    let sent = bench.take();
    assert_eq!((sent[0].path, sent[0].rtp().payload), (Bench::peer(other), &[5; 160][..]));
    bench.say(other, 0, 1, &[6; 160]);
    let mut bytes = bench.take().remove(0).bytes;
    assert_ne!(bytes[12..172], [6; 160]);
    let len = receiver.unprotect_rtp(&mut bytes).unwrap();
    assert_eq!(rtp::parse(&bytes[..len]).unwrap().payload, [6; 160]);
    let reports = bench.pass(at(1500));
    let report = reports.iter().find(|sent| sent.path.peer == ([192, 0, 2, 1], 4001).into()).unwrap();
    assert!(receiver.unprotect_rtcp(&mut report.bytes.clone()).is_ok());
    bench.command(one, Command::SetSdes(None));
    bench.say(other, 0, 2, &[6; 160]);
    assert_eq!(rtp_only(bench.take())[0].rtp().payload, [6; 160]);
}

#[test]
fn a_key_change_loses_nothing_though_the_peer_changes_later() {
    let (mut bench, one, other) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut old, _) = sdes_peer(1);
    let (mut new, _) = sdes_peer(2);
    bench.receive(one, sealed(&mut old, 1));
    bench.command(one, sdes(2, false));
    for n in 2..5 {
        bench.receive(one, sealed(&mut old, n));
    }
    for n in 5..9 {
        bench.receive(one, sealed(&mut new, n));
    }
    let heard = rtp_only(bench.take()).iter().filter(|sent| sent.path == Bench::peer(other)).count();
    assert_eq!((heard, bench.count(one, "dropped_srtp_auth")), (8, 0));
}

#[test]
fn a_source_is_learned_only_from_what_is_authentic() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let stranger = Path { peer: ([203, 0, 113, 5], 6000).into(), ..Bench::peer(one) };
    for n in 0..10 {
        bench.relay.on_packet(bench.now, one, stranger, &mut packet(0, n, 0, &[5; 160]), &mut bench.out);
    }
    assert_eq!((bench.count(one, "rx_packets"), bench.count(one, "dropped_srtp_auth")), (0, 10));
    let (mut sender, _) = sdes_peer(1);
    for n in 0..3 {
        bench.relay.on_packet(bench.now, one, stranger, &mut sealed(&mut sender, n), &mut bench.out);
    }
    assert_eq!(bench.count(one, "rx_packets"), 1);
    // The old key does not move the source any more.
    bench.command(one, sdes(2, false));
    let elsewhere = Remote { rtp: ([198, 51, 100, 9], 7000).into(), rtcp: None, rtcp_mux: false, reopen: true };
    bench.command(one, Command::SetRemote(elsewhere));
    for n in 3..9 {
        bench.relay.on_packet(bench.now, one, stranger, &mut sealed(&mut sender, n), &mut bench.out);
    }
    assert_eq!((bench.count(one, "rx_packets"), bench.count(one, "dropped_unknown_source")), (1, 8));
}

#[test]
fn packets_that_cannot_be_decrypted_are_told_once() {
    let (mut bench, one, _) = coupled(PCMU, PCMU);
    bench.command(one, sdes(1, true));
    let (mut wrong, _) = sdes_peer(2);
    for n in 0..60 {
        bench.receive(one, sealed(&mut wrong, n));
    }
    let told = bench.events().into_iter().filter(|(_, event)| *event == Event::Undecryptable).count();
    assert_eq!((told, bench.count(one, "dropped_srtp_auth")), (1, 60));
}

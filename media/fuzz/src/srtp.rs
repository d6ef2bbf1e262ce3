//! SRTP: only what the peer sealed is opened, each packet once, with its MKI or without; a refused packet changes neither itself
//! nor the context.

use std::collections::HashMap;

use mediacore::srtp::{MAX_MKI, MAX_OVERHEAD, Profile, Receiver, Sender};

use crate::script::Script;

const PROFILES: [Profile; 4] =
    [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::AesCm128HmacSha1_80, Profile::AesCm128HmacSha1_32];
/// Names of the key in the packets: none, short, as long as they get.
const MKIS: [&[u8]; 4] = [b"", &[1], b"name", &[0x5a; MAX_MKI]];
/// Packets that the peer has sealed, at most: enough to fill windows and push SSRCs out.
const MAX_SEALED: usize = 300;

/// RTP or RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    Rtp,
    Rtcp,
}

/// A sealed packet: how it travels, and what is inside.
struct Sealed {
    protocol: Protocol,
    wire: Vec<u8>,
    plain: Vec<u8>,
}

/// A peer, and two contexts of ours: one hears everything, the other only what the first one took.
struct Bench {
    sender: Sender,
    tried: Receiver,
    spared: Receiver,
    sealed: Vec<Sealed>,
    /// Wire bytes, with the MKI and without, to the place in `sealed`, until they are opened.
    unopened: HashMap<(Protocol, Vec<u8>), usize>,
    profile: Profile,
    mki_len: usize,
}

/// Seal, deliver, change and replay packets as `data` says.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let profile = script.choice(PROFILES);
    let mki = script.choice(MKIS);
    let mut bench = Bench::new(profile, script.byte(), mki);
    while !script.is_over() {
        match script.byte() % 5 {
            0 | 1 => bench.seal(&mut script),
            2 => bench.deliver(&mut script),
            3 => bench.deliver_changed(&mut script),
            _ => {
                let protocol = script.choice([Protocol::Rtp, Protocol::Rtcp]);
                bench.receive(protocol, script.bytes());
            }
        }
    }
    bench.replay_everything();
}

/// Master key and salt of a key number.
#[must_use]
pub fn key_and_salt(profile: Profile, number: u8) -> Vec<u8> {
    (0..).map(|byte: u8| byte.wrapping_mul(7) ^ number).take(profile.key_len() + profile.salt_len()).collect()
}

impl Bench {
    fn new(profile: Profile, number: u8, mki: &[u8]) -> Self {
        let key = key_and_salt(profile, number);
        let receiver = || Receiver::with_mki(profile, &key, mki).expect("right length");
        Self {
            sender: Sender::with_mki(profile, &key, mki).expect("right length"),
            tried: receiver(),
            spared: receiver(),
            sealed: Vec::new(),
            unopened: HashMap::new(),
            profile,
            mki_len: mki.len(),
        }
    }

    /// The packet of a peer that declares an MKI and sends none: it is not authenticated (RFC 3711 §3.1).
    fn without_mki(&self, protocol: Protocol, wire: &[u8]) -> Vec<u8> {
        let tag_behind = match (self.profile, protocol) {
            (Profile::AeadAes128Gcm | Profile::AeadAes256Gcm, _) => 0,
            (Profile::AesCm128HmacSha1_32, Protocol::Rtp) => 4,
            (Profile::AesCm128HmacSha1_32 | Profile::AesCm128HmacSha1_80, _) => 10,
        };
        let mut wire = wire.to_vec();
        let end = wire.len() - tag_behind;
        wire.drain(end - self.mki_len..end);
        wire
    }

    /// The peer seals a packet, of the script's bytes behind a header that mostly makes sense.
    fn seal(&mut self, script: &mut Script) {
        let protocol = script.choice([Protocol::Rtp, Protocol::Rtcp]);
        let first = if script.byte() < 16 { script.byte() } else { 0x80 };
        let mut plain = match protocol {
            Protocol::Rtp => vec![first, 111],
            Protocol::Rtcp => vec![first, 200],
        };
        plain.extend(script.u16().to_be_bytes());
        if protocol == Protocol::Rtp {
            plain.extend([0, 0, 0, 1]);
        }
        // A sender refuses a fifth SSRC for RTP. RTCP has no such limit, and a receiver that hears a fifth one forgets
        // the one silent for longest, replays of which it would then take: no peer does that.
        let ssrcs = if protocol == Protocol::Rtp { 6 } else { 4 };
        plain.extend([0, 0, 0, script.byte() % ssrcs]);
        plain.extend(script.bytes());
        let mut wire = plain.clone();
        wire.resize(plain.len() + MAX_OVERHEAD, 0);
        let sealed = match protocol {
            Protocol::Rtp => self.sender.protect_rtp(&mut wire, plain.len()),
            Protocol::Rtcp => self.sender.protect_rtcp(&mut wire, plain.len()),
        };
        match sealed {
            Ok(len) if self.sealed.len() < MAX_SEALED => {
                wire.truncate(len);
                for form in [wire.clone(), self.without_mki(protocol, &wire)] {
                    self.unopened.insert((protocol, form), self.sealed.len());
                }
                self.sealed.push(Sealed { protocol, wire, plain });
            }
            Ok(_) => {}
            Err(_) => assert_eq!(wire[..plain.len()], plain, "a refused packet was changed"),
        }
    }

    /// One of the sealed packets arrives, perhaps not for the first time.
    fn deliver(&mut self, script: &mut Script) {
        let number = usize::from(script.u16());
        if let Some(Sealed { protocol, wire, .. }) = self.sealed.get(number % self.sealed.len().max(1)) {
            let (protocol, wire) = (*protocol, wire.clone());
            self.receive(protocol, &wire);
        }
    }

    /// One of the sealed packets arrives with some of its bytes changed, cut or grown.
    fn deliver_changed(&mut self, script: &mut Script) {
        let number = usize::from(script.u16());
        let Some(Sealed { protocol, wire, .. }) = self.sealed.get(number % self.sealed.len().max(1)) else {
            return;
        };
        let (protocol, mut wire) = (*protocol, wire.clone());
        let place = usize::from(script.u16()) % wire.len();
        match script.byte() % 4 {
            0 => wire.truncate(place),
            1 => wire.extend(script.bytes()),
            2 => {
                wire.remove(place);
            }
            _ => wire[place] ^= script.byte(),
        }
        let protocol = if script.byte() == 0 { Protocol::Rtcp } else { protocol };
        self.receive(protocol, &wire);
    }

    fn receive(&mut self, protocol: Protocol, wire: &[u8]) {
        let mut packet = wire.to_vec();
        match open(&mut self.tried, protocol, &mut packet) {
            Some(len) => {
                let number = self.unopened.remove(&(protocol, wire.to_vec()));
                let number = number.expect("forged, or opened twice");
                let Sealed { wire: sealed, plain, .. } = &self.sealed[number];
                assert_eq!(packet[..len], *plain);
                for form in [sealed.clone(), self.without_mki(protocol, sealed)] {
                    self.unopened.remove(&(protocol, form));
                }
                let mut packet = wire.to_vec();
                assert_eq!(open(&mut self.spared, protocol, &mut packet), Some(len), "what was refused left a trace");
            }
            None => assert_eq!(packet, wire, "a refused packet was changed"),
        }
    }

    /// What is open stays closed, and both contexts agree about what is not.
    fn replay_everything(&mut self) {
        for Sealed { protocol, wire, .. } in &self.sealed {
            let mut copies = [wire.clone(), wire.clone()];
            let tried = open(&mut self.tried, *protocol, &mut copies[0]);
            let spared = open(&mut self.spared, *protocol, &mut copies[1]);
            assert_eq!(tried, spared, "what was refused left a trace");
            let was_unopened = self.unopened.remove(&(*protocol, wire.clone())).is_some();
            assert!(tried.is_none() || was_unopened, "replayed");
        }
    }
}

fn open(receiver: &mut Receiver, protocol: Protocol, packet: &mut [u8]) -> Option<usize> {
    match protocol {
        Protocol::Rtp => receiver.unprotect_rtp(packet).ok(),
        Protocol::Rtcp => receiver.unprotect_rtcp(packet).ok(),
    }
}

//! The far end of one leg: makes what it would send, and looks hard at what it gets.

use std::collections::{HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

use mediacore::browser::Browser;
use mediacore::codec::Codec;
use mediacore::command::{Command, Format};
use mediacore::leg::Seed;
use mediacore::outbox::MAX_PACKET;
use mediacore::path::{LegId, Path, SocketId};
use mediacore::port::Port;
use mediacore::rtcp::{self, Compound, MAX_COMPOUND, ReportBlock, SenderInfo};
use mediacore::rtp::{self, HEADER_LEN, Header, Kind, Packet, Pt, SeqNo, Ssrc};
use mediacore::srtp::{MAX_OVERHEAD, Profile, Receiver, Sender};
use mediacore::transport::Transport;

use crate::script::Script;
use crate::srtp::key_and_salt;
use crate::stun::{binding_request, check_attributes};

/// How far back a sequence number must not come again.
const REMEMBERED: usize = 1000;
/// Our SRTP key of an even number, the peer's of an odd one.
const PROFILE: Profile = Profile::AeadAes128Gcm;

/// A peer.
pub struct Peer {
    /// Its leg.
    pub id: LegId,
    /// Behind ICE, DTLS and SRTP; otherwise a phone with plain RTP.
    pub is_browser: bool,
    /// What its leg began with.
    pub seed: Seed,
    /// What was agreed with it, the latest last: that, or while a browser changes over, one before.
    agreed: Vec<Format>,
    /// Where its leg may send.
    pub proven: HashSet<Path>,
    ice_generation: u32,
    key_generation: u8,
    keyed: bool,
    sealer: Sender,
    opener: Receiver,
    stream: Header,
    heard: VecDeque<SeqNo>,
    /// Sequence number and timestamp of the newest packet of its leg.
    newest: Option<(SeqNo, u32)>,
}

fn sender(number: u8) -> Sender {
    Sender::new(PROFILE, &key_and_salt(PROFILE, number)).expect("right length")
}

fn receiver(number: u8) -> Receiver {
    Receiver::new(PROFILE, &key_and_salt(PROFILE, number)).expect("right length")
}

impl Peer {
    /// The peer of a new leg.
    pub fn new(id: LegId, is_browser: bool) -> Self {
        let number = u32::try_from(id.0).unwrap_or(0);
        let seed = Seed { ssrc: 0x1000 + number, sequence: u16::MAX, timestamp: u32::MAX - 1000, name: id.0 };
        let sequence = SeqNo(65_500);
        let stream = Header { marker: false, payload_type: Pt(0), sequence, timestamp: 0, ssrc: Ssrc(0x2000 + number) };
        let (sealer, opener) = (sender(1), receiver(0));
        Self {
            id,
            is_browser,
            seed,
            agreed: Vec::new(),
            proven: HashSet::new(),
            ice_generation: 0,
            key_generation: 0,
            keyed: false,
            sealer,
            opener,
            stream,
            heard: VecDeque::new(),
            newest: None,
        }
    }

    /// The leg is told of this; a browser goes on with what it had until it speaks the new one.
    pub fn agree(&mut self, format: Format) {
        if !self.is_browser {
            self.agreed.clear();
        }
        self.agreed.push(format);
    }

    /// Our end, for its leg.
    pub fn transport(&self) -> Transport {
        if self.is_browser {
            let (ufrag, pwd) = self.credentials();
            Transport::Browser(Browser::new(&ufrag, &pwd))
        } else {
            Transport::Port(Port::new(self.socket(0), self.socket(1)))
        }
    }

    fn socket(&self, offset: u64) -> SocketId {
        SocketId(if self.is_browser { 3 } else { i32::try_from(10 + 2 * self.id.0 + offset).unwrap_or(4) })
    }

    /// One of a few addresses of its own.
    pub fn path(&self, number: u8) -> Path {
        self.path_on(0, number)
    }

    /// The same for RTCP: the next port, on our next port.
    pub fn control_path(&self, number: u8) -> Path {
        self.path_on(u16::from(!self.is_browser), number)
    }

    fn path_on(&self, offset: u16, number: u8) -> Path {
        let [.., host] = self.id.0.to_be_bytes();
        let ip = Ipv4Addr::new(192, 0, 2 + (number & 1), host);
        let port = 40_000 + u16::from(number % 6) * 2 + offset;
        Path { socket: self.socket(offset.into()), peer: SocketAddr::from((ip, port)) }
    }

    /// From now on the leg may send there; to a phone's next port, too, its RTCP (RFC 3550 §11).
    pub fn prove(&mut self, path: Path) {
        self.proven.insert(path);
        if !self.is_browser {
            let next = SocketAddr::new(path.peer.ip(), path.peer.port() + 1);
            self.proven.insert(Path { socket: self.socket(1), peer: next });
        }
    }

    fn credentials(&self) -> (String, String) {
        let name = format!("u{}g{}", self.id.0, self.ice_generation);
        (name.clone(), format!("{name}-and-a-long-password"))
    }

    /// New credentials for both.
    pub fn restart_ice(&mut self) -> Command {
        self.ice_generation += 1;
        let (ufrag, pwd) = self.credentials();
        Command::RestartIce { ufrag, pwd }
    }

    /// Keys for the leg. The first are those that the peer has used from the start; what it sent early then counts.
    pub fn agree_on_keys(&mut self, script: &mut Script) -> (Receiver, Sender) {
        if self.keyed {
            self.key_generation = self.key_generation.wrapping_add(1);
            self.sealer = sender(self.key_generation.wrapping_mul(2) | 1);
            self.opener = receiver(self.key_generation.wrapping_mul(2));
        }
        self.keyed = true;
        // Now and then the sides do not agree: then nothing may get through.
        let skew = if script.byte() == 255 { 128 } else { 0 };
        let number = self.key_generation.wrapping_mul(2);
        (receiver(number ^ skew | 1), sender(number))
    }

    /// A connectivity check.
    pub fn check(&self, nominates: bool) -> Vec<u8> {
        let (ufrag, pwd) = self.credentials();
        binding_request(&check_attributes(&format!("{ufrag}:peer"), nominates), &pwd)
    }

    /// The next packet of its stream: mostly audio that goes on, sometimes anything else.
    pub fn media(&mut self, script: &mut Script) -> Option<Vec<u8>> {
        let sequence_step = script.byte();
        let stream = &mut self.stream;
        stream.sequence = match sequence_step {
            0..=199 => stream.sequence.plus(1),
            200..=239 => stream.sequence.plus(u16::from(sequence_step)).plus(0u16.wrapping_sub(220)),
            _ => stream.sequence.plus(script.u16()),
        };
        let Format { payload_type: audio, offered_as, events: [event, other, ..], .. } =
            self.agreed.last().copied().unwrap_or(Format::of(Codec::Pcmu, 20));
        let kind = script.byte();
        stream.payload_type = match kind {
            0..=191 => audio,
            192..=223 => event.map_or(Pt(101), |(number, _)| number),
            224..=231 => other.map_or(Pt(110), |(number, _)| number),
            232..=239 => offered_as.unwrap_or(audio),
            _ => Pt(script.byte() & 0x7f),
        };
        stream.marker = kind == 0;
        stream.timestamp = stream.timestamp.wrapping_add(match script.byte() {
            0..=99 => 160,
            100..=199 => 960,
            200..=239 => 0,
            _ => script.u32(),
        });
        if sequence_step == u8::MAX {
            stream.ssrc = Ssrc(stream.ssrc.0 ^ 0x8000);
        }
        let header = *stream;
        let packet = crate::rtp::written(&Packet { header, payload: &payload(script) });
        self.sealed(packet, Sender::protect_rtp)
    }

    /// A report about what it hears, as wild as the script wants it.
    pub fn report(&mut self, script: &mut Script) -> Option<Vec<u8>> {
        let info = SenderInfo { ntp: u64::from_be_bytes(script.array()), ..SenderInfo::default() };
        let block = ReportBlock {
            ssrc: if script.byte() == 0 { script.u32() } else { self.seed.ssrc },
            fraction_lost: script.byte(),
            last_sr: script.u32(),
            ..ReportBlock::default()
        };
        let compound = Compound {
            ssrc: self.stream.ssrc.0,
            sender: script.flag().then_some(info),
            report: Some(block),
            cname: "peer",
            bye: script.byte() == 0,
        };
        let mut packet = vec![0; MAX_COMPOUND];
        let len = rtcp::build_compound(&mut packet, &compound)?;
        packet.truncate(len);
        self.sealed(packet, Sender::protect_rtcp)
    }

    /// As it travels; `None` for a sequence number that was used before.
    fn sealed<E>(
        &mut self,
        mut packet: Vec<u8>,
        protect: impl Fn(&mut Sender, &mut [u8], usize) -> Result<usize, E>,
    ) -> Option<Vec<u8>> {
        if self.is_browser {
            let len = packet.len();
            packet.resize(len + MAX_OVERHEAD, 0);
            let len = protect(&mut self.sealer, &mut packet, len).ok()?;
            packet.truncate(len);
        }
        Some(packet)
    }

    /// Check what its leg sends.
    pub fn hear(&mut self, path: Path, bytes: &[u8]) {
        assert!((1..=MAX_PACKET).contains(&bytes.len()));
        assert!(self.proven.contains(&path), "{path} is nobody that the leg should send to");
        match rtp::classify(bytes) {
            Some(Kind::Stun) => assert!(self.is_browser && bytes[0] == 1, "no response"),
            Some(Kind::Dtls) => assert!(self.is_browser),
            Some(Kind::Rtp) => self.hear_rtp(bytes),
            Some(Kind::Rtcp) => self.hear_rtcp(bytes),
            None => panic!("something that no protocol of ours starts with"),
        }
    }

    fn hear_rtp(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if self.is_browser {
            let len = self.opener.unprotect_rtp(&mut bytes).expect("sealed with our key, and not used before");
            bytes.truncate(len);
        }
        let Packet { header, payload } = rtp::parse(&bytes).expect("RTP");
        assert_eq!(header.ssrc.0, self.seed.ssrc);
        assert_eq!(bytes.len(), HEADER_LEN + payload.len(), "nothing but a plain header");
        let spoken = self.agreed.iter().position(|format| format.has(header.payload_type));
        // Once it was spoken to in a format, it is not in one of before.
        self.agreed.drain(..spoken.expect("a format that was agreed"));
        assert!(!self.heard.contains(&header.sequence), "sequence number {} comes again", header.sequence.0);
        self.heard.push_back(header.sequence);
        if self.newest.is_none_or(|(sequence, _)| header.sequence.since(sequence) > 0) {
            let before = self.newest.replace((header.sequence, header.timestamp));
            let step = before.map_or(0, |(_, timestamp)| header.timestamp.wrapping_sub(timestamp).cast_signed());
            assert!(step >= 0, "the timestamp goes back by {} ticks", -step);
        }
        if self.heard.len() > REMEMBERED {
            self.heard.pop_front();
        }
    }

    fn hear_rtcp(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if self.is_browser {
            let len = self.opener.unprotect_rtcp(&mut bytes).expect("sealed with our key, and not used before");
            bytes.truncate(len);
        }
        rtcp::parse(&bytes, &mut |_| ()).expect("RTCP");
    }
}

/// The script's bytes, or a pattern of the length that it names.
fn payload(script: &mut Script) -> Vec<u8> {
    match script.byte() {
        0 => script.bytes().to_vec(),
        255 => vec![0x5a; usize::from(script.u16()) % 1600],
        len => (0..len).map(|byte| byte.wrapping_mul(len)).collect(),
    }
}

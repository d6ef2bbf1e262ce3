//! A relay on the bench: phones and browsers to couple, a clock to turn, and what was sent.

use super::*;

pub(super) const PWD: &str = "a password of 22 chars";
pub(super) const PCMU: Format = Format {
    codec: Codec::Pcmu,
    payload_type: Pt(0),
    offered_as: None,
    events: [Some((Pt(101), 8000)), None, None, None],
    ptime_ms: 20,
    comfort_noise: None,
};
pub(super) const PCMA: Format = Format { codec: Codec::Pcma, payload_type: Pt(8), ..PCMU };
pub(super) const OPUS: Format = Format {
    codec: Codec::Opus,
    payload_type: Pt(111),
    offered_as: None,
    events: [Some((Pt(110), 48_000)), None, None, None],
    ptime_ms: 20,
    comfort_noise: None,
};
/// Master key and salt of both directions.
pub(super) const KEY: [u8; 28] = [7; 28];

pub(super) fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A relay with a clock that stands still until told otherwise.
#[derive(Default)]
pub(super) struct Bench {
    pub(super) relay: Relay,
    pub(super) out: Outbox,
    pub(super) now: Duration,
}

/// A packet on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) path: Path,
    pub(super) bytes: Vec<u8>,
}

impl Sent {
    pub(super) fn rtp(&self) -> rtp::Packet<'_> {
        rtp::parse(&self.bytes).unwrap()
    }
}

impl Bench {
    pub(super) fn add(&mut self, id: u64, transport: Transport, format: Format) -> LegId {
        let settings = Settings {
            limits: Limits { stall: at(3000), dead: at(30_000), silent: at(8000) },
            opus_complexity: 0,
            unix_origin: Duration::from_secs(1_800_000_000),
        };
        let seed = Seed { ssrc: 0x1000 + u32::try_from(id).unwrap(), sequence: 1, timestamp: 1, name: 1 };
        self.relay.adopt(Box::new(Leg::new(self.now, LegId(id), transport, seed, settings)));
        self.command(LegId(id), Command::SetFormat(format));
        LegId(id)
    }

    pub(super) fn phone(&mut self, id: u64, format: Format) -> LegId {
        let socket = i32::try_from(id * 10).unwrap();
        let leg = self.add(id, Transport::Port(Port::new(SocketId(socket), SocketId(socket + 1))), format);
        let rtp = Bench::peer(leg).peer;
        self.command(leg, Command::SetRemote(Remote { rtp, rtcp: None, rtcp_mux: false, reopen: true }));
        leg
    }

    pub(super) fn browser(&mut self, id: u64, format: Format) -> LegId {
        let leg = self.add(id, Transport::Browser(Browser::new("ufrag", PWD)), format);
        self.receive(leg, check_for("ufrag", PWD, true));
        self.take();
        leg
    }

    pub(super) fn set_keys(&mut self, leg: LegId) {
        let profile = Profile::AeadAes128Gcm;
        let keys = (Receiver::new(profile, &KEY).unwrap(), Sender::new(profile, &KEY).unwrap());
        self.command(leg, Command::SetSrtp(Box::new(keys)));
    }

    pub(super) fn couple(&mut self, a: LegId, b: LegId) {
        self.command(a, Command::SetSource(Some(b)));
        self.command(b, Command::SetSource(Some(a)));
    }

    /// The way to a leg's peer.
    pub(super) fn peer(leg: LegId) -> Path {
        let number = u8::try_from(leg.0).unwrap();
        Path { socket: SocketId(i32::from(number) * 10), peer: ([192, 0, 2, number], 4000).into() }
    }

    pub(super) fn command(&mut self, leg: LegId, command: Command) {
        self.relay.on_command(self.now, leg, command, &mut self.out);
    }

    pub(super) fn receive(&mut self, leg: LegId, mut packet: Vec<u8>) {
        self.relay.on_packet(self.now, leg, Bench::peer(leg), &mut packet, &mut self.out);
    }

    /// A packet of the leg's peer, `n` frames of 20 ms after the first.
    pub(super) fn say(&mut self, leg: LegId, payload_type: u8, n: u16, payload: &[u8]) {
        self.receive(leg, packet(payload_type, n, u32::from(n) * 160, payload));
    }

    /// What was sent since the last time.
    pub(super) fn take(&mut self) -> Vec<Sent> {
        let sent = |entry: &crate::outbox::Entry| Sent {
            at: self.now,
            path: entry.path,
            bytes: self.out.bytes(entry).to_vec(),
        };
        let packets = self.out.entries().iter().map(sent).collect();
        self.out.clear_packets();
        packets
    }

    /// Let time pass as the engine does; what was sent meanwhile.
    pub(super) fn pass(&mut self, until: Duration) -> Vec<Sent> {
        let mut sent = self.take();
        while let Some(deadline) = self.relay.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.relay.on_timer(self.now, &mut self.out);
            sent.extend(self.take());
        }
        self.now = until;
        sent
    }

    pub(super) fn events(&mut self) -> Vec<(LegId, Event)> {
        std::mem::take(&mut self.out.events)
    }

    pub(super) fn count(&self, leg: LegId, name: &str) -> u64 {
        let figures = self.relay.figures(leg).unwrap();
        match figures.iter().find(|(found, _)| *found == name) {
            Some((_, Figure::Count(count))) => *count,
            other => panic!("{name}: {other:?}"),
        }
    }
}

pub(super) fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header =
        Header { marker: false, payload_type: Pt(payload_type), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(9) };
    let mut bytes = [0; rtp::HEADER_LEN];
    rtp::write_header(&header, &mut bytes);
    [&bytes[..], payload].concat()
}

pub(super) fn rtp_only(sent: Vec<Sent>) -> Vec<Sent> {
    sent.into_iter().filter(|packet| rtp::classify(&packet.bytes) == Some(rtp::Kind::Rtp)).collect()
}

pub(super) fn coupled(a: Format, b: Format) -> (Bench, LegId, LegId) {
    let mut bench = Bench::default();
    let (one, other) = (bench.phone(1, a), bench.phone(2, b));
    bench.couple(one, other);
    (bench, one, other)
}

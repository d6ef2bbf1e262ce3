//! The relay: forged packets cause nothing; what leaves is well-formed, freshly numbered, sealed, and goes only to a
//! peer that was announced or proved itself; time always moves on.
//!
//! The script plays four peers, two browsers and two phones, their owner in Python, strangers, and the clock.

mod peer;

use std::sync::LazyLock;
use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::command::{Command, EventType, Format, MOST_EVENT_TYPES, Remote};
use mediacore::dtmf::{Digit, Form};
use mediacore::event::Event;
use mediacore::leg::{Leg, Settings};
use mediacore::liveness::Limits;
use mediacore::outbox::Outbox;
use mediacore::path::{LegId, Path};
use mediacore::player::Play;
use mediacore::relay::Relay;
use mediacore::rtp::Pt;
use mediacore::sound::{Cut, Sound};

use crate::script::Script;
use peer::Peer;

/// Peers at any time; the first half are browsers.
const PEERS: usize = 4;
/// Commands in one run, so that a long script of expensive ones (new codecs) stays fast.
const MAX_STEPS: usize = 400;

/// Telephone-events of a peer: none, one, or one more of another clock.
fn event_types(extras: u8, rate_hz: u32) -> [Option<EventType>; MOST_EVENT_TYPES] {
    let takes_any = extras & 1 != 0;
    let takes_two = takes_any && extras & 8 != 0;
    [takes_any.then_some((Pt(101), rate_hz)), takes_two.then_some((Pt(110), 48_000)), None, None]
}

struct Bench {
    relay: Relay,
    out: Outbox,
    peers: Vec<Peer>,
    now: Duration,
    legs_made: u64,
    /// Packets of bursts still allowed.
    burst_left: u8,
}

/// Do what `data` says.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let mut bench = Bench {
        relay: Relay::default(),
        out: Outbox::default(),
        peers: Vec::new(),
        now: Duration::from_secs(3600),
        legs_made: 0,
        burst_left: u8::MAX,
    };
    for index in 0..PEERS {
        let peer = bench.new_peer(index);
        bench.peers.push(peer);
    }
    for _ in 0..MAX_STEPS {
        if script.is_over() {
            break;
        }
        bench.step(&mut script);
    }
    for index in 0..PEERS {
        bench.close(index);
    }
    assert!(bench.relay.is_empty());
}

impl Bench {
    fn step(&mut self, script: &mut Script) {
        let kind = script.byte();
        let index = usize::from(script.byte()) % PEERS;
        match kind % 16 {
            0 => self.hostile(index, script),
            1..=3 => self.media(index, script),
            4 => self.burst(index, script),
            5 => self.report(index, script),
            6 => self.check_path(index, script),
            7 | 8 => self.pass(script),
            9 => self.format(index, script),
            10 => self.connect(index, script),
            11 if kind >= 0xc0 => self.play(index, script),
            11 => {
                let source = script.choice([Some(0), Some(1), Some(2), Some(3), None]);
                let source = source.map(|source: usize| self.peers[source].id);
                self.command(index, Command::SetSource(source));
            }
            12 => self.dial(index, script),
            13 => {
                let enabled = script.flag();
                self.command(
                    index,
                    if script.flag() { Command::SetSending(enabled) } else { Command::SetReceiving(enabled) },
                );
            }
            14 if kind >= 0xe0 => self.command(index, Command::Answered),
            14 => self.dtls(index, script),
            _ => self.replace(index, script),
        }
    }

    fn new_peer(&mut self, index: usize) -> Peer {
        self.legs_made += 1;
        let peer = Peer::new(LegId(self.legs_made), index < PEERS / 2);
        let [stall, dead, silent] = [3, 30, 8].map(Duration::from_secs);
        let limits = Limits { stall, dead, silent };
        let settings = Settings { limits, opus_complexity: 0, unix_origin: Duration::from_secs(1_700_000_000) };
        self.relay.adopt(Box::new(Leg::new(self.now, peer.id, peer.transport(), peer.seed, settings)));
        peer
    }

    /// Bytes from anywhere. A browser leg must not be moved by them: only DTLS over a proven path gets through.
    fn hostile(&mut self, index: usize, script: &mut Script) {
        let peer = &mut self.peers[index];
        let path = peer.path(script.byte());
        if !peer.is_browser {
            peer.prove(path);
        }
        let (is_browser, is_proven) = (peer.is_browser, peer.proven.contains(&path));
        let mut bytes = script.bytes().to_vec();
        self.relay.on_packet(self.now, self.peers[index].id, path, &mut bytes, &mut self.out);
        if is_browser {
            assert!(self.out.entries().is_empty(), "a forged packet is answered or passed on");
            let are_harmless = self.out.events.iter().all(|(_, event)| is_proven && matches!(event, Event::Dtls(_)));
            assert!(are_harmless, "a forged packet is believed: {:?}", self.out.events);
        }
        self.observe();
    }

    fn media(&mut self, index: usize, script: &mut Script) {
        let path = self.peers[index].path(script.byte() % 2);
        let packet = self.peers[index].media(script);
        self.arrive(index, path, packet);
    }

    /// A second or two of regular audio: what needs many packets to happen is then one step away.
    fn burst(&mut self, index: usize, script: &mut Script) {
        let packets = (script.byte() & 0x7f).min(self.burst_left);
        self.burst_left -= packets;
        let packet = script.array::<2>();
        for _ in 0..packets {
            self.media(index, &mut Script::new(&[0, 0, 1, packet[0], packet[1]]));
            self.pass(&mut Script::new(&[20, 0]));
        }
    }

    fn report(&mut self, index: usize, script: &mut Script) {
        let path = self.peers[index].control_path(script.byte() % 2);
        let packet = self.peers[index].report(script);
        self.arrive(index, path, packet);
    }

    /// Something that the peer really sends.
    fn arrive(&mut self, index: usize, path: Path, packet: Option<Vec<u8>>) {
        if let Some(mut packet) = packet {
            let peer = &mut self.peers[index];
            if !peer.is_browser {
                peer.prove(path);
            }
            self.relay.on_packet(self.now, peer.id, path, &mut packet, &mut self.out);
            self.observe();
        }
    }

    /// A connectivity check with the right password.
    fn check_path(&mut self, index: usize, script: &mut Script) {
        let peer = &mut self.peers[index];
        let path = peer.path(script.byte());
        let mut request = peer.check(script.flag());
        if peer.is_browser {
            peer.prove(path);
        }
        self.relay.on_packet(self.now, peer.id, path, &mut request, &mut self.out);
        self.observe();
    }

    /// Time passes, with timers ringing when they are due or all at the end.
    fn pass(&mut self, script: &mut Script) {
        let milliseconds = match script.byte() {
            255 => u64::from(script.u16()),
            short => u64::from(short),
        };
        let end = self.now + Duration::from_millis(milliseconds);
        let is_late = script.flag();
        while let Some(due) = self.relay.next_deadline().filter(|due| !is_late && *due <= end) {
            self.now = self.now.max(due);
            self.ring();
        }
        self.now = end;
        self.ring();
    }

    fn ring(&mut self) {
        self.relay.on_timer(self.now, &mut self.out);
        assert!(self.relay.next_deadline().is_none_or(|due| due > self.now), "a timer that was due did not ring");
        self.observe();
    }

    fn format(&mut self, index: usize, script: &mut Script) {
        let passed_on = Codec::from_name("iLBC/8000").expect("a codec");
        let codec = script.choice([Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722, passed_on]);
        let payload_type = Pt(script.choice([codec.default_payload_type(), 96, 127]));
        let extras = script.byte();
        let takes_noise = extras & 2 != 0 && matches!(codec, Codec::Pcmu | Codec::Pcma);
        let format = Format {
            codec,
            payload_type,
            offered_as: (extras & 16 != 0).then_some(Pt(120)),
            events: event_types(extras, script.choice([8000, 48_000])),
            ptime_ms: script.choice([20, 10, 30, 40, 60]),
            comfort_noise: takes_noise.then_some(Pt(if extras & 4 != 0 { 97 } else { 13 })),
        };
        self.peers[index].agree(format);
        self.command(index, Command::SetFormat(format));
    }

    /// Keys or new ICE credentials for a browser, an address for a phone.
    fn connect(&mut self, index: usize, script: &mut Script) {
        let peer = &mut self.peers[index];
        let command = if !peer.is_browser {
            let (media, control) = (peer.path(script.byte()), peer.control_path(script.byte()));
            peer.prove(media);
            peer.prove(control);
            let rtcp = script.flag().then_some(control.peer);
            Command::SetRemote(Remote { rtp: media.peer, rtcp, rtcp_mux: script.flag(), reopen: script.flag() })
        } else if script.flag() {
            Command::SetSrtp(Box::new(peer.agree_on_keys(script)))
        } else {
            peer.restart_ice()
        };
        self.command(index, command);
    }

    /// A short sound for a codec that the peer need not speak, or an end of it.
    fn play(&mut self, index: usize, script: &mut Script) {
        static SOUND: LazyLock<Sound> =
            LazyLock::new(|| Sound::new(vec![1000; 440], vec![1000; 880]).expect("samples of 55 ms"));
        if script.flag() {
            return self.command(index, Command::StopPlaying);
        }
        let codec = script.choice([Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722]);
        let cut = Cut { codec, ptime_ms: script.choice([20, 10, 30, 40, 60]) };
        let frames = SOUND.frames(cut).expect("codecs with an encoder");
        let number = u64::from(script.byte() % 3);
        self.command(index, Command::Play(Play { number, frames, repeats: script.flag() }));
    }

    fn dial(&mut self, index: usize, script: &mut Script) {
        let events = script.bytes().iter().take(64).map(|byte| byte % 16).collect();
        let duration_ms = 40 + u32::from(script.u16()) % 4961;
        let gap_ms = 20 + u32::from(script.u16()) % 4981;
        self.command(index, Command::Dtmf { events, duration_ms, gap_ms });
        let forms = script.byte();
        if forms & 1 != 0 {
            let form = [Form::Event, Form::Info, Form::Tone, Form::Tone][usize::from(forms >> 1 & 3)];
            self.command(index, Command::SetDigits { form, listens: forms & 8 != 0 });
        }
        if forms & 16 != 0 {
            self.command(index, Command::Hear(Digit { event: forms >> 4, duration_ms }));
        }
    }

    fn dtls(&mut self, index: usize, script: &mut Script) {
        let record = [&[22], script.bytes()].concat();
        self.command(index, Command::SendDtls(record));
    }

    fn command(&mut self, index: usize, command: Command) {
        self.relay.on_command(self.now, self.peers[index].id, command, &mut self.out);
        self.observe();
    }

    fn replace(&mut self, index: usize, script: &mut Script) {
        if script.byte() < 64 {
            self.close(index);
            self.peers[index] = self.new_peer(index);
        }
    }

    fn close(&mut self, index: usize) {
        let id = self.peers[index].id;
        assert!(self.relay.close(self.now, id, &mut self.out).is_some());
        self.observe();
        assert!(self.relay.figures(id).is_none());
    }

    /// Look at everything that the relay wants done, as its peers would.
    fn observe(&mut self) {
        for entry in self.out.entries() {
            let peer = self.peers.iter_mut().find(|peer| peer.id == entry.leg).expect("a leg that lives");
            peer.hear(entry.path, self.out.bytes(entry));
        }
        self.out.clear_packets();
        for (leg, event) in self.out.events.drain(..) {
            assert!(self.peers.iter().any(|peer| peer.id == leg), "an event of a leg that is gone");
            assert!(!matches!(event, Event::Dtmf(digit, _) if !"0123456789*#ABCD".contains(digit.as_char())));
        }
        self.out.paths.clear();
    }
}

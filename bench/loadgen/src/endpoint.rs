//! One browser or phone: a socket, its SRTP keys, the stream it sends and what it hears.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use mediacore::rtp::{self, HEADER_LEN, Header, Kind, Pt, SeqNo, Ssrc};
use mediacore::srtp::{Profile, Receiver, Sender, SrtpError};

use crate::command::Id;
use crate::hearing::Hearing;
use crate::impairment::{Fate, Pattern};
use crate::kernel::{self, Datagram, MAX_DATAGRAM};
use crate::speech::{PACKETS_PER_S, Speech, Voice};
use crate::tally::{Arrival, Extender};

/// What a datagram was.
pub enum Heard {
    /// RTP; the first of this endpoint.
    FirstRtp,
    /// RTP.
    Rtp,
    /// STUN or DTLS, for Python.
    Signalling,
    /// RTCP, or nothing that we understand.
    Other,
}

/// A stream of speech to a gateway.
pub struct Stream {
    /// Where it goes.
    to: SocketAddr,
    voice: usize,
    pattern: Option<Pattern>,
    /// Where in the speech it begins, so that not all streams say the same at once.
    offset: usize,
    /// Which endpoint hears it on the other side of the gateway.
    pub peer: Id,
    ssrc: Ssrc,
    first: SeqNo,
    /// Packets' times that passed while nothing was sent: the clock goes on (RFC 3550 §5.1).
    paused: u64,
    /// When the last packet before a pause was sent.
    last_ns: Option<u64>,
    /// When each packet was sent.
    pub sent: Vec<u64>,
    /// Packets that the kernel refused.
    pub refused: u64,
}

impl Stream {
    /// A stream that has not begun.
    pub fn new(id: Id, to: SocketAddr, voice: usize, offset: usize, peer: Id) -> Self {
        // Spread over all sequence numbers: in every run some streams wrap.
        let first = SeqNo(u16::try_from(id * 641 % 65_536).unwrap_or_default());
        let ssrc = Ssrc(0x6c6f_0000 + id);
        let (pattern, paused, last_ns, sent, refused) = (None, 0, None, Vec::new(), 0);
        Self { to, voice, pattern, offset, peer, ssrc, first, paused, last_ns, sent, refused }
    }

    /// Begin to count anew.
    pub fn forget(&mut self) {
        // The numbers go on: a receiver must not see a jump back.
        self.first = self.first.plus(u16::try_from(self.sent.len() % 65_536).unwrap_or_default());
        self.offset += self.sent.len();
        self.last_ns = self.sent.last().copied().or(self.last_ns);
        self.sent.clear();
        self.refused = 0;
    }

    /// Have the network treat it so.
    pub fn impair(&mut self, pattern: Pattern) {
        self.pattern = Some(pattern);
    }

    /// It speaks again at `now_ns`, if it had paused.
    fn resume(&mut self, now_ns: u64) {
        if let Some(last_ns) = self.last_ns.take() {
            let passed = (now_ns.saturating_sub(last_ns) * PACKETS_PER_S + 500_000_000) / 1_000_000_000;
            self.paused += passed.saturating_sub(1);
        }
    }

    /// Where in the speech it began, and when.
    pub fn beginning(&self) -> (usize, u64) {
        (self.offset, self.sent.first().copied().unwrap_or(0))
    }

    fn header(&self, voice: &Voice) -> Header {
        let count = self.sent.len();
        #[expect(clippy::cast_possible_truncation, reason = "RTP counts modulo 2^16 and 2^32")]
        Header {
            marker: count == 0,
            payload_type: Pt(voice.payload_type),
            sequence: self.first.plus(count as u16),
            timestamp: (voice.ticks() * ((self.offset + count) as u64 + self.paused)) as u32,
            ssrc: self.ssrc,
        }
    }
}

/// What an endpoint hears, kept to be judged: timestamp, arrival in ns, length and payload of each packet. Before the
/// first of them, where in the speech the stream began that it hears, and when.
#[derive(Default)]
pub struct Keep {
    bytes: Vec<u8>,
    is_over: bool,
}

struct Keys {
    receiver: Receiver,
    sender: Sender,
}

/// One browser or phone.
pub struct Endpoint {
    socket: UdpSocket,
    keys: Option<Keys>,
    /// What it sends.
    pub stream: Option<Stream>,
    /// What it heard.
    pub arrivals: Vec<Arrival>,
    /// SRTP packets that could not be authenticated, or came twice.
    pub unauthentic: u64,
    extender: Extender,
    has_heard: bool,
    keep: Option<(String, Keep)>,
    hearing: Option<Hearing>,
}

impl Endpoint {
    /// An endpoint on a port of its own.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: kernel::socket(true)?,
            keys: None,
            stream: None,
            arrivals: Vec::new(),
            unauthentic: 0,
            extender: Extender::default(),
            has_heard: false,
            keep: None,
            hearing: None,
        })
    }

    /// Its socket.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Whether it plays a browser.
    pub fn is_secure(&self) -> bool {
        self.keys.is_some()
    }

    /// Speak and expect SRTP.
    pub fn secure(&mut self, profile: Profile, receive: &[u8], send: &[u8]) -> Result<(), SrtpError> {
        let (receiver, sender) = (Receiver::new(profile, receive)?, Sender::new(profile, send)?);
        self.keys = Some(Keys { receiver, sender });
        Ok(())
    }

    /// Lose some of what is sent to it, in the codec that it speaks, and report that to whom it speaks.
    pub fn mishear(&mut self, pattern: Pattern, speech: &Speech) -> Option<()> {
        let voice = speech.voice(self.stream.as_ref()?.voice);
        self.hearing = Some(Hearing::new(pattern, voice.clock_rate_hz));
        Some(())
    }

    /// Keep what is heard from here on.
    pub fn keep(&mut self, path: String) {
        self.keep = Some((path, Keep::default()));
    }

    /// What comes from here on is no longer kept: nobody speaks any more, and a gateway conceals what it misses.
    pub fn stop_keeping(&mut self) {
        if let Some((_, keep)) = &mut self.keep {
            keep.is_over = true;
        }
    }

    /// Write what was kept of a stream that began `offset` frames into the speech, at `begun_ns`.
    pub fn write_kept(&mut self, offset: usize, begun_ns: u64) -> io::Result<()> {
        self.keep.take().map_or(Ok(()), |(path, keep)| keep.write(Path::new(&path), offset, begun_ns))
    }

    /// Send the next packet of the stream; when it arrives and its bytes, if the network delays it.
    pub fn speak(&mut self, speech: &Speech) -> Option<(u64, Vec<u8>)> {
        let (stream, now) = (self.stream.as_mut()?, kernel::now_ns());
        stream.resume(now);
        let voice = speech.voice(stream.voice);
        let frame = voice.frame(stream.offset + stream.sent.len());
        let mut packet = [0; MAX_DATAGRAM];
        let mut head = [0; HEADER_LEN];
        rtp::write_header(&stream.header(voice), &mut head);
        packet[..HEADER_LEN].copy_from_slice(&head);
        packet[HEADER_LEN..HEADER_LEN + frame.len()].copy_from_slice(frame);
        let mut len = HEADER_LEN + frame.len();
        if let Some(keys) = &mut self.keys {
            // It fails only after 2^47 packets; the packet would then count as lost.
            len = keys.sender.protect_rtp(&mut packet, len).unwrap_or(0);
        }
        let now = kernel::now_ns(); // again, for SRTP is not latency
        let fate = stream.pattern.as_ref().map_or(Fate::Delayed(0), |pattern| pattern.fate(stream.sent.len()));
        stream.sent.push(now);
        match fate {
            Fate::Lost => {}
            Fate::Delayed(0) => self.send(&packet[..len]),
            Fate::Delayed(us) => return Some((now + 1000 * u64::from(us), packet[..len].to_vec())),
        }
        None
    }

    /// Send a packet of the stream.
    pub fn send(&mut self, packet: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.refused += u64::from(self.socket.send_to(packet, stream.to).is_err());
        }
    }

    /// Take a datagram that came.
    pub fn hear(&mut self, buffer: &mut [u8], datagram: &Datagram) -> Heard {
        match rtp::classify(&buffer[..datagram.len]) {
            Some(Kind::Rtp) => self.hear_rtp(&mut buffer[..datagram.len], datagram.taken_ns),
            Some(Kind::Stun | Kind::Dtls) => Heard::Signalling,
            Some(Kind::Rtcp) | None => Heard::Other,
        }
    }

    fn hear_rtp(&mut self, bytes: &mut [u8], at_ns: u64) -> Heard {
        let mut len = bytes.len();
        if let Some(keys) = &mut self.keys {
            let Ok(clear) = keys.receiver.unprotect_rtp(bytes) else {
                self.unauthentic += 1;
                return Heard::Other;
            };
            len = clear;
        }
        let Some(packet) = rtp::parse(&bytes[..len]) else {
            return Heard::Other;
        };
        let now = Duration::from_nanos(at_ns);
        if self.hearing.as_mut().is_some_and(|hearing| !hearing.takes(now, &packet.header)) {
            return Heard::Other;
        }
        if let Some((_, keep)) = self.keep.as_mut().filter(|(_, keep)| !keep.is_over) {
            keep.push(packet.header.timestamp, at_ns, packet.payload);
        }
        self.arrivals.push(Arrival { number: self.extender.extend(packet.header.sequence.0), at_ns });
        self.report(now);
        if std::mem::replace(&mut self.has_heard, true) { Heard::Rtp } else { Heard::FirstRtp }
    }
}

impl Endpoint {
    /// Report what it misses, when that is due.
    fn report(&mut self, now: Duration) {
        let (Some(hearing), Some(stream), Some(keys)) = (&mut self.hearing, &self.stream, &mut self.keys) else {
            return;
        };
        let mut packet = [0; MAX_DATAGRAM];
        if let Some(len) = hearing.report(now, stream.ssrc.0, &mut packet)
            && let Ok(len) = keys.sender.protect_rtcp(&mut packet, len)
        {
            // A report that is lost is followed by another one.
            let _ = self.socket.send_to(&packet[..len], stream.to);
        }
    }
}

impl Keep {
    /// A packet that came.
    pub fn push(&mut self, timestamp: u32, at_ns: u64, payload: &[u8]) {
        self.bytes.extend_from_slice(&timestamp.to_be_bytes());
        self.bytes.extend_from_slice(&at_ns.to_be_bytes());
        // No UDP payload is longer than 16 bits can say.
        self.bytes.extend_from_slice(&u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend_from_slice(payload);
    }

    /// Write it: of a stream that began `offset` frames into the speech, at `begun_ns`.
    pub fn write(self, path: &Path, offset: usize, begun_ns: u64) -> io::Result<()> {
        let head = [(offset as u64).to_be_bytes(), begun_ns.to_be_bytes()].concat();
        std::fs::write(path, [head, self.bytes].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_stream_goes_on_while_it_pauses() {
        let voice = Voice { name: "PCMU".into(), payload_type: 0, clock_rate_hz: 8000, frames: vec![vec![0]] };
        let mut stream = Stream::new(1, ([127, 0, 0, 1], 9).into(), 0, 0, 2);
        stream.sent.extend([0, 20_000_000]);
        let before = (stream.header(&voice).timestamp, stream.header(&voice).sequence);
        stream.forget();
        stream.resume(1_020_000_000);
        let after = stream.header(&voice);
        assert_eq!((after.timestamp, after.sequence, after.marker), (before.0 + 49 * 160, before.1, true));
    }
}

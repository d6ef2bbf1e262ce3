//! The floor: one thread that receives, unprotects, transcodes, protects and sends, and does nothing else.
//!
//! No ICE, no RTCP, no reordering, no timers, no counters, nobody to control it: what is left is what any gateway built
//! from these primitives must spend. One shared port for the browsers, one port for each phone, as in the gateway.
//!
//! Driven by `call PROFILE RECEIVE-KEY SEND-KEY BROWSER PHONE BROWSER-CODEC PHONE-CODEC COMPLEXITY` lines, each answered
//! by `ready SHARED-PORT PHONE-PORT`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};

use mediacore::codec::Codec;
use mediacore::rtp::{self, HEADER_LEN, Header, Pt, SeqNo, Ssrc};
use mediacore::srtp::{Profile, Receiver, Sender};

use crate::kernel::{self, MAX_DATAGRAM, Poller};
use crate::lines::{Lines, from_hex};
use crate::transcoder::Transcoder;

const STDIN: u64 = u64::MAX;
const SHARED: u64 = u64::MAX - 1;

/// One way of a call.
struct Way {
    to: SocketAddr,
    codec: Codec,
    transcoder: Option<Transcoder>,
    sequence: SeqNo,
    timestamp: u32,
    ssrc: Ssrc,
}

impl Way {
    fn new(to: SocketAddr, from: Codec, codec: Codec, complexity: i32, ssrc: u32) -> io::Result<Self> {
        let transcoder = if from == codec { None } else { Some(Transcoder::new(from, codec, complexity)) };
        let transcoder = transcoder.transpose().map_err(io::Error::other)?;
        Ok(Self { to, codec, transcoder, sequence: SeqNo(0), timestamp: 0, ssrc: Ssrc(ssrc) })
    }

    /// Hand each packet that `payload` becomes to `emit`, in a buffer with room behind it.
    fn forward(&mut self, payload: &[u8], mut emit: impl FnMut(&mut [u8; MAX_DATAGRAM], usize, SocketAddr)) {
        let Self { to, codec, transcoder, sequence, timestamp, ssrc } = self;
        let mut out = |payload: &[u8], ticks: u32| {
            let header = Header {
                marker: false,
                payload_type: Pt(codec.default_payload_type()),
                sequence: *sequence,
                timestamp: *timestamp,
                ssrc: *ssrc,
            };
            let mut packet = [0; MAX_DATAGRAM];
            let mut head = [0; HEADER_LEN];
            rtp::write_header(&header, &mut head);
            packet[..HEADER_LEN].copy_from_slice(&head);
            packet[HEADER_LEN..HEADER_LEN + payload.len()].copy_from_slice(payload);
            emit(&mut packet, HEADER_LEN + payload.len(), *to);
            *sequence = sequence.plus(1);
            *timestamp = timestamp.wrapping_add(ticks);
        };
        match transcoder {
            Some(transcoder) => transcoder.push(payload, &mut out),
            None => out(payload, codec.clock_rate_hz() / 50),
        }
    }
}

struct Call {
    receiver: Receiver,
    sender: Sender,
    phone_socket: UdpSocket,
    to_phone: Way,
    to_browser: Way,
}

struct Floor {
    poller: Poller,
    shared: UdpSocket,
    calls: Vec<Call>,
    browsers: HashMap<SocketAddr, usize>,
}

/// Serve until standard input ends.
pub fn run() -> io::Result<()> {
    let mut lines = Lines::default();
    let mut floor =
        Floor { poller: Poller::new()?, shared: kernel::socket(false)?, calls: Vec::new(), browsers: HashMap::new() };
    floor.poller.add(&lines, STDIN)?;
    floor.poller.add(&floor.shared, SHARED)?;
    let mut ready = Vec::new();
    loop {
        floor.poller.wait(-1, &mut ready)?;
        for &token in &ready {
            match token {
                STDIN => match lines.read()? {
                    Some(lines) => lines.iter().try_for_each(|line| floor.obey(line))?,
                    None => return Ok(()),
                },
                SHARED => floor.serve_browsers(),
                token => floor.serve_phone(usize::try_from(token).unwrap_or(usize::MAX)),
            }
        }
    }
}

impl Floor {
    fn obey(&mut self, line: &str) -> io::Result<()> {
        let wrong = || io::Error::other(format!("not a call: {line}"));
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["call", profile, receive, send, browser, phone, inner, outer, complexity] = words[..] else {
            return Err(wrong());
        };
        let profile = Profile::from_name(profile).ok_or_else(wrong)?;
        let codecs = Codec::from_name(inner).zip(Codec::from_name(outer));
        let (browser_codec, phone_codec) = codecs.ok_or_else(wrong)?;
        let browser: SocketAddr = browser.parse().map_err(io::Error::other)?;
        let phone = phone.parse().map_err(io::Error::other)?;
        let complexity = complexity.parse().map_err(io::Error::other)?;
        let key = |hex| from_hex(hex).ok_or_else(wrong);
        let call = Call {
            receiver: Receiver::new(profile, &key(receive)?).map_err(io::Error::other)?,
            sender: Sender::new(profile, &key(send)?).map_err(io::Error::other)?,
            phone_socket: kernel::socket(false)?,
            to_phone: Way::new(phone, browser_codec, phone_codec, complexity, 1)?,
            to_browser: Way::new(browser, phone_codec, browser_codec, complexity, 2)?,
        };
        self.add(call, browser)
    }

    fn add(&mut self, call: Call, browser: SocketAddr) -> io::Result<()> {
        let (shared, port) = (self.shared.local_addr()?.port(), call.phone_socket.local_addr()?.port());
        self.poller.add(&call.phone_socket, self.calls.len() as u64)?;
        self.browsers.insert(browser, self.calls.len());
        self.calls.push(call);
        let mut out = io::stdout().lock();
        writeln!(out, "ready {shared} {port}")?;
        out.flush()
    }

    fn serve_browsers(&mut self) {
        let mut packet = [0; MAX_DATAGRAM];
        let Ok((len, from)) = self.shared.recv_from(&mut packet) else {
            return;
        };
        let Some(call) = self.browsers.get(&from).and_then(|&index| self.calls.get_mut(index)) else {
            return;
        };
        let Ok(len) = call.receiver.unprotect_rtp(&mut packet[..len]) else {
            return;
        };
        let Some(parsed) = rtp::parse(&packet[..len]) else {
            return;
        };
        let socket = &call.phone_socket;
        call.to_phone.forward(parsed.payload, |packet, len, to| {
            // What is lost here shows in the load generator's counts.
            let _ = socket.send_to(&packet[..len], to);
        });
    }

    fn serve_phone(&mut self, index: usize) {
        let Some(call) = self.calls.get_mut(index) else {
            return;
        };
        let mut packet = [0; MAX_DATAGRAM];
        let Ok((len, _)) = call.phone_socket.recv_from(&mut packet) else {
            return;
        };
        let Some(parsed) = rtp::parse(&packet[..len]) else {
            return;
        };
        let (sender, socket) = (&mut call.sender, &self.shared);
        call.to_browser.forward(parsed.payload, |packet, len, to| {
            if let Ok(len) = sender.protect_rtp(packet, len) {
                let _ = socket.send_to(&packet[..len], to);
            }
        });
    }
}

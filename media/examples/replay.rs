//! A transcoding route without a network or a clock: `replay FROM TO PTIME_MS EXPECTED_LOSS < packets > frames`, for
//! `python -m bench.offline`.
//!
//! A packet: when it arrives in µs (8 bytes), its sequence number (2), timestamp (4), the payload's length (2), the payload;
//! all big-endian, in order of arrival. A frame: its timestamp (4), when it was sent in ns (8), length (2), payload.

use std::io::{self, Read, Write};
use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::command::Format;
use mediacore::inbound::Media;
use mediacore::path::LegId;
use mediacore::route::{Key, Transcode};
use mediacore::rtp::{Header, Packet, Pt, SeqNo, Ssrc};
use mediacore::stream::{Origin, Place, Stream};

/// The relay's timers ring on multiples of this.
const TICK_MICROS: u128 = 5000;
const ORIGIN: Origin = Origin { leg: LegId(1), ssrc: Ssrc(1) };

struct Replay {
    route: Transcode,
    stream: Stream,
    from: Codec,
    now: Duration,
    frames: Vec<u8>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, ptime_ms, loss] = &words[..] else { panic!("replay FROM TO PTIME_MS EXPECTED_LOSS") };
    let codec = |name: &str| Codec::from_name(name).expect("a codec's name");
    let (from, to) = (codec(from), codec(to));
    let key = Key { source: ORIGIN.leg, from, audio: Pt(0), to: Format::of(to, ptime_ms.parse().expect("ms")) };
    let mut stream = Stream::new(Ssrc(2), 0, 0);
    stream.set_rate(to.clock_rate_hz());
    let mut route = Transcode::new(key, 5).expect("codecs that are built in");
    route.set_expected_loss(loss.parse().expect("percent"));
    let mut replay = Replay { route, stream, from, now: Duration::ZERO, frames: Vec::new() };
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input).expect("packets");
    replay.run(&input);
    io::stdout().write_all(&replay.frames).expect("room for frames");
}

fn keep(frames: &mut Vec<u8>, now: Duration, place: Place, payload: &[u8]) {
    frames.extend_from_slice(&place.timestamp.to_be_bytes());
    frames.extend_from_slice(&u64::try_from(now.as_nanos()).expect("a short time").to_be_bytes());
    frames.extend_from_slice(&u16::try_from(payload.len()).expect("a packet").to_be_bytes());
    frames.extend_from_slice(payload);
}

impl Replay {
    fn run(&mut self, mut input: &[u8]) {
        while let Some((arrival, rest)) = input.split_first_chunk::<8>() {
            let (head, rest) = rest.split_first_chunk::<8>().expect("a whole head");
            let sequence = SeqNo(u16::from_be_bytes([head[0], head[1]]));
            let timestamp = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
            let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes([head[6], head[7]])));
            let header = Header { marker: false, payload_type: Pt(0), sequence, timestamp, ssrc: ORIGIN.ssrc };
            self.pass(Duration::from_micros(u64::from_be_bytes(*arrival)));
            self.receive(Packet { header, payload });
            input = rest;
        }
        self.pass(self.now + Duration::from_millis(500));
    }

    fn receive(&mut self, packet: Packet) {
        let media = Media { origin: ORIGIN, codec: self.from, audio: Pt(0), noise: None, packet };
        let (now, frames) = (self.now, &mut self.frames);
        self.route.push(now, &media, &mut self.stream, &mut |_, place, _, payload| keep(frames, now, place, payload));
    }

    fn pass(&mut self, until: Duration) {
        while let Some(due) = self.route.deadline().filter(|due| *due <= until) {
            let tick = u64::try_from(due.as_micros().div_ceil(TICK_MICROS) * TICK_MICROS).expect("a short time");
            self.now = Duration::from_micros(tick).max(self.now + Duration::from_millis(1));
            if self.now > until {
                break;
            }
            let (now, frames) = (self.now, &mut self.frames);
            self.route.on_timer(now, &mut self.stream, &mut |_, place, _, payload| keep(frames, now, place, payload));
        }
        self.now = until;
    }
}

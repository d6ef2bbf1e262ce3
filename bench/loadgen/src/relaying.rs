//! What the media core's own part of a relayed packet costs, without sockets: caches warm, and cold as after a sleep.

use std::hint::black_box;
use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::command::{Command, Format, Remote};
use mediacore::leg::{Leg, Settings};
use mediacore::liveness::Limits;
use mediacore::outbox::Outbox;
use mediacore::path::{LegId, Path, SocketId};
use mediacore::port::Port;
use mediacore::random;
use mediacore::relay::Relay;
use mediacore::transport::Transport;

use crate::kernel;

const CALLS: u64 = 100;
const PACKETS: usize = 1500;
/// More than the caches of one core hold.
const FOREIGN: usize = 4 << 20;
const LINE: usize = 64;

/// Calls between two phones each, both ways, PCMU.
pub struct Relaying {
    relay: Relay,
    out: Outbox,
    foreign: Vec<u8>,
    count: u16,
}

fn path_of(leg: u64) -> Path {
    let port = u16::try_from(20_000 + leg).unwrap_or(u16::MAX);
    Path { socket: SocketId(i32::from(port)), peer: ([127, 0, 0, 1], port).into() }
}

impl Relaying {
    /// All calls are up.
    pub fn new() -> Self {
        let mut this = Self { relay: Relay::default(), out: Outbox::default(), foreign: vec![1; FOREIGN], count: 0 };
        (1..=2 * CALLS).for_each(|leg| this.add(leg));
        for leg in 1..=2 * CALLS {
            this.command(leg, Command::SetSource(Some(LegId(1 + ((leg - 1) ^ 1)))));
        }
        this
    }

    fn add(&mut self, leg: u64) {
        let [stall, dead, silent] = [3, 30, 8].map(Duration::from_secs);
        let limits = Limits { stall, dead, silent };
        let settings = Settings { limits, opus_complexity: 5, unix_origin: Duration::ZERO };
        let path = path_of(leg);
        let port = Port::new(path.socket, SocketId(path.socket.0 + 1000));
        let transport = Transport::Port(port);
        self.relay.adopt(Box::new(Leg::new(Duration::ZERO, LegId(leg), transport, random::seed(), settings)));
        self.command(leg, Command::SetFormat(Format::of(Codec::Pcmu, 20)));
        self.command(leg, Command::SetRemote(Remote { rtp: path.peer, rtcp: None, rtcp_mux: true, reopen: true }));
    }

    fn command(&mut self, leg: u64, command: Command) {
        self.relay.on_command(Duration::ZERO, LegId(leg), command, &mut self.out);
        self.out.clear_packets();
    }

    /// Median time of a packet in ns, with caches as they are, or filled with something else before each packet.
    pub fn median_ns(&mut self, packet: &[u8], is_cold: bool) -> u64 {
        let mut times: Vec<u64> = (0..PACKETS).map(|_| self.relay_next(packet, is_cold)).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// The next leg's next packet.
    fn relay_next(&mut self, packet: &[u8], is_cold: bool) -> u64 {
        let mut bytes = packet.to_vec();
        let legs = 2 * CALLS;
        let (leg, round) = (1 + u64::from(self.count) % legs, u64::from(self.count) / legs);
        self.count += 1;
        #[expect(clippy::cast_possible_truncation, reason = "RTP counts modulo 2^16 and 2^32")]
        {
            bytes[2..4].copy_from_slice(&(round as u16).to_be_bytes());
            bytes[4..8].copy_from_slice(&(160 * round as u32).to_be_bytes());
        }
        if is_cold {
            self.foreign.iter_mut().step_by(LINE).for_each(|byte| *byte = byte.wrapping_add(1));
            black_box(&self.foreign);
        }
        let began = kernel::now_ns();
        let now = Duration::from_millis(20 * round);
        self.relay.expect(LegId(leg));
        self.relay.on_packet(now, LegId(leg), path_of(leg), &mut bytes, &mut self.out);
        let took = kernel::now_ns() - began;
        self.out.clear_packets();
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_is_passed_on() {
        let mut relaying = Relaying::new();
        let mut packet = [0; 172];
        packet[0] = 0x80;
        let mut passed = 0;
        for _ in 0..6 * CALLS {
            let (leg, path) = (LegId(1), path_of(1));
            packet[3] += u8::from(passed < 100);
            let mut bytes = packet;
            relaying.relay.on_packet(Duration::ZERO, leg, path, &mut bytes, &mut relaying.out);
            passed += relaying.out.entries().len();
            relaying.out.clear_packets();
        }
        assert!(passed >= 100, "{passed}");
    }
}

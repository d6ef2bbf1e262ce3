//! A source of packets that does what a script says, and behaves again afterwards.

use mediacore::codec::Codec;
use mediacore::inbound::Media;
use mediacore::path::LegId;
use mediacore::rtp::{Header, Packet, Pt, SeqNo, Ssrc};
use mediacore::stream::Origin;

use crate::script::Script;

/// Payload type of its audio.
const AUDIO: Pt = Pt(0);

/// One stream of audio in packets of 20 ms, as it goes on from the latest.
pub struct Source {
    codec: Codec,
    sequence: u16,
    timestamp: u32,
}

impl Source {
    /// A source of `codec` that begins with the sequence number of the script.
    pub fn new(codec: Codec, script: &mut Script) -> Source {
        Source { codec, sequence: script.u16(), timestamp: 0 }
    }

    /// A packet as the script says: early, late, lost, repeated, of another SSRC, with another time, no audio at all.
    pub fn send_any(&mut self, script: &mut Script, take: impl FnOnce(&Media)) {
        let jump = script.byte();
        let before = self.sequence;
        self.sequence = match jump {
            0 => script.u16(),
            _ => before.wrapping_add(u16::from(jump)).wrapping_sub(120),
        };
        let step = i32::from(self.sequence.wrapping_sub(before).cast_signed());
        self.timestamp = self.timestamp.wrapping_add_signed(step * self.ticks().cast_signed());
        let kind = script.byte();
        if kind == 2 {
            self.timestamp = script.u32();
        }
        let filler = [kind; 160];
        let payload = match self.codec {
            Codec::Opus if kind > 3 => &filler[..usize::from(kind) % 160],
            Codec::Opus => &[0x08, 0xff, 0xfe][..],
            _ => &filler[..],
        };
        let payload_type = match kind {
            3 => Pt(101),
            4 => Pt(13),
            _ => AUDIO,
        };
        // One packet may lie about its time, and those after it go on as before.
        let timestamp = if kind == 5 { script.u32() } else { self.timestamp };
        self.send(u32::from(kind == 0), payload_type, timestamp, payload, take);
    }

    /// The next packet in order.
    pub fn send_next(&mut self, payload: &[u8], take: impl FnOnce(&Media)) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.ticks());
        self.send(0, AUDIO, self.timestamp, payload, take);
    }

    fn send(&self, ssrc: u32, payload_type: Pt, timestamp: u32, payload: &[u8], take: impl FnOnce(&Media)) {
        let header =
            Header { marker: false, payload_type, sequence: SeqNo(self.sequence), timestamp, ssrc: Ssrc(ssrc) };
        let origin = Origin { leg: LegId(1), ssrc: header.ssrc };
        take(&Media { origin, codec: self.codec, audio: AUDIO, noise: None, packet: Packet { header, payload } });
    }

    /// A packet's time on the RTP clock.
    fn ticks(&self) -> u32 {
        self.codec.clock_rate_hz() / 50
    }
}

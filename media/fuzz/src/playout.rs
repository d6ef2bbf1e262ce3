//! The jitter buffer: a line of samples without gaps or overlaps, every packet heard at most once and in its time,
//! nothing invented without end, and whatever came before, a source that is in order is heard.

use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::inbound::Media;
use mediacore::path::LegId;
use mediacore::playout::queue::Verdict;
use mediacore::playout::{Kind, Listener, Playout};
use mediacore::rtp::{Header, Packet, Pt, SeqNo, Ssrc};
use mediacore::stream::Origin;

use crate::script::Script;

const RATE_HZ: i64 = 8000;
/// Deepest buffer, one packet's time, and the patience behind it.
const LONGEST_WAIT: Duration = Duration::from_millis(200 + 120 + 60);
/// The most that is invented in a row for a source that did not say that it is silent: 120 ms and a frame.
const MOST_CONCEALED: i64 = 240 * RATE_HZ / 1000;
/// So many packets in order put everything right: the second that a timestamp may be ahead of its time, twice, and the
/// buffer's wait.
const SETTLING: u16 = 150;
/// And of so many after them nine in ten are heard.
const ORDERLY: u16 = 50;

struct Bench {
    playout: Playout,
    now: Duration,
    line: Vec<i16>,
    /// Media time that the next piece must begin at.
    position: i64,
    taken: u64,
    heard: u64,
    concealed_in_row: i64,
}

/// Push packets as `data` says.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let codec = script.choice([Codec::Pcmu, Codec::Opus]);
    let mut bench = Bench {
        playout: Playout::new(codec, 8000, Listener::Party).expect("a rate of both"),
        now: Duration::from_secs(1),
        line: Vec::new(),
        position: 0,
        taken: 0,
        heard: 0,
        concealed_in_row: 0,
    };
    let mut sequence = script.u16();
    let mut timestamp = 0_u32;
    let ticks = codec.clock_rate_hz() / 50;
    while !script.is_over() {
        let wait = script.byte();
        bench.pass(Duration::from_millis(u64::from(wait >> 2)), wait & 1 == 1);
        let jump = script.byte();
        let before = sequence;
        sequence = match jump {
            0 => script.u16(),
            _ => sequence.wrapping_add(u16::from(jump)).wrapping_sub(120),
        };
        let step = i32::from(sequence.wrapping_sub(before).cast_signed());
        timestamp = timestamp.wrapping_add_signed(step * i32::try_from(ticks).expect("small"));
        let kind = script.byte();
        if kind == 2 {
            timestamp = script.u32();
        }
        let filler = [kind; 160];
        let payload = match codec {
            Codec::Opus if kind > 3 => &filler[..usize::from(kind) % 160],
            Codec::Opus => &[0x08, 0xff, 0xfe][..],
            _ => &filler[..],
        };
        let payload_type = match kind {
            3 => Pt(101),
            4 => Pt(13),
            _ => Pt(0),
        };
        // One packet may lie about its time, and those after it go on as before.
        let stamped = if kind == 5 { script.u32() } else { timestamp };
        bench.push(u32::from(kind == 0), codec, payload_type, sequence, stamped, payload);
    }
    bench.pass(LONGEST_WAIT, false);
    bench.talk(codec, sequence, timestamp, SETTLING);
    let before = bench.heard;
    bench.talk(codec, sequence.wrapping_add(SETTLING), timestamp.wrapping_add(u32::from(SETTLING) * ticks), ORDERLY);
    bench.pass(LONGEST_WAIT, false);
    assert!(bench.heard - before >= u64::from(ORDERLY) * 9 / 10, "deaf to a source that is in order");
    assert!(bench.heard <= bench.taken);
}

impl Bench {
    fn push(&mut self, ssrc: u32, codec: Codec, payload_type: Pt, sequence: u16, timestamp: u32, payload: &[u8]) {
        let header = Header { marker: false, payload_type, sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(ssrc) };
        let origin = Origin { leg: LegId(1), ssrc: header.ssrc };
        let packet = Packet { header, payload };
        let media = Media { origin, codec, audio: Pt(0), packet };
        self.taken += u64::from(self.playout.push(self.now, &media) == Verdict::Taken);
        self.pull();
    }

    /// So many packets of 20 ms, in order and in time, after the one of this number and timestamp.
    fn talk(&mut self, codec: Codec, sequence: u16, timestamp: u32, packets: u16) {
        let payload = if codec == Codec::Opus { &[0x08, 0xff, 0xfe][..] } else { &[0x55; 160] };
        let ticks = codec.clock_rate_hz() / 50;
        for n in 1..=packets {
            self.pass(Duration::from_millis(20), false);
            let timestamp = timestamp.wrapping_add(u32::from(n) * ticks);
            self.push(0, codec, Pt(0), sequence.wrapping_add(n), timestamp, payload);
        }
    }

    fn pull(&mut self) {
        let start = self.line.len();
        while let Some(piece) = self.playout.pull(self.now, &mut self.line) {
            assert_eq!(piece.at, self.position, "a gap or an overlap");
            let samples = i64::try_from(piece.samples).expect("a length");
            self.position += samples;
            match piece.kind {
                Kind::Heard => self.heard += 1,
                Kind::Concealed => self.concealed_in_row += samples,
                _ => {}
            }
            if piece.kind != Kind::Concealed {
                self.concealed_in_row = 0;
            }
            assert!(self.concealed_in_row <= MOST_CONCEALED, "invents without end");
            let appended = if piece.kind == Kind::Pause { 0 } else { piece.samples };
            assert_eq!(self.line.len() - start, appended);
            self.line.truncate(start);
        }
        let still_due = self.playout.deadline().filter(|due| *due <= self.now);
        assert_eq!(still_due, None, "a deadline that has passed would ring for ever");
    }

    /// Time passes, with the deadlines kept or missed.
    fn pass(&mut self, time: Duration, is_late: bool) {
        let end = self.now + time;
        while let Some(due) = self.playout.deadline().filter(|due| !is_late && *due <= end) {
            self.now = due;
            self.pull();
        }
        self.now = end;
        self.pull();
    }
}

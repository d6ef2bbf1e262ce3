//! The jitter buffer: a line of samples without gaps or overlaps, every packet heard at most once and in its time,
//! nothing invented without end, and whatever came before, a source that is in order is heard.

use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::inbound::Media;
use mediacore::playout::queue::Verdict;
use mediacore::playout::{Kind, Listener, Playout};

use crate::script::Script;
use crate::source::Source;

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
    let (codec, listener) = script.choice([
        (Codec::Pcmu, Listener::Party),
        (Codec::Opus, Listener::Party),
        (Codec::Pcmu, Listener::Later),
        (Codec::Opus, Listener::Later),
    ]);
    let mut bench = Bench {
        playout: Playout::new(codec, 8000, listener).expect("a rate of both"),
        now: Duration::from_secs(1),
        line: Vec::new(),
        position: 0,
        taken: 0,
        heard: 0,
        concealed_in_row: 0,
    };
    let mut source = Source::new(codec, &mut script);
    while !script.is_over() {
        let wait = script.byte();
        bench.pass(Duration::from_millis(u64::from(wait >> 2)), wait & 1 == 1);
        source.send_any(&mut script, |media| bench.push(media));
    }
    let payload = if codec == Codec::Opus { &[0x08, 0xff, 0xfe][..] } else { &[0x55; 160] };
    bench.pass(LONGEST_WAIT, false);
    bench.talk(&mut source, payload, SETTLING);
    let before = bench.heard;
    bench.talk(&mut source, payload, ORDERLY);
    bench.pass(LONGEST_WAIT, false);
    assert!(bench.heard - before >= u64::from(ORDERLY) * 9 / 10, "deaf to a source that is in order");
    assert!(bench.heard <= bench.taken);
}

impl Bench {
    fn push(&mut self, media: &Media) {
        self.taken += u64::from(self.playout.push(self.now, media) == Verdict::Taken);
        self.pull();
    }

    /// So many packets, in order and in time.
    fn talk(&mut self, source: &mut Source, payload: &[u8], packets: u16) {
        for _ in 0..packets {
            self.pass(Duration::from_millis(20), false);
            source.send_next(payload, |media| self.push(media));
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

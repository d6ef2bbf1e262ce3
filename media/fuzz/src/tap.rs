//! Taps: whatever is written and read at whatever pace, a reader gets each sample at its place or silence, and what was lost
//! is counted. Whatever came before, a source that is in order is heard where it speaks.

use std::collections::VecDeque;
use std::time::Duration;

use mediacore::codec::Codec;
use mediacore::ear::Ears;
use mediacore::tap::{Place, Tap, TapWriter, place_of, tap};

use crate::script::Script;
use crate::source::Source;

const RATE_HZ: u32 = 8000;
/// What a tap holds: 4 s.
const HOLDS: usize = 4 * RATE_HZ as usize;
const BEGIN: Duration = Duration::from_secs(2);
/// Of µ-law, the loudest, and silence.
const LOUD: [u8; 160] = [0x80; 160];
const SILENT: [u8; 160] = [0xff; 160];
const FRAME: Duration = Duration::from_millis(20);
/// How far behind the present the tee reads: nothing that is in order comes too late for it.
const HOLD_BACK: Duration = Duration::from_millis(300);
/// So many packets in order put everything right, as for the jitter buffer.
const SETTLING: u32 = 150;
/// And so many after them are judged.
const ORDERLY: u32 = 50;
/// Sound lies at most so much behind where it arrived: the anchor's tolerance, and some jitter.
const BEHIND: Duration = Duration::from_millis(100);

/// Write and read as `data` says, or hear packets.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    if script.flag() {
        write_and_read(&mut script);
    } else {
        hear(&mut script);
    }
}

/// What the ring should be.
struct Model {
    read: Place,
    /// What it holds from there on.
    sound: VecDeque<i16>,
    late: u64,
    dropped: u64,
}

impl Model {
    fn write(&mut self, place: Place, samples: &[i16]) {
        for (place, sample) in (place..).zip(samples) {
            let held = place.checked_sub(self.read).and_then(|ahead| usize::try_from(ahead).ok());
            match held.map(|ahead| self.sound.get_mut(ahead)) {
                None => self.late += 1,
                Some(None) => self.dropped += 1,
                Some(Some(held)) => *held = *sample,
            }
        }
    }

    fn read(&mut self, until: Place) -> Vec<i16> {
        let count = usize::try_from(until.saturating_sub(self.read)).expect("a few seconds");
        let mut samples: Vec<i16> = self.sound.drain(..count.min(HOLDS)).collect();
        samples.resize(count, 0);
        self.sound.resize(HOLDS, 0);
        self.read += count as u64;
        samples
    }
}

fn write_and_read(script: &mut Script) {
    let (mut writer, tap) = tap(RATE_HZ, BEGIN);
    let sound = VecDeque::from(vec![0; HOLDS]);
    let mut model = Model { read: place_of(BEGIN, RATE_HZ), sound, late: 0, dropped: 0 };
    while !script.is_over() {
        // From a second before the reader to three beyond what the ring holds.
        let place = model.read + Place::from(script.u16()) - Place::from(RATE_HZ);
        if script.flag() {
            let first = script.u16().cast_signed();
            let samples: Vec<i16> = (0..i16::from(script.byte())).map(|n| first.wrapping_add(n)).collect();
            writer.write(place, &samples);
            model.write(place, &samples);
        } else {
            assert_eq!(read(&tap, moment_of(place)), model.read(place));
        }
        assert_eq!((tap.late(), tap.dropped()), (moment_of(model.late), moment_of(model.dropped)));
    }
}

/// So many samples last, or begin after.
fn moment_of(place: Place) -> Duration {
    Duration::from_secs(place) / RATE_HZ
}

fn read(tap: &Tap, until: Duration) -> Vec<i16> {
    let mut bytes = Vec::new();
    tap.read(until, &mut bytes);
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// One ear, and who listens.
struct Bench {
    ears: Ears,
    tap: Tap,
    now: Duration,
    read: Duration,
    /// What was read.
    heard: Vec<i16>,
}

fn hear(script: &mut Script) {
    let (writer, tap): (TapWriter, Tap) = tap(RATE_HZ, BEGIN);
    let mut bench = Bench { ears: Ears::default(), tap, now: BEGIN, read: BEGIN, heard: Vec::new() };
    bench.ears.add(writer);
    let mut source = Source::new(Codec::Pcmu, script);
    while !script.is_over() {
        let wait = script.byte();
        bench.pass(Duration::from_millis(u64::from(wait >> 2)), wait & 1 == 1);
        source.send_any(script, |media| bench.ears.hear(bench.now, media));
        match script.byte() % 8 {
            0 => bench.catch_up(HOLD_BACK),
            1 => bench.catch_up(Duration::ZERO),
            2 => bench.pass(Duration::from_millis(u64::from(script.byte()) * 40), false),
            _ => {}
        }
    }
    bench.talk(&mut source, &SILENT, SETTLING);
    let lost = (bench.tap.late(), bench.tap.dropped());
    let (begin, spoke) = (bench.read, bench.now + FRAME);
    bench.heard.clear();
    bench.talk(&mut source, &LOUD, ORDERLY);
    bench.talk(&mut source, &SILENT, ORDERLY);
    assert_eq!((bench.tap.late(), bench.tap.dropped()), lost, "in order, and not in time");
    let place = |moment: Duration| usize::try_from(place_of(moment.saturating_sub(begin), RATE_HZ)).expect("seconds");
    let where_it_spoke = place(spoke.saturating_sub(HOLD_BACK))..place(spoke + FRAME * ORDERLY + BEHIND);
    let loud = bench.heard[where_it_spoke].iter().filter(|sample| sample.abs() > 1000).count();
    assert!(loud >= ORDERLY as usize * LOUD.len() * 9 / 10, "{loud} samples of a source that is in order");
}

impl Bench {
    /// Time passes, with the deadlines kept or missed.
    fn pass(&mut self, time: Duration, is_late: bool) {
        let end = self.now + time;
        while let Some(due) = self.ears.deadline().filter(|due| !is_late && *due <= end) {
            self.now = self.now.max(due);
            self.ears.on_timer(self.now);
        }
        self.now = end;
        self.ears.on_timer(end);
        let still_due = self.ears.deadline().filter(|due| *due <= end);
        assert_eq!(still_due, None, "a deadline that has passed would ring for ever");
    }

    /// So many packets in order and in time, while the tee reads.
    fn talk(&mut self, source: &mut Source, payload: &[u8], packets: u32) {
        for _ in 0..packets {
            self.pass(FRAME, false);
            source.send_next(payload, |media| self.ears.hear(self.now, media));
            self.catch_up(HOLD_BACK);
        }
    }

    /// Read up to so long ago: never less than the time that has passed.
    fn catch_up(&mut self, hold_back: Duration) {
        let from = place_of(self.read, RATE_HZ);
        self.read = self.read.max(self.now.saturating_sub(hold_back));
        let expected = usize::try_from(place_of(self.read, RATE_HZ) - from).expect("seconds");
        let before = self.heard.len();
        // One reading brings a minute at most.
        while self.heard.len() - before < expected {
            self.heard.extend(read(&self.tap, self.read));
        }
        assert_eq!(self.heard.len() - before, expected);
    }
}

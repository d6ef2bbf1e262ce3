//! A small reorder window: packets leave in sequence, a gap waits a little for its packet.
//!
//! Without loss it adds nothing: what comes in order leaves at once and is not copied. Its slots keep their buffers, so
//! that holding a packet allocates only the first few times.

use std::time::Duration;

/// A packet so far ahead begins anew rather than after a gap; as in RFC 3550 A.1.
const MAX_DROPOUT: u16 = 3000;
/// A packet so far behind begins anew rather than being late; as in RFC 3550 A.1.
const MAX_MISORDER: u16 = 100;
/// Packets held at most: more would be a jitter buffer.
const MAX_DEPTH: u16 = 63;

/// What leaves the window, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// A packet, byte for byte as it was pushed.
    Packet(&'a [u8]),
    /// This many packets before the next one are lost.
    Lost(u16),
    /// Another SSRC or a sequence jump: the next packet continues nothing. Not given before the very first packet.
    Restart,
}

/// What became of a pushed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Given out at once, perhaps with others before or behind it.
    Passed,
    /// Held: an earlier one is missing.
    Held,
    /// Already here or already given out.
    Duplicate,
    /// Its place was given up as lost.
    Late,
}

#[derive(Clone, Default)]
struct Slot {
    /// `None`: free; the buffer is kept.
    arrived: Option<Duration>,
    packet: Vec<u8>,
}

/// Reorders one stream.
pub struct Reorder {
    depth: u16,
    max_wait: Duration,
    ssrc: Option<u32>,
    /// The sequence number that leaves next.
    next: u16,
    held: usize,
    /// Bit `k` stands for `next - 1 - k`: given out, rather than lost.
    given: u128,
    /// Indexed by sequence number modulo their count, a power of two so that the wrap keeps neighbours apart.
    slots: Vec<Slot>,
}

impl Reorder {
    /// Hold packets up to `depth` (at most 63) ahead of a missing one, none longer than `max_wait`.
    #[must_use]
    pub fn new(depth: usize, max_wait: Duration) -> Self {
        let depth = u16::try_from(depth).unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        let slots = usize::from(depth + 1).next_power_of_two();
        Self { depth, max_wait, ssrc: None, next: 0, held: 0, given: 0, slots: vec![Slot::default(); slots] }
    }

    /// One packet (whatever bytes the caller wants back) with its SSRC and sequence number.
    pub fn push(
        &mut self,
        now: Duration,
        ssrc: u32,
        sequence: u16,
        packet: &[u8],
        out: &mut dyn FnMut(Output<'_>),
    ) -> Verdict {
        self.on_timer(now, out);
        let ahead = sequence.wrapping_sub(self.next);
        let behind = ahead.wrapping_neg();
        if self.ssrc != Some(ssrc) || (ahead > MAX_DROPOUT && behind > MAX_MISORDER) {
            self.restart(ssrc, sequence, out);
        } else if ahead > MAX_DROPOUT {
            return self.verdict_behind(behind);
        } else if ahead > self.depth {
            self.give_up(ahead - self.depth, out);
        }
        self.take(now, sequence, packet, out)
    }

    /// Give up gaps that have waited long enough.
    pub fn on_timer(&mut self, now: Duration, out: &mut dyn FnMut(Output<'_>)) {
        let max_wait = self.max_wait;
        let expired = |slot: &Slot| slot.arrived.is_some_and(|arrived| arrived + max_wait <= now);
        if let Some(last) = self.farthest(expired) {
            self.give_up(last, out);
        }
    }

    /// When `on_timer` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        if self.held == 0 {
            return None;
        }
        self.slots.iter().filter_map(|slot| slot.arrived).min().map(|arrived| arrived + self.max_wait)
    }

    /// The sequence number is `next`, or at most `depth` ahead.
    fn take(&mut self, now: Duration, sequence: u16, packet: &[u8], out: &mut dyn FnMut(Output<'_>)) -> Verdict {
        if sequence == self.next {
            self.step(true);
            out(Output::Packet(packet));
            self.release(out);
            return Verdict::Passed;
        }
        let slot = self.slot(sequence);
        if slot.arrived.is_some() {
            return Verdict::Duplicate;
        }
        slot.arrived = Some(now);
        slot.packet.clear();
        slot.packet.extend_from_slice(packet);
        self.held += 1;
        Verdict::Held
    }

    fn restart(&mut self, ssrc: u32, sequence: u16, out: &mut dyn FnMut(Output<'_>)) {
        if let Some(last) = self.farthest(|slot| slot.arrived.is_some()) {
            self.give_up(last, out);
        }
        if self.ssrc.is_some() {
            out(Output::Restart);
        }
        self.ssrc = Some(ssrc);
        self.next = sequence;
        self.given = 0;
    }

    /// Move on by `count` sequence numbers: what is held leaves, what is missing is lost. Then what follows leaves too.
    fn give_up(&mut self, count: u16, out: &mut dyn FnMut(Output<'_>)) {
        let mut lost = 0;
        for _ in 0..count {
            if self.slot(self.next).arrived.is_none() {
                lost += 1;
                self.step(false);
                continue;
            }
            if lost > 0 {
                out(Output::Lost(lost));
                lost = 0;
            }
            self.leave(out);
        }
        if lost > 0 {
            out(Output::Lost(lost));
        }
        self.release(out);
    }

    /// Give out what follows without a gap.
    fn release(&mut self, out: &mut dyn FnMut(Output<'_>)) {
        while self.held > 0 && self.slot(self.next).arrived.is_some() {
            self.leave(out);
        }
    }

    /// The packet held for `next` leaves.
    fn leave(&mut self, out: &mut dyn FnMut(Output<'_>)) {
        let slot = self.slot(self.next);
        slot.arrived = None;
        out(Output::Packet(&slot.packet));
        self.held -= 1;
        self.step(true);
    }

    fn step(&mut self, given: bool) {
        self.next = self.next.wrapping_add(1);
        self.given = self.given << 1 | u128::from(given);
    }

    /// `behind` is 1 to `MAX_MISORDER`.
    fn verdict_behind(&self, behind: u16) -> Verdict {
        if self.given >> (behind - 1) & 1 == 1 { Verdict::Duplicate } else { Verdict::Late }
    }

    /// How far ahead of `next` the farthest slot of a kind is.
    fn farthest(&mut self, kind: impl Fn(&Slot) -> bool) -> Option<u16> {
        if self.held == 0 {
            return None;
        }
        (1..=self.depth).rev().find(|&ahead| kind(self.slot(self.next.wrapping_add(ahead))))
    }

    fn slot(&mut self, sequence: u16) -> &mut Slot {
        let index = usize::from(sequence) & (self.slots.len() - 1);
        &mut self.slots[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(40);

    /// What left, in words: a number is a packet.
    #[derive(Debug, PartialEq)]
    enum Seen {
        Packet(u16),
        Lost(u16),
        Restart,
    }
    use Seen::{Lost, Packet, Restart};

    struct Bench {
        reorder: Reorder,
        seen: Vec<Seen>,
    }

    impl Bench {
        fn new(depth: usize) -> Self {
            Self { reorder: Reorder::new(depth, WAIT), seen: Vec::new() }
        }

        fn push(&mut self, now_ms: u64, ssrc: u32, sequence: u16) -> Verdict {
            let seen = &mut self.seen;
            let now = Duration::from_millis(now_ms);
            self.reorder.push(now, ssrc, sequence, &sequence.to_be_bytes(), &mut |output| seen.push(note(output)))
        }

        fn tick(&mut self, now_ms: u64) {
            let seen = &mut self.seen;
            self.reorder.on_timer(Duration::from_millis(now_ms), &mut |output| seen.push(note(output)));
        }

        fn seen(&mut self) -> Vec<Seen> {
            std::mem::take(&mut self.seen)
        }
    }

    fn note(output: Output<'_>) -> Seen {
        match output {
            Output::Packet(bytes) => Packet(u16::from_be_bytes(bytes.try_into().expect("two bytes"))),
            Output::Lost(count) => Lost(count),
            Output::Restart => Restart,
        }
    }

    #[test]
    fn what_comes_in_order_leaves_at_once() {
        let mut bench = Bench::new(8);
        for sequence in [65_534, 65_535, 0, 1] {
            assert_eq!(bench.push(0, 1, sequence), Verdict::Passed);
            assert_eq!(bench.seen(), [Packet(sequence)]);
        }
        assert_eq!(bench.reorder.deadline(), None);
    }

    #[test]
    fn swapped_packets_are_put_right_over_the_wrap() {
        let mut bench = Bench::new(8);
        let verdicts: Vec<_> = [65_534, 0, 65_535, 3, 2, 1].map(|sequence| bench.push(0, 1, sequence)).into();
        assert_eq!(bench.seen(), [65_534, 65_535, 0, 1, 2, 3].map(Packet));
        assert_eq!(
            verdicts,
            [Verdict::Passed, Verdict::Held, Verdict::Passed, Verdict::Held, Verdict::Held, Verdict::Passed]
        );
    }

    #[test]
    fn a_gap_is_given_up_when_its_time_is_over() {
        let mut bench = Bench::new(8);
        bench.push(0, 1, 10);
        bench.push(20, 1, 12);
        bench.push(50, 1, 14);
        assert_eq!(bench.reorder.deadline(), Some(Duration::from_millis(60)));
        bench.tick(59);
        assert_eq!(bench.seen(), [Packet(10)]);
        bench.tick(60);
        assert_eq!(bench.seen(), [Lost(1), Packet(12)]);
        assert_eq!(bench.reorder.deadline(), Some(Duration::from_millis(90)));
        assert_eq!(bench.push(90, 1, 15), Verdict::Passed);
        assert_eq!(bench.seen(), [Lost(1), Packet(14), Packet(15)]);
        assert_eq!(bench.reorder.deadline(), None);
    }

    #[test]
    fn a_gap_is_given_up_when_the_window_is_full() {
        let mut bench = Bench::new(3);
        for sequence in [1, 3, 4, 5] {
            bench.push(0, 1, sequence);
        }
        assert_eq!(bench.seen(), [Packet(1)]);
        assert_eq!(bench.push(0, 1, 6), Verdict::Passed);
        assert_eq!(bench.seen(), [Lost(1), Packet(3), Packet(4), Packet(5), Packet(6)]);
    }

    #[test]
    fn a_long_gap_pushes_everything_out() {
        let mut bench = Bench::new(3);
        bench.push(0, 1, 1);
        bench.push(0, 1, 3);
        assert_eq!(bench.push(0, 1, 103), Verdict::Held);
        assert_eq!(bench.seen(), [Packet(1), Lost(1), Packet(3), Lost(96)]);
        bench.tick(40);
        assert_eq!(bench.seen(), [Lost(3), Packet(103)]);
    }

    #[test]
    fn duplicates_and_latecomers_are_told_apart() {
        let mut bench = Bench::new(8);
        bench.push(0, 1, 1);
        bench.push(0, 1, 3);
        assert_eq!(bench.push(0, 1, 3), Verdict::Duplicate);
        assert_eq!(bench.push(0, 1, 1), Verdict::Duplicate);
        bench.tick(40);
        assert_eq!(bench.push(41, 1, 2), Verdict::Late);
        assert_eq!(bench.push(41, 1, 3), Verdict::Duplicate);
        assert_eq!(bench.push(41, 1, 4), Verdict::Passed);
        assert_eq!(bench.seen(), [Packet(1), Lost(1), Packet(3), Packet(4)]);
    }

    #[test]
    fn another_ssrc_or_a_jump_restarts() {
        let mut bench = Bench::new(8);
        bench.push(0, 1, 10);
        bench.push(0, 1, 12);
        assert_eq!(bench.push(0, 2, 500), Verdict::Passed);
        assert_eq!(bench.seen(), [Packet(10), Lost(1), Packet(12), Restart, Packet(500)]);
        assert_eq!(bench.push(0, 2, 20_000), Verdict::Passed);
        assert_eq!(bench.push(0, 2, 19_000), Verdict::Passed);
        assert_eq!(bench.seen(), [Restart, Packet(20_000), Restart, Packet(19_000)]);
        assert_eq!(bench.push(0, 2, 18_950), Verdict::Late);
    }

    #[test]
    fn each_packet_leaves_once_in_order_whatever_comes() {
        let mut seed = 11_u32;
        let mut random = move |below: u16| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::from_be_bytes([seed.to_be_bytes()[0], seed.to_be_bytes()[1]]) % below
        };
        let mut bench = Bench::new(8);
        let mut expected: u16 = 65_000;
        bench.push(0, 1, expected.wrapping_sub(1));
        bench.seen();
        for round in 0..50_000_u64 {
            let sequence = expected.wrapping_add(random(20)).wrapping_sub(6);
            bench.push(round * 5, 1, sequence);
            for seen in bench.seen() {
                expected = match seen {
                    Packet(sequence) => {
                        assert_eq!(sequence, expected);
                        expected.wrapping_add(1)
                    }
                    Lost(count) => expected.wrapping_add(count),
                    Restart => panic!("no jump was sent"),
                };
            }
            assert!(bench.reorder.held <= 8);
            assert_eq!(bench.reorder.held > 0, bench.reorder.deadline().is_some());
        }
    }
}

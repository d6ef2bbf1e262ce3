//! Reorder window: every packet leaves once and in order, nothing waits too long, nothing is invented.

use std::collections::VecDeque;
use std::time::Duration;

use mediacore::reorder::{Output, Reorder, Verdict};

use crate::script::Script;

const WAIT: Duration = Duration::from_millis(50);

/// The window and what is known about its contents.
struct Bench {
    reorder: Reorder,
    depth: usize,
    now: Duration,
    /// Numbers of packets pushed and neither given out nor refused.
    inside: VecDeque<(u32, Duration)>,
    /// Sequence number that must leave next, as its neighbours have it.
    next: Option<u16>,
}

/// Push packets as `data` says.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    let depth = usize::from(script.byte() % 80);
    let mut bench = Bench {
        reorder: Reorder::new(depth, WAIT),
        depth: depth.min(63),
        now: Duration::ZERO,
        inside: VecDeque::new(),
        next: None,
    };
    let mut number = 0;
    let mut sequence = script.u16();
    while !script.is_over() {
        bench.pass(Duration::from_millis(u64::from(script.byte() >> 2)));
        let jump = script.byte();
        sequence = match jump {
            0 => script.u16(),
            _ => sequence.wrapping_add(u16::from(jump)).wrapping_sub(120),
        };
        let ssrc = u32::from(script.byte() == 0);
        bench.push(number, ssrc, sequence);
        number += 1;
    }
    bench.pass(WAIT);
    assert!(bench.inside.is_empty(), "held for ever");
    assert_eq!(bench.reorder.deadline(), None);
}

impl Bench {
    fn push(&mut self, number: u32, ssrc: u32, sequence: u16) {
        let bytes = packet(number, sequence);
        self.inside.push_back((number, self.now));
        let (inside, next) = (&mut self.inside, &mut self.next);
        let verdict = self.reorder.push(self.now, ssrc, sequence, &bytes, &mut |output| follow(output, inside, next));
        let is_inside = self.inside.iter().any(|(known, _)| *known == number);
        match verdict {
            Verdict::Passed => assert!(!is_inside, "said to have passed, but did not"),
            Verdict::Held => assert!(is_inside, "said to be held, but left"),
            Verdict::Duplicate | Verdict::Late => {
                assert!(is_inside, "refused, but left");
                self.inside.pop_back();
            }
        }
        self.expect_bounds();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let (inside, next) = (&mut self.inside, &mut self.next);
        self.reorder.on_timer(self.now, &mut |output| follow(output, inside, next));
        self.expect_bounds();
    }

    fn expect_bounds(&self) {
        assert!(self.inside.len() <= self.depth, "{} held at a depth of {}", self.inside.len(), self.depth);
        assert!(self.inside.iter().all(|(_, since)| *since + WAIT > self.now), "held too long");
        let oldest = self.inside.iter().map(|(_, since)| *since + WAIT).min();
        assert_eq!(self.reorder.deadline(), oldest);
    }
}

fn packet(number: u32, sequence: u16) -> Vec<u8> {
    [&number.to_be_bytes()[..], &sequence.to_be_bytes()].concat()
}

fn follow(output: Output, inside: &mut VecDeque<(u32, Duration)>, next: &mut Option<u16>) {
    match output {
        Output::Lost(count) => {
            assert!(count > 0 && next.is_some());
            *next = next.map(|next| next.wrapping_add(count));
        }
        Output::Restart => *next = None,
        Output::Packet(bytes) => {
            let (number, sequence) = bytes.split_at(4);
            let number = u32::from_be_bytes(number.try_into().expect("as pushed"));
            let sequence = u16::from_be_bytes(sequence.try_into().expect("as pushed"));
            let place = inside.iter().position(|(known, _)| *known == number);
            inside.remove(place.expect("left twice, or was never pushed"));
            assert!(next.is_none_or(|next| next == sequence), "out of order");
            *next = Some(sequence.wrapping_add(1));
        }
    }
}

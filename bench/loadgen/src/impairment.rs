//! What the network does to one stream on its way to the gateway: a fixed pattern, the same for every gateway.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::command::Id;

/// What happens to one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives after this many µs.
    Delayed(u32),
}

/// The fate of each packet of a stream, over and over.
#[derive(Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Fate>);

impl Pattern {
    /// Read the words of `path`: `x` for a lost packet, else its delay in µs.
    pub fn read(path: &str) -> io::Result<Self> {
        Self::parse(&std::fs::read_to_string(path)?)
            .ok_or_else(|| io::Error::other(format!("{path} is not a pattern of impairments")))
    }

    /// Read such words.
    pub fn parse(text: &str) -> Option<Self> {
        let fate = |word: &str| if word == "x" { Some(Fate::Lost) } else { word.parse().ok().map(Fate::Delayed) };
        let fates: Vec<Fate> = text.split_ascii_whitespace().map(fate).collect::<Option<_>>()?;
        (!fates.is_empty()).then_some(Self(fates))
    }

    /// The fate of packet number `index`.
    pub fn fate(&self, index: usize) -> Fate {
        self.0[index % self.0.len()]
    }
}

/// Packets on their way: when each arrives, whose it is, its bytes.
#[derive(Default)]
pub struct InFlight(BinaryHeap<Reverse<(u64, Id, Vec<u8>)>>);

impl InFlight {
    /// A packet that arrives at `at_ns`.
    pub fn add(&mut self, at_ns: u64, id: Id, bytes: Vec<u8>) {
        self.0.push(Reverse((at_ns, id, bytes)));
    }

    /// When the next packet arrives.
    pub fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at_ns, ..))| *at_ns)
    }

    /// A packet that has arrived by now.
    pub fn take(&mut self, now_ns: u64) -> Option<(Id, Vec<u8>)> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.0.pop().map(|Reverse((_, id, bytes))| (id, bytes))
    }

    /// Nothing arrives any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_repeats() {
        let pattern = Pattern::parse("0 x 4000").unwrap();
        assert_eq!(
            [0, 1, 2, 4].map(|n| pattern.fate(n)),
            [Fate::Delayed(0), Fate::Lost, Fate::Delayed(4000), Fate::Lost]
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(["", "0 y", "-4"].map(Pattern::parse), [None, None, None]);
    }

    #[test]
    fn packets_arrive_in_the_order_of_their_times() {
        let mut flight = InFlight::default();
        flight.add(30, 1, vec![1]);
        flight.add(10, 2, vec![2]);
        assert_eq!((flight.next_ns(), flight.take(9)), (Some(10), None));
        assert_eq!((flight.take(30), flight.take(30), flight.take(30)), (Some((2, vec![2])), Some((1, vec![1])), None));
    }
}

//! Compares what came out of a gateway with what went in: losses, order, latency. Pure.
//!
//! A gateway may renumber packets, so a packet that came out is tied to one that went in by the distance of their
//! numbers that most packets of the stream agree on, when each is supposed to be the newest one that was sent before it
//! came. That holds while the latency stays below one packet's 20 ms.

use std::collections::{BTreeMap, BTreeSet};

/// A packet that came out: its number, extended over wraps, and when.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Extended sequence number.
    pub number: i64,
    /// Time in ns.
    pub at_ns: u64,
}

/// What became of one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Packets sent in the window.
    pub sent: usize,
    /// Packets of them that came out.
    pub received: usize,
    /// Packets that came out after a later one.
    pub reordered: usize,
    /// Packets that came out more than once.
    pub duplicates: usize,
    /// Time in the gateway of each packet, in ns.
    pub latencies: Vec<u64>,
}

/// Compare one stream; only packets sent from `mark_ns` on count. `sent` has the send time of each packet, in order.
pub fn compare(sent: &[u64], arrivals: &[Arrival], mark_ns: u64) -> Outcome {
    let first = sent.partition_point(|&at| at < mark_ns);
    let mut outcome = Outcome { sent: sent.len() - first, ..Outcome::default() };
    let Some(distance) = common_distance(sent, arrivals) else {
        return outcome;
    };
    let mut seen = BTreeSet::new();
    let mut newest = i64::MIN;
    for arrival in arrivals {
        let Some(index) = usize::try_from(arrival.number - distance).ok().filter(|&index| index < sent.len()) else {
            continue;
        };
        if index < first {
            continue;
        }
        if !seen.insert(index) {
            outcome.duplicates += 1;
            continue;
        }
        outcome.reordered += usize::from(arrival.number < newest);
        newest = newest.max(arrival.number);
        outcome.latencies.push(arrival.at_ns.saturating_sub(sent[index]));
    }
    outcome.received = seen.len();
    outcome
}

/// Number that came out minus number that went in.
fn common_distance(sent: &[u64], arrivals: &[Arrival]) -> Option<i64> {
    let mut votes = BTreeMap::<i64, usize>::new();
    for arrival in arrivals {
        let before = sent.partition_point(|&at| at <= arrival.at_ns);
        if let Some(newest) = before.checked_sub(1).and_then(|index| i64::try_from(index).ok()) {
            *votes.entry(arrival.number - newest).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|&(_, count)| count).map(|(distance, _)| distance)
}

/// Extends 16-bit sequence numbers over their wraps.
#[derive(Default)]
pub struct Extender {
    last: Option<i64>,
}

impl Extender {
    /// The extended number nearest to the last one.
    pub fn extend(&mut self, number: u16) -> i64 {
        let extended = match self.last {
            None => i64::from(number),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the low 16 bits are asked for"
            )]
            Some(last) => last + i64::from(number.wrapping_sub(last as u16).cast_signed()),
        };
        self.last = Some(extended);
        extended
    }
}

/// The value below which `share` of the sorted values lie; 0 when there are none.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn times(count: u64) -> Vec<u64> {
        (1..=count).map(|index| index * 20 * MS).collect()
    }

    /// Every packet comes out after 3 ms, renumbered from 700 on; `indices` are those that do.
    fn arrivals(sent: &[u64], indices: &[usize]) -> Vec<Arrival> {
        indices
            .iter()
            .map(|&index| Arrival { number: 700 + i64::try_from(index).unwrap(), at_ns: sent[index] + 3 * MS })
            .collect()
    }

    #[test]
    fn latency_is_found_although_packets_are_renumbered() {
        let sent = times(4);
        let outcome = compare(&sent, &arrivals(&sent, &[0, 1, 2, 3]), 0);
        assert_eq!((outcome.sent, outcome.received, outcome.latencies), (4, 4, vec![3 * MS; 4]));
    }

    #[test]
    fn losses_duplicates_and_order_are_counted() {
        let sent = times(6);
        let outcome = compare(&sent, &arrivals(&sent, &[0, 1, 3, 4, 4, 2]), 0);
        assert_eq!((outcome.sent, outcome.received, outcome.duplicates, outcome.reordered), (6, 5, 1, 1));
    }

    #[test]
    fn only_what_is_sent_after_the_mark_counts() {
        let sent = times(5);
        let outcome = compare(&sent, &arrivals(&sent, &[0, 1, 2, 4]), sent[3]);
        assert_eq!((outcome.sent, outcome.received), (2, 1));
    }

    #[test]
    fn silence_is_all_lost() {
        assert_eq!(compare(&times(3), &[], 0), Outcome { sent: 3, ..Outcome::default() });
    }

    #[test]
    fn numbers_are_extended_over_the_wrap_both_ways() {
        let mut extender = Extender::default();
        assert_eq!([65_535, 1, 0, 2].map(|number| extender.extend(number)), [65_535, 65_537, 65_536, 65_538]);
    }

    #[test]
    fn quantiles_of_few_values_stay_inside() {
        assert_eq!((quantile(&[], 0.5), quantile(&[7], 0.99), quantile(&[1, 2, 3, 4], 0.5)), (0, 7, 3));
    }
}

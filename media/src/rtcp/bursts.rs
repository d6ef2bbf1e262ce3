//! Loss told apart into bursts and gaps (RFC 3611 §4.7.2).

/// Packets received in a row that end a burst (RFC 3611 §4.7.2 recommends it).
pub const GMIN: u8 = 16;

/// What was lost, and how close together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bursts {
    /// Of the lost packets that are close together at the moment: how many, over how many packets.
    near: (u64, u64),
    received_since: u64,
    /// Of all bursts: lost packets, packets, and how many bursts.
    lost: u64,
    packets: u64,
    count: u64,
    /// Lost packets that stand alone.
    alone: u64,
}

impl Bursts {
    /// Packets were lost, and then one came.
    pub fn on_packet(&mut self, lost_before: u16) {
        if lost_before > 0 {
            let lost = u64::from(lost_before);
            let is_near = self.near.0 > 0 && self.received_since < u64::from(GMIN);
            self.near = if is_near {
                (self.near.0 + lost, self.near.1 + self.received_since + lost)
            } else {
                self.close();
                (lost, lost)
            };
            self.received_since = 0;
        }
        self.received_since += 1;
    }

    fn close(&mut self) {
        match self.near {
            (0, _) => {}
            (1, _) => self.alone += 1,
            (lost, packets) => {
                self.lost += lost;
                self.packets += packets;
                self.count += 1;
            }
        }
        self.near = (0, 0);
    }

    /// Densities in 1/256 and mean lengths in packets, of bursts and of the gaps between them, in a stream so long.
    #[must_use]
    pub fn summary(&self, expected: u64) -> Summary {
        let mut all = *self;
        all.close();
        let gap_packets = expected.saturating_sub(all.packets);
        Summary {
            burst_density: share(all.lost, all.packets),
            gap_density: share(all.alone, gap_packets),
            burst_packets: all.packets.checked_div(all.count).unwrap_or(0),
            gap_packets: gap_packets / (all.count + 1),
        }
    }
}

/// Bursts and gaps on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Share of lost packets in bursts, in 1/256.
    pub burst_density: u8,
    /// Share of lost packets in gaps, in 1/256.
    pub gap_density: u8,
    /// Length of a burst.
    pub burst_packets: u64,
    /// Length of a gap.
    pub gap_packets: u64,
}

/// `part` of `whole` in 1/256, at most 255.
#[must_use]
pub fn share(part: u64, whole: u64) -> u8 {
    u8::try_from((part << 8).checked_div(whole).unwrap_or(0)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character a packet; `x` is lost. The last one must have come.
    fn summary(pattern: &str) -> Summary {
        let mut bursts = Bursts::default();
        let mut lost = 0;
        for packet in pattern.chars() {
            if packet == 'x' {
                lost += 1;
            } else {
                bursts.on_packet(lost);
                lost = 0;
            }
        }
        bursts.summary(pattern.len() as u64)
    }

    #[test]
    fn a_stream_without_loss_is_one_gap() {
        assert_eq!(summary(&".".repeat(50)), Summary { gap_packets: 50, ..Summary::default() });
    }

    #[test]
    fn a_lost_packet_that_stands_alone_belongs_to_the_gap() {
        let gap = ".".repeat(16);
        let expected = Summary { gap_density: 10, gap_packets: 50, ..Summary::default() };
        assert_eq!(summary(&format!("{gap}x{gap}x{gap}")), expected);
    }

    #[test]
    fn losses_close_together_are_a_burst_with_what_lies_between() {
        let gap = ".".repeat(40);
        let expected = Summary { burst_density: 128, gap_density: 0, burst_packets: 6, gap_packets: 40 };
        assert_eq!(summary(&format!("{gap}x...xx{gap}")), expected);
        let long = ".".repeat(15);
        let two = summary(&format!("{gap}xx{gap}x{long}x{gap}"));
        assert_eq!((two.burst_packets, two.burst_density), (9, share(4, 19)));
    }
}

//! Which source of RTP to believe on a plain RTP leg, and where to send: learn once per remote SDP, then lock.
//!
//! The address of the SDP wins while it sends. Another source (a phone behind NAT) is believed after a few packets in
//! sequence, and only while learning is open. So a stranger who sprays ports can neither be heard nor redirect a call
//! that flows (`RTPbleed`).

use std::net::SocketAddr;

use crate::rtp::{Header, SeqNo, Ssrc};

/// Packets in sequence that make an unannounced source believable (RFC 3550 A.1 asks for two).
const PROBATION: u8 = 3;

#[derive(Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: Ssrc,
    sequence: SeqNo,
    seen: u8,
}

/// The learning of one leg.
#[derive(Default)]
pub struct Latch {
    announced: Option<SocketAddr>,
    believed: Option<SocketAddr>,
    open: bool,
    candidate: Option<Candidate>,
}

impl Latch {
    /// Take the address of a remote SDP; `reopen` allows learning once more.
    pub fn announce(&mut self, address: SocketAddr, reopen: bool) {
        let same = self.announced == Some(address);
        self.announced = Some(address);
        self.candidate = None;
        if !same {
            self.believed = None;
        }
        self.open = reopen || !same;
    }

    /// Where RTP goes: to the learned source, else to the announced one.
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        self.believed.or(self.announced)
    }

    /// Whether the peer is where its SDP says.
    #[must_use]
    pub fn is_as_announced(&self) -> bool {
        self.destination() == self.announced
    }

    /// Whether a remote SDP is known.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether the source is locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        !self.open
    }

    /// Whether packets from `source` need no proof.
    #[must_use]
    pub fn is_known(&self, source: SocketAddr) -> bool {
        Some(source) == self.announced || Some(source) == self.believed
    }

    /// Decide about a well-formed RTP packet, authenticated if it can be, from `source`: true when it may be used.
    pub fn accept(&mut self, source: SocketAddr, header: &Header) -> bool {
        if self.is_known(source) {
            self.lock(source);
            return true;
        }
        self.announced.is_some() && self.open && self.proves_itself(source, header)
    }

    /// Whether RTCP from `source` may be used: same host as the RTP, any port.
    #[must_use]
    pub fn accepts_control(&self, source: SocketAddr) -> bool {
        self.destination().is_some_and(|rtp| rtp.ip() == source.ip())
    }

    fn lock(&mut self, source: SocketAddr) {
        self.believed = Some(source);
        self.candidate = None;
        self.open = false;
    }

    fn proves_itself(&mut self, source: SocketAddr, header: &Header) -> bool {
        let follows = |old: &Candidate| {
            old.source == source && old.ssrc == header.ssrc && header.sequence == old.sequence.plus(1)
        };
        let seen = self.candidate.filter(follows).map_or(0, |old| old.seen) + 1;
        if seen >= PROBATION {
            self.lock(source);
            return true;
        }
        self.candidate = Some(Candidate { source, ssrc: header.ssrc, sequence: header.sequence, seen });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Pt;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn header(sequence: u16) -> Header {
        Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp: 0, ssrc: Ssrc(7) }
    }

    fn announced() -> Latch {
        let mut latch = Latch::default();
        latch.announce(address(1000), true);
        latch
    }

    #[test]
    fn nothing_is_believed_before_the_sdp() {
        let mut latch = Latch::default();
        for sequence in 0..10 {
            assert!(!latch.accept(address(1), &header(sequence)));
        }
        assert_eq!(latch.destination(), None);
    }

    #[test]
    fn the_announced_address_is_believed_at_once_and_locks() {
        let mut latch = announced();
        assert!(latch.accept(address(1000), &header(0)));
        for sequence in 0..10 {
            assert!(!latch.accept(address(2000), &header(sequence)));
        }
        assert_eq!(latch.destination(), Some(address(1000)));
    }

    #[test]
    fn another_source_is_learned_after_three_packets_in_sequence() {
        let mut latch = announced();
        assert_eq!([0, 1, 2].map(|n| latch.accept(address(2000), &header(n))), [false, false, true]);
        assert_eq!(latch.destination(), Some(address(2000)));
        for sequence in 0..5 {
            assert!(!latch.accept(address(3000), &header(sequence)));
        }
    }

    #[test]
    fn a_spray_out_of_sequence_is_never_learned() {
        let mut latch = announced();
        for n in 0..20 {
            assert!(!latch.accept(address(2000), &header(n * 7)));
        }
    }

    #[test]
    fn the_announced_address_takes_over_from_a_learned_one() {
        let mut latch = announced();
        for n in 0..3 {
            latch.accept(address(2000), &header(n));
        }
        assert!(latch.accept(address(1000), &header(50)));
        assert_eq!(latch.destination(), Some(address(1000)));
    }

    #[test]
    fn a_new_address_in_the_sdp_reopens_and_drops_the_old_source() {
        let mut latch = announced();
        latch.accept(address(1000), &header(0));
        latch.announce(address(4000), true);
        assert!(!latch.accept(address(1000), &header(1)));
        assert!(latch.accept(address(4000), &header(0)));
    }

    #[test]
    fn the_same_address_announced_again_keeps_the_learned_source_flowing() {
        let mut latch = announced();
        for n in 0..3 {
            latch.accept(address(2000), &header(n));
        }
        latch.announce(address(1000), true);
        assert!(!latch.is_locked());
        assert!(latch.accept(address(2000), &header(3)));
        assert!(latch.is_locked());
    }

    #[test]
    fn without_reopen_the_same_address_stays_locked() {
        let mut latch = announced();
        latch.accept(address(1000), &header(0));
        latch.announce(address(1000), false);
        assert!(latch.is_locked());
    }

    #[test]
    fn rtcp_must_come_from_the_host_of_the_rtp() {
        let latch = announced();
        assert!(latch.accepts_control(address(1001)));
        assert!(!latch.accepts_control(([192, 0, 2, 9], 1001).into()));
    }
}

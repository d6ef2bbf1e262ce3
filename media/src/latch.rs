//! Which source of RTP to believe on a plain RTP leg, and where to send: learn once per remote SDP, then lock.
//!
//! The address of the SDP wins whenever it sends. Another source (a phone behind NAT) is believed after some packets in
//! sequence, and only while learning is open; after more, where its host does not fit the SDP. So a stranger who sprays
//! ports can neither be heard nor redirect a call that flows (`RTPbleed`), and one who was first yields to the announced
//! host.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::rtp::{Header, SeqNo, Ssrc};

/// What makes a source believable.
struct Proof {
    /// Packets in sequence.
    packets: u32,
    /// Time from the first of them to the last, at least.
    lasts: Duration,
}

/// Asked of a likely source (RFC 3550 A.1 asks for two packets): it is on the announced host, or the announced address is
/// private, so that its packets come from that of its NAT, or they are authenticated.
const LIKELY: Proof = Proof { packets: 3, lasts: Duration::ZERO };

/// Asked of another host than a public one that was announced: a second of audio, in which the trunk itself is usually
/// heard and ends the learning. 50 packets take 980 ms to send; on their way they may close up.
const UNLIKELY: Proof = Proof { packets: 50, lasts: Duration::from_millis(900) };

#[derive(Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: Ssrc,
    sequence: SeqNo,
    packets: u32,
    since: Duration,
}

/// The learning of one leg.
#[derive(Default)]
pub struct Latch {
    announced: Option<SocketAddr>,
    believed: Option<SocketAddr>,
    open: bool,
    /// Who proves itself on the announced host; apart from `far`, so that no stranger interrupts it.
    near: Option<Candidate>,
    /// Who proves itself elsewhere.
    far: Option<Candidate>,
}

impl Latch {
    /// Take the address of a remote SDP; `reopen` allows learning once more.
    pub fn announce(&mut self, address: SocketAddr, reopen: bool) {
        let same = self.announced == Some(address);
        *self = Latch {
            announced: Some(address),
            believed: self.believed.filter(|_| same),
            open: reopen || !same,
            ..Latch::default()
        };
    }

    /// Where RTP goes: to the learned source, else to the announced one.
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        self.believed.or(self.announced)
    }

    /// The learned source, where RTP goes instead of to the announced address.
    #[must_use]
    pub fn detour(&self) -> Option<SocketAddr> {
        self.believed.filter(|source| Some(*source) != self.announced)
    }

    /// Whether a remote SDP is known.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether packets from `source` need no proof.
    #[must_use]
    pub fn is_known(&self, source: SocketAddr) -> bool {
        Some(source) == self.announced || Some(source) == self.believed
    }

    /// Whether packets from `source` are worth a look: it is known or may prove itself. The announced host always may
    /// while RTP goes to another one.
    #[must_use]
    pub fn admits(&self, source: SocketAddr) -> bool {
        let is_away = self.believed.is_some_and(|source| !self.is_near(source));
        self.is_known(source) || self.open || is_away && self.is_near(source)
    }

    /// Decide about a well-formed RTP packet from `source`, decrypted if it `is_authentic`: true when it may be used.
    pub fn accept(&mut self, now: Duration, source: SocketAddr, header: &Header, is_authentic: bool) -> bool {
        let accepted =
            self.is_known(source) || self.admits(source) && self.proves_itself(now, source, header, is_authentic);
        if accepted {
            self.believed = Some(source);
            self.open = false;
            (self.near, self.far) = (None, None);
        }
        accepted
    }

    /// Whether RTCP from `source` may be used: same host as the RTP, any port.
    #[must_use]
    pub fn accepts_control(&self, source: SocketAddr) -> bool {
        self.destination().is_some_and(|rtp| rtp.ip() == source.ip())
    }

    /// Whether `source` is on the announced host.
    fn is_near(&self, source: SocketAddr) -> bool {
        self.announced.is_some_and(|announced| announced.ip() == source.ip())
    }

    fn proves_itself(&mut self, now: Duration, source: SocketAddr, header: &Header, is_authentic: bool) -> bool {
        let is_near = self.is_near(source);
        let is_likely = is_near || is_authentic || self.announced.is_some_and(|address| is_private(address.ip()));
        let wanted = if is_likely { LIKELY } else { UNLIKELY };
        let candidate = if is_near { &mut self.near } else { &mut self.far };
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        let follows = |old: &Candidate| old.source == source && old.ssrc == ssrc && sequence == old.sequence.plus(1);
        let (before, since) = candidate.filter(follows).map_or((0, now), |old| (old.packets, old.since));
        let packets = before.saturating_add(1);
        *candidate = Some(Candidate { source, ssrc, sequence, packets, since });
        packets >= wanted.packets && now.saturating_sub(since) >= wanted.lasts
    }
}

/// Whether only its own network sees this address, and others see that of a NAT (RFC 1918, RFC 6598, RFC 3927, RFC 4193,
/// RFC 4291 §2.5.6).
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || first == 100 && second & 0xc0 == 64
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Pt;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn stranger() -> SocketAddr {
        ([198, 51, 100, 1], 1000).into()
    }

    fn header(sequence: u16) -> Header {
        Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp: 0, ssrc: Ssrc(7) }
    }

    /// When the packet of this number comes, one every 20 ms.
    fn at(sequence: u16) -> Duration {
        Duration::from_millis(20) * u32::from(sequence)
    }

    fn hear(latch: &mut Latch, source: SocketAddr, sequence: u16) -> bool {
        latch.accept(at(sequence), source, &header(sequence), false)
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
            assert!(!hear(&mut latch, address(1), sequence));
        }
        assert_eq!(latch.destination(), None);
    }

    #[test]
    fn the_announced_address_is_believed_at_once_and_locks() {
        let mut latch = announced();
        assert!(hear(&mut latch, address(1000), 0));
        for sequence in 0..10 {
            assert!(!hear(&mut latch, address(2000), sequence));
        }
        assert_eq!(latch.destination(), Some(address(1000)));
    }

    #[test]
    fn another_source_is_learned_after_three_packets_in_sequence() {
        let mut latch = announced();
        assert_eq!([0, 1, 2].map(|n| hear(&mut latch, address(2000), n)), [false, false, true]);
        assert_eq!(latch.destination(), Some(address(2000)));
        for sequence in 0..5 {
            assert!(!hear(&mut latch, address(3000), sequence));
        }
    }

    /// How many packets in sequence `source` must send to be heard, when this address was announced.
    fn proof(announced: &str, source: &str, is_authentic: bool) -> usize {
        let mut latch = Latch::default();
        latch.announce(announced.parse().expect("an address"), true);
        let source = source.parse().expect("an address");
        1 + (0..100).take_while(|n| !latch.accept(at(*n), source, &header(*n), is_authentic)).count()
    }

    #[test]
    fn the_less_a_source_fits_the_sdp_the_longer_it_must_prove_itself() {
        let table = [
            ("192.0.2.1:1000", "192.0.2.1:1000", 1),
            ("192.0.2.1:1000", "192.0.2.1:2000", 3),
            ("192.0.2.1:1000", "198.51.100.1:1000", 50),
            ("127.0.0.1:1000", "127.0.0.66:1000", 50),
            ("10.1.2.3:1000", "198.51.100.1:1000", 3),
            ("172.16.0.1:1000", "198.51.100.1:1000", 3),
            ("172.32.0.1:1000", "198.51.100.1:1000", 50),
            ("192.168.0.1:1000", "198.51.100.1:1000", 3),
            ("100.64.0.1:1000", "198.51.100.1:1000", 3),
            ("100.127.255.255:1000", "198.51.100.1:1000", 3),
            ("100.63.0.1:1000", "198.51.100.1:1000", 50),
            ("100.128.0.1:1000", "198.51.100.1:1000", 50),
            ("169.254.0.1:1000", "198.51.100.1:1000", 3),
            ("[fd00::1]:1000", "[2001:db8::1]:1000", 3),
            ("[fe80::1]:1000", "[2001:db8::1]:1000", 3),
            ("[::1]:1000", "[2001:db8::1]:1000", 50),
            ("[2001:db8::2]:1000", "[2001:db8::1]:1000", 50),
            ("[::ffff:10.1.2.3]:1000", "[::ffff:198.51.100.1]:1000", 3),
        ];
        for (announced, source, packets) in table {
            assert_eq!(proof(announced, source, false), packets, "{source} instead of {announced}");
        }
    }

    #[test]
    fn a_burst_from_elsewhere_is_not_a_second_of_audio() {
        let mut latch = announced();
        for n in 0..300 {
            assert!(!latch.accept(Duration::ZERO, stranger(), &header(n), false));
        }
        assert!(!latch.accept(Duration::from_millis(899), stranger(), &header(300), false));
        assert!(latch.accept(Duration::from_millis(900), stranger(), &header(301), false));
    }

    #[test]
    fn authenticated_packets_from_elsewhere_need_the_short_proof() {
        assert_eq!(proof("192.0.2.1:1000", "198.51.100.1:1000", true), 3);
    }

    fn taken_by_a_stranger() -> Latch {
        let mut latch = announced();
        for n in 0..50 {
            hear(&mut latch, stranger(), n);
        }
        assert_eq!(latch.detour(), Some(stranger()));
        latch
    }

    #[test]
    fn the_announced_host_takes_over_from_another_one_even_when_learning_is_over() {
        for (port, proof) in [(1000, vec![true]), (2000, vec![false, false, true])] {
            let mut latch = taken_by_a_stranger();
            let sequence = 0..u16::try_from(proof.len()).expect("few");
            let heard: Vec<_> = sequence.map(|n| hear(&mut latch, address(port), n)).collect();
            assert_eq!((heard, latch.destination()), (proof, Some(address(port))));
            assert!(!latch.admits(stranger()));
            assert!(!latch.admits(address(3000)));
        }
    }

    #[test]
    fn a_third_host_does_not_take_over() {
        let third = ([203, 0, 113, 5], 1000).into();
        assert!(!taken_by_a_stranger().admits(third));
    }

    #[test]
    fn a_stranger_does_not_interrupt_the_proof_of_the_announced_host() {
        let mut latch = announced();
        let mut both = |n| (hear(&mut latch, stranger(), n), hear(&mut latch, address(2000), n));
        assert_eq!([0, 1, 2].map(&mut both), [(false, false), (false, false), (false, true)]);
        assert_eq!(both(3), (false, true));
    }

    #[test]
    fn a_spray_out_of_sequence_is_never_learned() {
        let mut latch = announced();
        for n in 0..20 {
            assert!(!hear(&mut latch, address(2000), n * 7));
        }
    }

    #[test]
    fn the_announced_address_takes_over_from_a_learned_one() {
        let mut latch = announced();
        for n in 0..3 {
            hear(&mut latch, address(2000), n);
        }
        assert!(hear(&mut latch, address(1000), 50));
        assert_eq!(latch.destination(), Some(address(1000)));
    }

    #[test]
    fn a_new_address_in_the_sdp_reopens_and_drops_the_old_source() {
        let mut latch = announced();
        hear(&mut latch, address(1000), 0);
        latch.announce(address(4000), true);
        assert!(!hear(&mut latch, address(1000), 1));
        assert!(hear(&mut latch, address(4000), 0));
    }

    #[test]
    fn the_same_address_announced_again_keeps_the_learned_source_flowing() {
        let mut latch = announced();
        for n in 0..3 {
            hear(&mut latch, address(2000), n);
        }
        latch.announce(address(1000), true);
        assert!(latch.admits(address(3000)));
        assert!(hear(&mut latch, address(2000), 3));
        assert!(!latch.admits(address(3000)));
    }

    #[test]
    fn without_reopen_the_same_address_stays_locked() {
        let mut latch = announced();
        hear(&mut latch, address(1000), 0);
        latch.announce(address(1000), false);
        assert!(!latch.admits(address(3000)));
    }

    #[test]
    fn rtcp_must_come_from_the_host_of_the_rtp() {
        let latch = announced();
        assert!(latch.accepts_control(address(1001)));
        assert!(!latch.accepts_control(([192, 0, 2, 9], 1001).into()));
    }
}

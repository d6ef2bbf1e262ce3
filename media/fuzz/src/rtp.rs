//! RTP: no bytes do harm; what is read lies within the packet and can be written and read again.

use mediacore::rtp::{self, HEADER_LEN, Kind, Packet};

/// Classify and parse `data`.
pub fn check(data: &[u8]) {
    let kind = rtp::classify(data);
    let Some(packet) = rtp::parse(data) else {
        return;
    };
    assert!(matches!(kind, Some(Kind::Rtp | Kind::Rtcp)), "an RTP packet is taken for {kind:?}");
    expect_within(data, packet.payload);
    let again = written(&packet);
    assert_eq!(rtp::parse(&again), Some(packet));
    let mut padded = again;
    padded[0] |= 0x20;
    padded.extend([0, 0, 0, 4]);
    assert_eq!(rtp::parse(&padded), Some(packet), "padding is not part of the payload");
}

fn expect_within(data: &[u8], payload: &[u8]) {
    let (outer, inner) = (data.as_ptr_range(), payload.as_ptr_range());
    assert!(outer.start <= inner.start && inner.end <= outer.end);
    assert!(payload.len() + HEADER_LEN <= data.len());
}

/// The packet without CSRCs, extension and padding.
#[must_use]
pub fn written(packet: &Packet) -> Vec<u8> {
    let mut head = [0; HEADER_LEN];
    rtp::write_header(&packet.header, &mut head);
    [&head, packet.payload].concat()
}

//! RTP headers (RFC 3550 §5.1) and what tells the protocols on one port apart (RFC 7983, RFC 5761).

/// Length of an RTP header without CSRCs and extension.
pub const HEADER_LEN: usize = 12;

/// Synchronisation source identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

/// Payload type, 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pt(pub u8);

/// Sequence number; compares modulo 2^16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// Signed distance from `other` to `self`: positive when `self` is newer.
    #[must_use]
    pub fn since(self, other: SeqNo) -> i16 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The number `n` after this one.
    #[must_use]
    pub fn plus(self, n: u16) -> SeqNo {
        SeqNo(self.0.wrapping_add(n))
    }
}

/// What a datagram is, by its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191, not RTCP.
    Rtp,
    /// First byte 128 to 191, second byte 192 to 223 (RFC 5761 §4).
    Rtcp,
}

/// Tell what a datagram is (RFC 7983 §7); `None` for what none of our protocols starts with.
#[must_use]
pub fn classify(datagram: &[u8]) -> Option<Kind> {
    match *datagram.first()? {
        0..=3 => Some(Kind::Stun),
        20..=63 => Some(Kind::Dtls),
        128..=191 => match *datagram.get(1)? {
            192..=223 => Some(Kind::Rtcp),
            _ => Some(Kind::Rtp),
        },
        _ => None,
    }
}

/// The fields of an RTP header that matter to a relay; CSRCs and header extensions are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// First packet after a silence, or the start of a telephone-event.
    pub marker: bool,
    /// Payload type.
    pub payload_type: Pt,
    /// Sequence number.
    pub sequence: SeqNo,
    /// Timestamp in units of the payload's clock.
    pub timestamp: u32,
    /// Who sent it.
    pub ssrc: Ssrc,
}

/// A parsed RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// The payload without padding.
    pub payload: &'a [u8],
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Where the payload begins: after CSRCs and header extension (RFC 3550 §5.3.1).
fn payload_start(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let after_csrcs = HEADER_LEN + 4 * usize::from(first & 0x0f);
    if first & 0x10 == 0 {
        return Some(after_csrcs);
    }
    let words = be16(packet, after_csrcs + 2)?;
    Some(after_csrcs + 4 + 4 * usize::from(words))
}

/// Where the payload ends: before the padding, whose last byte counts itself.
fn payload_end(packet: &[u8]) -> Option<usize> {
    if packet.first()? & 0x20 == 0 {
        return Some(packet.len());
    }
    let padding = usize::from(*packet.last()?);
    if padding == 0 { None } else { packet.len().checked_sub(padding) }
}

/// Parse an RTP packet; `None` when it is not one.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    if packet.len() < HEADER_LEN || packet[0] >> 6 != 2 {
        return None;
    }
    let payload = packet.get(payload_start(packet)?..payload_end(packet)?)?;
    let header = Header {
        marker: packet[1] & 0x80 != 0,
        payload_type: Pt(packet[1] & 0x7f),
        sequence: SeqNo(be16(packet, 2)?),
        timestamp: be32(packet, 4)?,
        ssrc: Ssrc(be32(packet, 8)?),
    };
    Some(Packet { header, payload })
}

/// Write a header without CSRCs, extension or padding.
pub fn write_header(header: &Header, into: &mut [u8; HEADER_LEN]) {
    into[0] = 0x80;
    into[1] = u8::from(header.marker) << 7 | header.payload_type.0 & 0x7f;
    into[2..4].copy_from_slice(&header.sequence.0.to_be_bytes());
    into[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    into[8..12].copy_from_slice(&header.ssrc.0.to_be_bytes());
}

/// Give a packet of the payload type `from` the payload type `to`; others stay as they are.
pub fn rename(packet: &mut [u8], from: Option<Pt>, to: Pt) {
    if let Some(second) = packet.get_mut(1).filter(|second| from == Some(Pt(**second & 0x7f))) {
        *second = *second & 0x80 | to.0 & 0x7f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: Pt(111),
        sequence: SeqNo(0xfffe),
        timestamp: 0x0102_0304,
        ssrc: Ssrc(0xdead_beef),
    };

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut head = [0; HEADER_LEN];
        write_header(&HEADER, &mut head);
        [&head[..], payload].concat()
    }

    #[test]
    fn a_written_header_parses_back() {
        let bytes = packet(b"payload");
        assert_eq!(parse(&bytes), Some(Packet { header: HEADER, payload: b"payload" }));
    }

    #[test]
    fn csrcs_extension_and_padding_are_left_out_of_the_payload() {
        let mut bytes = packet(&[]);
        bytes[0] |= 0x20 | 0x10 | 2;
        bytes.extend([0; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend(b"audio");
        bytes.extend([0, 0, 3]);
        assert_eq!(parse(&bytes).unwrap().payload, b"audio");
    }

    #[test]
    fn impossible_padding_is_refused() {
        for last in [0, 6, 255] {
            let mut bytes = packet(&[1, 2, 3, 4, last]);
            bytes[0] |= 0x20;
            assert_eq!(parse(&bytes), None, "padding {last}");
        }
    }

    #[test]
    fn truncations_of_a_packet_with_an_extension_never_panic() {
        let mut bytes = packet(&[0xbe, 0xde, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 42]);
        bytes[0] |= 0x10;
        assert_eq!(parse(&bytes).unwrap().payload, [42]);
        for len in 0..HEADER_LEN + 12 {
            assert_eq!(parse(&bytes[..len]), None, "length {len}");
        }
    }

    #[test]
    fn the_protocols_on_one_port_are_told_apart() {
        let cases: [(&[u8], Option<Kind>); 8] = [
            (&[0, 1], Some(Kind::Stun)),
            (&[22, 254], Some(Kind::Dtls)),
            (&[0x80, 111], Some(Kind::Rtp)),
            (&[0x80, 0xef], Some(Kind::Rtp)),
            (&[0x81, 200], Some(Kind::Rtcp)),
            (&[64, 0], None),
            (&[0x80], None),
            (&[], None),
        ];
        for (bytes, kind) in cases {
            assert_eq!(classify(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn sequence_numbers_compare_over_the_wrap() {
        assert_eq!(SeqNo(1).since(SeqNo(0xffff)), 2);
        assert_eq!(SeqNo(0xffff).since(SeqNo(1)), -2);
        assert_eq!(SeqNo(0xffff).plus(2), SeqNo(1));
    }
}

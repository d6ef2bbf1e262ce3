//! RTCP packets as bytes (RFC 3550 §6.4 to §6.6).

mod reader;
mod writer;

pub use reader::{Item, Malformed, parse};
pub use writer::{Compound, MAX_COMPOUND, build_compound};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;
/// SDES item that ends a chunk, and the one that names a source.
const END: u8 = 0;
const CNAME: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{ReportBlock, SenderInfo};

    const INFO: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0xaabb_ccdd,
        fraction_lost: 12,
        cumulative_lost: -3,
        highest_sequence: 0x0001_0002,
        jitter: 13,
        last_sr: 14,
        delay_since_last_sr: 15,
    };

    fn built(compound: &Compound<'_>) -> Vec<u8> {
        let mut buffer = [0xee; MAX_COMPOUND];
        let len = build_compound(&mut buffer, compound).expect("it fits");
        buffer[..len].to_vec()
    }

    fn items(packet: &[u8]) -> (Vec<Item<'_>>, Result<(), Malformed>) {
        let mut items = Vec::new();
        let result = parse(packet, &mut |item| items.push(item));
        (items, result)
    }

    #[test]
    fn a_full_compound_is_written_as_the_rfc_draws_it() {
        let packet = built(&Compound { ssrc: 1, sender: Some(INFO), report: Some(BLOCK), cname: "ab", bye: true });
        let expected = [
            &[0x81, 200, 0, 12, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11][..],
            &[0xaa, 0xbb, 0xcc, 0xdd, 12, 0xff, 0xff, 0xfd, 0, 1, 0, 2, 0, 0, 0, 13, 0, 0, 0, 14, 0, 0, 0, 15],
            &[0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0],
            &[0x81, 203, 0, 1, 0, 0, 0, 1],
        ];
        assert_eq!(packet, expected.concat());
    }

    #[test]
    fn what_is_written_is_read() {
        for cname in ["", "a", "abc", "abcd", "abcde", &"x".repeat(255)] {
            let packet = built(&Compound { ssrc: 1, sender: Some(INFO), report: Some(BLOCK), cname, bye: true });
            assert_eq!(packet.len() % 4, 0);
            let expected = vec![
                Item::SenderReport { ssrc: 1, info: INFO },
                Item::Report { reporter: 1, block: BLOCK },
                Item::Cname { ssrc: 1, name: cname.as_bytes() },
                Item::Bye { ssrc: 1 },
            ];
            assert_eq!(items(&packet), (expected, Ok(())));
        }
    }

    #[test]
    fn a_receiver_report_may_be_empty() {
        let packet = built(&Compound { ssrc: 7, sender: None, report: None, cname: "c", bye: false });
        assert_eq!(packet[..8], [0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(items(&packet), (vec![Item::Cname { ssrc: 7, name: b"c" }], Ok(())));
    }

    #[test]
    fn the_longest_compound_just_fits() {
        let name = "é".repeat(200);
        let compound = Compound { ssrc: 1, sender: Some(INFO), report: Some(BLOCK), cname: &name, bye: true };
        assert_eq!(built(&compound).len(), MAX_COMPOUND);
        for len in 0..MAX_COMPOUND {
            assert_eq!(build_compound(&mut vec![0; len], &compound), None);
        }
    }

    #[test]
    fn feedback_and_unknown_packets_are_told_and_skipped() {
        let packet = [0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 207, 0, 0, 0x81, 203, 0, 1, 0, 0, 0, 5];
        let expected = vec![
            Item::Other { packet_type: 205, format: 1 },
            Item::Other { packet_type: 207, format: 0 },
            Item::Bye { ssrc: 5 },
        ];
        assert_eq!(items(&packet), (expected, Ok(())));
    }

    #[test]
    fn other_sdes_items_and_several_chunks_are_read_past() {
        let packet = [
            &[0x82, 202, 0, 6, 0, 0, 0, 1, 2, 1, b'n', 1, 1, b'c', 0, 0][..],
            &[0, 0, 0, 2, 1, 3, b'x', b'y', b'z', 0, 0, 0],
        ];
        let packet = packet.concat();
        let expected = vec![Item::Cname { ssrc: 1, name: b"c" }, Item::Cname { ssrc: 2, name: b"xyz" }];
        assert_eq!(items(&packet), (expected, Ok(())));
    }

    #[test]
    fn padding_is_not_content() {
        let packet = [0xa1, 203, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4];
        assert_eq!(items(&packet), (vec![Item::Bye { ssrc: 5 }], Ok(())));
        for padding in [0, 3, 12, 255] {
            assert_eq!(items(&[0xa1, 203, 0, 2, 0, 0, 0, 5, 0, 0, 0, padding]), (vec![], Err(Malformed)));
        }
    }

    #[test]
    fn every_cut_is_malformed() {
        let packet = built(&Compound { ssrc: 1, sender: Some(INFO), report: Some(BLOCK), cname: "name", bye: true });
        let whole = items(&packet).0.len();
        let ends: Vec<_> = (0..packet.len()).filter(|&len| items(&packet[..len]).1.is_ok()).collect();
        assert_eq!(ends, [52, 68]);
        assert_eq!(whole, 4);
        assert_eq!(items(&[0x40, 200, 0, 0]).1, Err(Malformed));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut seed = 3_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        let mut visited = 0;
        for _ in 0..50_000 {
            let mut packet: Vec<u8> = (0..random() % 64).map(|_| random()).collect();
            if let [first, kind, high, low, ..] = &mut packet[..] {
                (*first, *kind, *high, *low) = (0x80 | *first & 0x3f, 200 + *kind % 5, 0, *low % 16);
            }
            let _ = parse(&packet, &mut |_| visited += 1);
        }
        assert!(visited > 1000);
    }
}

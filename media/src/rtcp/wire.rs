//! RTCP packets as bytes (RFC 3550 §6.4 to §6.6).

use super::voip::{self, VoipMetrics};
use super::{ReportBlock, SenderInfo};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;
/// SDES item that ends a chunk, and the one that names a source.
const END: u8 = 0;
const CNAME: u8 = 1;

/// A buffer of this size holds every compound packet of ours.
pub const MAX_COMPOUND: usize = 28 + 24 + 268 + 8;

/// What goes into one compound packet of ours.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// Makes it an SR; otherwise an RR.
    pub sender: Option<SenderInfo>,
    /// About the peer's stream.
    pub report: Option<ReportBlock>,
    /// SDES CNAME; cut at 255 bytes.
    pub cname: &'a str,
    /// We leave (RFC 3550 §6.6).
    pub bye: bool,
}

/// Write SR or RR, SDES and perhaps BYE (RFC 3550 §6.1); returns the length, or `None` when `buffer` is too small.
pub fn build_compound(buffer: &mut [u8], compound: &Compound<'_>) -> Option<usize> {
    let mut writer = Writer { buffer, len: 0 };
    write_report(&mut writer, compound)?;
    write_cname(&mut writer, compound)?;
    if compound.bye {
        writer.header(1, BYE, 1)?;
        writer.word(compound.ssrc)?;
    }
    Some(writer.len)
}

fn write_report(writer: &mut Writer<'_>, compound: &Compound<'_>) -> Option<()> {
    let blocks = u8::from(compound.report.is_some());
    let words = 1 + if compound.sender.is_some() { 5 } else { 0 } + 6 * u16::from(blocks);
    let packet_type = if compound.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    writer.header(blocks, packet_type, words)?;
    writer.word(compound.ssrc)?;
    if let Some(info) = compound.sender {
        writer.bytes(&info.ntp.to_be_bytes())?;
        writer.word(info.rtp_timestamp)?;
        writer.word(info.packets)?;
        writer.word(info.octets)?;
    }
    if let Some(block) = compound.report {
        let [_, lost @ ..] = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        writer.word(block.ssrc)?;
        writer.bytes(&[block.fraction_lost])?;
        writer.bytes(&lost)?;
        writer.word(block.highest_sequence)?;
        writer.word(block.jitter)?;
        writer.word(block.last_sr)?;
        writer.word(block.delay_since_last_sr)?;
    }
    Some(())
}

/// One chunk with one item, ended by at least one zero and filled up to a word (RFC 3550 §6.5).
fn write_cname(writer: &mut Writer<'_>, compound: &Compound<'_>) -> Option<()> {
    let name = compound.cname.as_bytes();
    let name_len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let item_words = (2 + u16::from(name_len)) / 4 + 1;
    writer.header(1, SOURCE_DESCRIPTION, 1 + item_words)?;
    writer.word(compound.ssrc)?;
    let end = writer.len + usize::from(item_words) * 4;
    writer.bytes(&[CNAME, name_len])?;
    writer.bytes(&name[..usize::from(name_len)])?;
    let fill = end - writer.len;
    writer.bytes(&[END; 4][..fill])
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    /// `words` counts 32-bit words behind the header, as the length field does.
    fn header(&mut self, count: u8, packet_type: u8, words: u16) -> Option<()> {
        self.bytes(&[0x80 | count, packet_type])?;
        self.bytes(&words.to_be_bytes())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.bytes(&word.to_be_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.buffer.get_mut(self.len..self.len + bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

/// What a received RTCP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An SR's sender information.
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// When and how much.
        info: SenderInfo,
    },
    /// A block of an SR or RR.
    Report {
        /// Who reports.
        reporter: u32,
        /// About whom and what.
        block: ReportBlock,
    },
    /// A canonical name (RFC 3550 §6.5.1).
    Cname {
        /// Whose.
        ssrc: u32,
        /// The text, as sent.
        name: &'a [u8],
    },
    /// This source leaves.
    Bye {
        /// Who.
        ssrc: u32,
    },
    /// `VoIP` metrics of an XR packet (RFC 3611 §4.7).
    Voip(VoipMetrics),
    /// Feedback, other XR, APP and unknown types: skipped, but told.
    Other {
        /// RTCP packet type.
        packet_type: u8,
        /// Count or format field.
        format: u8,
    },
}

/// The packet is no RTCP, or ends within a sub-packet. Items before that point have been visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Visit everything in a (compound or reduced-size, RFC 5506) RTCP packet.
///
/// # Errors
/// [`Malformed`].
pub fn parse<'a>(packet: &'a [u8], visit: &mut impl FnMut(Item<'a>)) -> Result<(), Malformed> {
    let mut reader = Reader(packet);
    loop {
        let [first, packet_type] = *reader.take::<2>()?;
        let len = usize::from(u16::from_be_bytes(*reader.take()?)) * 4;
        if first >> 6 != 2 {
            return Err(Malformed);
        }
        let mut body = Reader(reader.slice(len)?);
        if first & 0x20 != 0 {
            body.strip_padding()?;
        }
        body.visit(packet_type, first & 0x1f, visit)?;
        if reader.0.is_empty() {
            return Ok(());
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn visit(&mut self, packet_type: u8, count: u8, visit: &mut impl FnMut(Item<'a>)) -> Result<(), Malformed> {
        match packet_type {
            SENDER_REPORT => {
                let ssrc = self.word()?;
                visit(Item::SenderReport { ssrc, info: self.sender_info()? });
                self.blocks(ssrc, count, visit)
            }
            RECEIVER_REPORT => {
                let ssrc = self.word()?;
                self.blocks(ssrc, count, visit)
            }
            SOURCE_DESCRIPTION => (0..count).try_for_each(|_| self.chunk(visit)),
            BYE => (0..count).try_for_each(|_| {
                visit(Item::Bye { ssrc: self.word()? });
                Ok(())
            }),
            EXTENDED_REPORT => {
                let other = Item::Other { packet_type, format: count };
                visit(self.0.get(4..).and_then(voip::find).map_or(other, Item::Voip));
                Ok(())
            }
            _ => {
                visit(Item::Other { packet_type, format: count });
                Ok(())
            }
        }
    }

    fn sender_info(&mut self) -> Result<SenderInfo, Malformed> {
        Ok(SenderInfo {
            ntp: u64::from_be_bytes(*self.take()?),
            rtp_timestamp: self.word()?,
            packets: self.word()?,
            octets: self.word()?,
        })
    }

    fn blocks(&mut self, reporter: u32, count: u8, visit: &mut impl FnMut(Item<'a>)) -> Result<(), Malformed> {
        for _ in 0..count {
            visit(Item::Report { reporter, block: self.block()? });
        }
        Ok(())
    }

    fn block(&mut self) -> Result<ReportBlock, Malformed> {
        let ssrc = self.word()?;
        let [fraction_lost, lost @ ..] = *self.take::<4>()?;
        Ok(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: sign_extended(lost),
            highest_sequence: self.word()?,
            jitter: self.word()?,
            last_sr: self.word()?,
            delay_since_last_sr: self.word()?,
        })
    }

    /// One source of an SDES packet: its items up to a zero, filled up to a word.
    fn chunk(&mut self, visit: &mut impl FnMut(Item<'a>)) -> Result<(), Malformed> {
        let ssrc = self.word()?;
        loop {
            let [kind] = *self.take()?;
            if kind == END {
                // The body is a whole number of words, so what is left tells where we are in one.
                self.slice(self.0.len() % 4)?;
                return Ok(());
            }
            let [len] = *self.take()?;
            let text = self.slice(usize::from(len))?;
            if kind == CNAME {
                visit(Item::Cname { ssrc, name: text });
            }
        }
    }

    /// The last byte says how many bytes at the end are padding (RFC 3550 §6.4.1).
    fn strip_padding(&mut self) -> Result<(), Malformed> {
        let padding = usize::from(*self.0.last().ok_or(Malformed)?);
        let kept = self.0.len().checked_sub(padding).filter(|_| padding > 0 && padding % 4 == 0).ok_or(Malformed)?;
        self.0 = &self.0[..kept];
        Ok(())
    }

    fn word(&mut self) -> Result<u32, Malformed> {
        self.take().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// A 24-bit number in two's complement.
fn sign_extended([high, middle, low]: [u8; 3]) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

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

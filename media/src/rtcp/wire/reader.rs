//! RTCP packets of others, taken apart (RFC 3550 §6.4 to §6.6, RFC 3611).

use super::{BYE, CNAME, END, EXTENDED_REPORT, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION};
use crate::rtcp::voip::{self, VoipMetrics};
use crate::rtcp::{ReportBlock, SenderInfo};

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

//! RTCP packets of ours: SR or RR, SDES, BYE (RFC 3550 §6.4 to §6.6).

use super::{BYE, CNAME, END, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION};
use crate::rtcp::{ReportBlock, SenderInfo};

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

//! The `VoIP` metrics block of RTCP XR (RFC 3611 §4.7).

const EXTENDED_REPORT: u8 = 207;
const BLOCK_TYPE: u8 = 7;
/// Words behind the block's header.
const BLOCK_WORDS: u8 = 8;
/// A level, R or MOS that is not known.
pub const UNAVAILABLE: u8 = 127;

/// Bytes of an XR packet with one such block.
pub const LEN: usize = 8 + 4 + 4 * BLOCK_WORDS as usize;

/// Loss is concealed by prediction (PLC 2, enhanced), the jitter buffer is adaptive (JBA 3) and grows at once (rate 0).
const TRANSCODER: u8 = 0b1011_0000;

/// The jitter buffer behind a receiver that transcodes. Durations in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// How long packets wait now: the nominal delay.
    pub depth_ms: u16,
    /// How long they ever may.
    pub most_ms: u16,
}

/// What a receiver says about a call. Durations in ms, densities in 1/256, levels in dBm0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoipMetrics {
    /// About whose stream.
    pub ssrc: u32,
    /// Share of packets lost.
    pub loss_rate: u8,
    /// Share of packets that came too late.
    pub discard_rate: u8,
    /// Share of lost packets in bursts.
    pub burst_density: u8,
    /// Share of lost packets in gaps.
    pub gap_density: u8,
    /// Mean length of a burst.
    pub burst_ms: u16,
    /// Mean length of a gap.
    pub gap_ms: u16,
    /// Round-trip time, 0 if unknown.
    pub round_trip_ms: u16,
    /// Level of the speech as a signed byte, [`UNAVAILABLE`] if unknown.
    pub signal_level: u8,
    /// Level of what is heard between the words, likewise.
    pub noise_level: u8,
    /// Packets in a row that end a burst.
    pub gmin: u8,
    /// R, 0 to 100, [`UNAVAILABLE`] if unknown.
    pub r_factor: u8,
    /// Ten times the MOS for listening, [`UNAVAILABLE`] if unknown.
    pub mos_lq: u8,
    /// Ten times the conversational MOS, [`UNAVAILABLE`] if unknown.
    pub mos_cq: u8,
    /// `None` where packets are relayed: then nothing waits, and nothing is said.
    pub buffer: Option<Buffer>,
}

/// Append an XR packet of `ssrc` behind `buffer[..len]`; the new length.
#[must_use]
pub fn append(buffer: &mut [u8], len: usize, ssrc: u32, metrics: &VoipMetrics) -> Option<usize> {
    let end = len + LEN;
    let packet: &mut [u8; LEN] = buffer.get_mut(len..end)?.try_into().ok()?;
    let [words_high, words_low] = u16::try_from(LEN / 4 - 1).ok()?.to_be_bytes();
    let (config, depth_ms, most_ms) =
        metrics.buffer.map_or((0, 0, 0), |buffer| (TRANSCODER, buffer.depth_ms, buffer.most_ms));
    let pieces: [&[u8]; 14] = [
        &[0x80, EXTENDED_REPORT, words_high, words_low],
        &ssrc.to_be_bytes(),
        &[BLOCK_TYPE, 0, 0, BLOCK_WORDS],
        &metrics.ssrc.to_be_bytes(),
        &[metrics.loss_rate, metrics.discard_rate, metrics.burst_density, metrics.gap_density],
        &metrics.burst_ms.to_be_bytes(),
        &metrics.gap_ms.to_be_bytes(),
        &metrics.round_trip_ms.to_be_bytes(),
        // Delay of this end: not known; then signal, noise and echo levels.
        &[0, 0, metrics.signal_level, metrics.noise_level, UNAVAILABLE, metrics.gmin],
        // R here and beyond, MOS for listening and for conversation.
        &[metrics.r_factor, UNAVAILABLE, metrics.mos_lq, metrics.mos_cq],
        &[config, 0],
        // Nominal now, at most now (it moves within what is possible), at most ever.
        &depth_ms.to_be_bytes(),
        &most_ms.to_be_bytes(),
        &most_ms.to_be_bytes(),
    ];
    let mut at = 0;
    for piece in pieces {
        packet[at..at + piece.len()].copy_from_slice(piece);
        at += piece.len();
    }
    Some(end)
}

/// The first such block in the body of an XR packet, behind its SSRC.
#[must_use]
pub fn find(mut blocks: &[u8]) -> Option<VoipMetrics> {
    loop {
        let [kind, _, high, low] = *blocks.first_chunk()?;
        let len = 4 * usize::from(u16::from_be_bytes([high, low]));
        let body = blocks.get(4..4 + len)?;
        if kind == BLOCK_TYPE {
            return read(body);
        }
        blocks = &blocks[4 + len..];
    }
}

fn read(body: &[u8]) -> Option<VoipMetrics> {
    let body: &[u8; 4 * BLOCK_WORDS as usize] = body.first_chunk()?;
    let short = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    Some(VoipMetrics {
        ssrc: u32::from_be_bytes([body[0], body[1], body[2], body[3]]),
        loss_rate: body[4],
        discard_rate: body[5],
        burst_density: body[6],
        gap_density: body[7],
        burst_ms: short(8),
        gap_ms: short(10),
        round_trip_ms: short(12),
        signal_level: body[16],
        noise_level: body[17],
        gmin: body[19],
        r_factor: body[20],
        mos_lq: body[22],
        mos_cq: body[23],
        buffer: (body[24] != 0).then(|| Buffer { depth_ms: short(26), most_ms: short(30) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: VoipMetrics = VoipMetrics {
        ssrc: 0x0102_0304,
        loss_rate: 5,
        discard_rate: 6,
        burst_density: 7,
        gap_density: 8,
        burst_ms: 0x0910,
        gap_ms: 0x1112,
        round_trip_ms: 0x1314,
        signal_level: 0xec,
        noise_level: 0xbf,
        gmin: 16,
        r_factor: 90,
        mos_lq: 42,
        mos_cq: 43,
        buffer: Some(Buffer { depth_ms: 0x1516, most_ms: 0x1718 }),
    };

    #[test]
    fn the_block_is_written_as_the_rfc_draws_it_and_read_again() {
        let mut buffer = [0xee; LEN + 4];
        assert_eq!(append(&mut buffer, 4, 0xaabb_ccdd, &METRICS), Some(LEN + 4));
        let expected = [
            &[0x80, 207, 0, 10, 0xaa, 0xbb, 0xcc, 0xdd, 7, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12][..],
            &[0x13, 0x14, 0, 0, 0xec, 0xbf, 127, 16, 90, 127, 42, 43, 0xb0, 0, 0x15, 0x16, 0x17, 0x18, 0x17, 0x18],
        ]
        .concat();
        assert_eq!(buffer[4..], expected);
        assert_eq!(find(&buffer[12..]), Some(METRICS));
        assert_eq!(append(&mut buffer, 5, 1, &METRICS), None);
        let relayed = VoipMetrics { buffer: None, ..METRICS };
        assert_eq!(append(&mut buffer, 4, 0xaabb_ccdd, &relayed), Some(LEN + 4));
        assert_eq!((&buffer[LEN - 4..], find(&buffer[12..])), (&[0; 8][..], Some(relayed)));
    }

    #[test]
    fn other_blocks_are_read_past_and_cut_ones_are_none() {
        let mut buffer = [0; LEN];
        append(&mut buffer, 0, 1, &METRICS).unwrap();
        let reference_time = [4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        let both = [&reference_time[..], &buffer[8..]].concat();
        assert_eq!(find(&both), Some(METRICS));
        for len in 0..both.len() {
            assert_eq!(find(&both[..len]), None, "{len}");
        }
    }
}

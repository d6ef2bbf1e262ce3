//! RTCP: no bytes do harm; what we write is what is read; statistics stay sane whatever sequence numbers come.

use std::time::Duration;

use mediacore::rtcp::{self, Compound, Item, MAX_COMPOUND, ReceiverStats, ReportBlock, SenderInfo};

use crate::script::Script;

/// Read `data` as a packet, then as the figures of a packet of ours, then as a stream of packets.
pub fn check(data: &[u8]) {
    read(data);
    let mut script = Script::new(data);
    write_and_read(&mut script);
    receive(&mut script);
}

fn read(data: &[u8]) {
    let mut items = 0;
    let mut stats = ReceiverStats::new(8000);
    stats.on_packet(Duration::ZERO, 1, 1, 1);
    let result = rtcp::parse(data, &mut |item| {
        items += 1;
        match item {
            Item::SenderReport { info, .. } => stats.on_sender_report(Duration::from_secs(1), 1, info.ntp),
            Item::Report { block, .. } => expect_plausible_round_trip(&block),
            Item::Cname { name, .. } => assert!(name.len() < 256),
            Item::Bye { .. } | Item::Voip(_) | Item::Other { .. } => {}
        }
    });
    // The smallest item is a CNAME without text: two bytes.
    assert!(items <= data.len() / 2, "more items than the packet can hold");
    assert!(result.is_err() || data.len().is_multiple_of(4));
    stats.report(Duration::from_secs(2));
}

fn expect_plausible_round_trip(block: &ReportBlock) {
    let round_trip = rtcp::round_trip(rtcp::ntp_from_unix(Duration::from_secs(1_700_000_000)), block);
    assert!(round_trip.is_none_or(|time| time <= Duration::from_secs(60)));
}

fn write_and_read(script: &mut Script) {
    let block = report_block(script);
    let info = SenderInfo {
        ntp: u64::from_be_bytes(script.array()),
        rtp_timestamp: script.u32(),
        packets: script.u32(),
        octets: script.u32(),
    };
    let cname: String = script.bytes().iter().map(|byte| char::from(byte & 0x7f)).collect();
    let compound = Compound {
        ssrc: script.u32(),
        sender: script.flag().then_some(info),
        report: script.flag().then_some(block),
        cname: &cname,
        bye: script.flag(),
    };
    let mut buffer = [0; MAX_COMPOUND];
    let len = rtcp::build_compound(&mut buffer, &compound).expect("there is room for every compound packet");
    let mut items = Vec::new();
    rtcp::parse(&buffer[..len], &mut |item| items.push(item)).expect("we read what we write");
    assert_eq!(items, expected(&compound));
    assert_eq!(rtcp::build_compound(&mut buffer[..len - 1], &compound), None, "written past the end");
}

fn report_block(script: &mut Script) -> ReportBlock {
    ReportBlock {
        ssrc: script.u32(),
        fraction_lost: script.byte(),
        // 24 bits in two's complement on the wire.
        cumulative_lost: script.u32().cast_signed() >> 8,
        highest_sequence: script.u32(),
        jitter: script.u32(),
        last_sr: script.u32(),
        delay_since_last_sr: script.u32(),
    }
}

fn expected<'a>(compound: &Compound<'a>) -> Vec<Item<'a>> {
    let ssrc = compound.ssrc;
    let sender = compound.sender.map(|info| Item::SenderReport { ssrc, info });
    let report = compound.report.map(|block| Item::Report { reporter: ssrc, block });
    // A name's length is one byte.
    let name = compound.cname.as_bytes();
    let cname = Item::Cname { ssrc, name: &name[..name.len().min(255)] };
    let bye = compound.bye.then_some(Item::Bye { ssrc });
    sender.into_iter().chain(report).chain([cname]).chain(bye).collect()
}

/// A stream with any jumps in sequence, timestamp, SSRC and time.
fn receive(script: &mut Script) {
    let mut stats = ReceiverStats::new(script.choice([8000, 48_000, 0, u32::MAX]));
    let mut now = Duration::ZERO;
    let mut packets = 0;
    while !script.is_over() {
        now += Duration::from_millis(u64::from(script.u16()));
        let ssrc = u32::from(script.byte() >> 6);
        stats.on_packet(now, ssrc, script.u16(), script.u32());
        packets += 1;
        assert_eq!(stats.received(), packets);
        assert!(stats.reordered() + stats.duplicates() <= packets);
        assert!(stats.jitter_ms() >= 0.0 && stats.jitter_ms() <= 5000.0, "{} ms of jitter", stats.jitter_ms());
        if script.flag() {
            let block = stats.report(now).expect("packets have come");
            assert_eq!(Some(block.ssrc), stats.ssrc());
            assert!((-0x80_0000..=0x7f_ffff).contains(&block.cumulative_lost));
        }
    }
}

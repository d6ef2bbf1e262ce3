//! What the thread adds to the relay: handing over between threads, and surviving a panic.

use std::net::UdpSocket;

use super::*;
use crate::counters::Figure;
use crate::event::Event;
use crate::leg::{Leg, Settings};
use crate::liveness::Limits;
use crate::outbox::PathChange;
use crate::port::Port;
use crate::random;
use crate::rtp::{HEADER_LEN, Header, Pt, SeqNo, Ssrc};
use crate::stun::tests::check_for;
use crate::transport::Transport;

const HERE: usize = 0;
const THERE: usize = 1;

fn shard() -> Shard {
    shard_at(HERE)
}

fn shard_at(index: usize) -> Shard {
    let mailboxes = vec![Mailbox::new().unwrap(), Mailbox::new().unwrap()];
    let (ufrags, events) = (Ufrags::default(), Events::new().unwrap());
    let gauges = mailboxes.iter().map(|_| crate::balance::Gauge::default()).collect();
    let common = Common { start: Instant::now(), opus_complexity: 0, mailboxes, gauges, ufrags, events };
    Shard::new(index, Arc::new(common), &[]).unwrap()
}

fn adopt(shard: &mut Shard, id: u64) -> LegId {
    let [stall, dead, silent] = [3, 30, 8].map(Duration::from_secs);
    let limits = Limits { stall, dead, silent };
    let settings = Settings { limits, opus_complexity: 0, unix_origin: Duration::ZERO };
    let transport = Transport::Port(Port::new(SocketId(-1), SocketId(-1)));
    let leg = Leg::new(Duration::ZERO, LegId(id), transport, random::seed(), settings);
    shard.adopt(Parcel { leg: Box::new(leg), sockets: None });
    LegId(id)
}

fn path() -> Path {
    Path { socket: SocketId(-1), peer: ([192, 0, 2, 1], 5).into() }
}

fn packet() -> Vec<u8> {
    numbered(1)
}

fn numbered(sequence: u16) -> Vec<u8> {
    let mut bytes = [0; HEADER_LEN];
    let header = Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp: 1, ssrc: Ssrc(1) };
    rtp::write_header(&header, &mut bytes);
    bytes.to_vec()
}

#[test]
fn a_panic_ends_only_the_leg_at_fault() {
    let mut shard = shard();
    let (broken, sound) = (adopt(&mut shard, 1), adopt(&mut shard, 2));
    let core = &mut shard.core;
    let result = core.guarded(|core| {
        core.relay.on_packet(Duration::ZERO, broken, path(), &mut packet(), &mut core.out);
        assert!(core.relay.is_empty(), "a bug, for this test");
    });
    assert_eq!(result, None);
    core.flush();
    assert_eq!(core.common.events.take(9), [(broken, Event::Broken)]);
    assert_eq!((core.relay.len(), core.totals.failures), (1, 1));
    core.on_packet(Duration::ZERO, sound, path(), &mut packet());
    assert_eq!(core.relay.len(), 1);
    let figures = shard.close(broken).unwrap();
    assert!(figures.iter().any(|(name, _)| *name == "dropped_early"), "its last figures are kept");
}

#[test]
fn a_panic_that_no_leg_is_to_blame_for_does_not_end_the_thread() {
    let mut shard = shard();
    let leg = adopt(&mut shard, 1);
    // For a thread that does not exist: a bug, for this test.
    let mut astray = Packets::default();
    astray.push(leg, path(), &packet());
    shard.core.handing.push(astray);
    shard.core.out.event(leg, Event::MediaStarted);
    for _ in 0..2 {
        assert!(shard.serve_or_survive(Duration::ZERO, &Ready::default(), false));
    }
    assert_eq!((shard.core.relay.len(), shard.core.totals.failures), (1, 1));
    assert_eq!(shard.core.common.events.take(9), [(leg, Event::MediaStarted)]);
    shard.core.on_packet(Duration::ZERO, leg, path(), &mut packet());
    assert!(shard.core.relay.figures(leg).unwrap().contains(&("dropped_early", Figure::Count(1))));
}

/// A socket of ours with both browsers' datagrams in it, by turns.
fn both_at_once(browsers: &[UdpSocket; 2], rounds: u16) -> UdpSocket {
    let shared = UdpSocket::bind("127.0.0.1:0").unwrap();
    for sequence in 0..rounds {
        for browser in browsers {
            browser.send_to(&numbered(sequence), shared.local_addr().unwrap()).unwrap();
        }
    }
    shared
}

#[test]
fn packets_of_two_browsers_in_one_batch_reach_each_its_own_leg() {
    let mut shard = shard();
    let browsers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let shared = both_at_once(&browsers, 10);
    let socket = SocketId(shared.as_raw_fd());
    let legs = [1, 2].map(|id| adopt(&mut shard, id));
    for (leg, browser) in legs.iter().zip(&browsers) {
        let path = Path { socket, peer: browser.local_addr().unwrap() };
        shard.core.paths.change(HERE, PathChange::Added(path, *leg));
    }
    shard.read_shared(Duration::ZERO, socket.0, true);
    for leg in legs {
        assert!(shard.core.relay.figures(leg).unwrap().contains(&("dropped_early", Figure::Count(10))));
    }
}

#[test]
fn packets_for_a_leg_of_another_thread_are_handed_over_in_order() {
    let mut shard = shard();
    let core = &mut shard.core;
    let home = Home { shard: THERE, leg: LegId(7) };
    core.common.ufrags.name("ufrag", home);
    let mut check = check_for("ufrag", "a password of 22 chars", true);
    core.on_shared(Duration::ZERO, path(), &mut check);
    core.on_message(Message::Paths(THERE, vec![PathChange::Added(path(), home.leg)]));
    core.on_shared(Duration::ZERO, path(), &mut packet());
    core.hand_over();
    let mut messages = core.common.mailboxes[THERE].take();
    let Some(Message::Packets(mut packets)) = messages.pop() else {
        panic!("the packets were not handed over");
    };
    let mut handed = Vec::new();
    packets.visit(|leg, _, data| handed.push((leg, data.to_vec())));
    assert_eq!(handed, [(home.leg, check), (home.leg, packet())]);
}

#[test]
fn paths_of_another_threads_legs_are_told_to_the_reader_before_anything_is_sent() {
    let mut shard = shard_at(THERE);
    let added = PathChange::Added(path(), LegId(7));
    shard.core.out.paths.push(added);
    shard.core.flush();
    let mut messages = shard.core.common.mailboxes[READER].take();
    assert!(matches!(messages.pop(), Some(Message::Paths(THERE, changes)) if changes == [added]));
    assert_eq!(shard.core.home_of(path(), &packet()), Err(Dropped::UnknownSource), "only the reader knows them");
}

#[test]
fn a_leg_that_moved_gets_its_packets_on_its_new_thread() {
    let mut shard = shard();
    let core = &mut shard.core;
    core.on_message(Message::Paths(HERE, vec![PathChange::Added(path(), LegId(7))]));
    core.on_message(Message::Moved(LegId(7), THERE));
    assert_eq!(core.home_of(path(), &packet()), Ok(Home { shard: THERE, leg: LegId(7) }));
}

#[test]
fn strangers_on_the_shared_port_are_counted_by_reason() {
    let mut shard = shard();
    let core = &mut shard.core;
    core.on_shared(Duration::ZERO, path(), &mut check_for("nobody", "x", true));
    core.on_shared(Duration::ZERO, path(), &mut packet());
    core.on_shared(Duration::ZERO, path(), &mut [22, 254, 253]);
    core.on_shared(Duration::ZERO, path(), &mut [99]);
    let drops = &core.totals.drops;
    let counts = [Dropped::StunRefused, Dropped::UnknownSource, Dropped::Malformed].map(|reason| drops.of(reason));
    assert_eq!(counts, [1, 2, 1]);
    assert!(core.out.entries().is_empty(), "nobody is answered");
}

#[test]
fn dtls_that_python_does_not_take_is_counted_on_its_leg() {
    let mut shard = shard();
    let leg = adopt(&mut shard, 1);
    for _ in 0..100 {
        shard.core.out.event(leg, Event::Dtls(vec![22]));
    }
    shard.core.flush();
    let figures = shard.core.relay.figures(leg).unwrap();
    assert!(figures.contains(&("dropped_overflow", Figure::Count(68))), "32 may wait");
}

#[test]
fn packets_for_a_thread_that_does_not_read_its_mail_are_dropped_and_counted() {
    let mut shard = shard();
    let core = &mut shard.core;
    core.on_message(Message::Paths(THERE, vec![PathChange::Added(path(), LegId(7))]));
    for _ in 0..4096 {
        for _ in 0..BATCH {
            core.on_shared(Duration::ZERO, path(), &mut packet());
        }
        core.hand_over();
    }
    let mut waiting = 0;
    for message in core.common.mailboxes[THERE].take() {
        if let Message::Packets(packets) = message {
            waiting += packets.len();
        }
    }
    let dropped = usize::try_from(core.totals.drops.of(Dropped::Overflow)).unwrap();
    assert!(waiting > 0 && dropped > 0, "{waiting} wait, {dropped} dropped");
    assert_eq!(waiting + dropped, 4096 * BATCH);
}

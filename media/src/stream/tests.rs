//! Continuity: what the peer of a leg sees, whatever the source does.

use super::*;

const A: Origin = Origin { leg: LegId(1), ssrc: Ssrc(0xa) };
const B: Origin = Origin { leg: LegId(2), ssrc: Ssrc(0xb) };
const FRAME: u32 = 160;

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn stream() -> Stream {
    Stream::new(Ssrc(1), 100, 50_000)
}

fn header(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(0) }
}

fn relay(stream: &mut Stream, ms: u64, origin: Origin, sequence: u16, timestamp: u32) -> Option<(u16, u32, bool)> {
    let place = stream.relay(at(ms), origin, &header(sequence, timestamp), FRAME)?;
    Some((place.sequence.0, place.timestamp, place.marker))
}

#[test]
fn loss_and_reordering_of_the_source_are_passed_on_as_they_are() {
    let mut stream = stream();
    let (first, start, marker) = relay(&mut stream, 0, A, 65_535, 1000).unwrap();
    assert!(marker);
    assert_eq!(relay(&mut stream, 60, A, 2, 1480), Some((first + 3, start + 480, false)));
    assert_eq!(relay(&mut stream, 61, A, 1, 1320), Some((first + 2, start + 320, false)));
    assert_eq!(relay(&mut stream, 80, A, 3, 1640), Some((first + 4, start + 640, false)));
}

#[test]
fn a_call_of_an_hour_is_passed_on_to_its_last_packet() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    for n in 1..180_000_u32 {
        let number = u16::try_from(n & 0xffff).unwrap();
        let place = (first.wrapping_add(number), start + n * FRAME, false);
        let sent = relay(&mut stream, u64::from(n) * 20, A, 10_u16.wrapping_add(number), 1000 + n * FRAME);
        assert_eq!(sent, Some(place), "packet {n}");
    }
}

#[test]
fn the_clock_follows_the_source_however_long_the_gateway_has_been_up() {
    for hours in [1, 80, 120, 200] {
        let (mut stream, start) = (stream(), hours * 3_600_000);
        relay(&mut stream, start, A, 10, 1000).unwrap();
        assert_eq!(stream.free_at(), at(start + 20), "{hours} h");
    }
}

#[test]
fn a_change_of_source_continues_the_numbers_and_follows_the_time() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    assert_eq!(relay(&mut stream, 500, B, 40_000, 7), Some((first + 1, start + 4000, true)));
    assert_eq!(relay(&mut stream, 520, B, 40_001, 167), Some((first + 2, start + 4160, false)));
}

/// Found by fuzzing: a phone that counted back by 150 had its audio sent under numbers that were used already, which
/// SRTP refuses: silence until it had caught up.
#[test]
fn a_source_that_counts_back_gets_fresh_numbers() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 1000, 0).unwrap();
    for n in 1..=200_u16 {
        relay(&mut stream, u64::from(n) * 20, A, 1000 + n, u32::from(n) * 160).unwrap();
    }
    assert_eq!(relay(&mut stream, 4020, A, 1051, 201 * 160), Some((first + 201, start + 201 * 160, true)));
    assert_eq!(relay(&mut stream, 4040, A, 1052, 202 * 160), Some((first + 202, start + 202 * 160, false)));
}

#[test]
fn a_source_whose_clock_goes_back_takes_ours_not_with_it() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 50_000).unwrap();
    assert_eq!(relay(&mut stream, 20, A, 11, 45_000), Some((first + 1, start + 160, true)));
    assert_eq!(relay(&mut stream, 40, A, 12, 45_160), Some((first + 2, start + 320, false)));
}

#[test]
fn a_change_of_source_right_behind_a_packet_does_not_overlap_it() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    assert_eq!(relay(&mut stream, 1, B, 5, 99), Some((first + 1, start + FRAME, true)));
}

#[test]
fn a_source_that_restarts_its_numbering_is_followed_without_a_jump() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    assert_eq!(relay(&mut stream, 20, A, 30_000, 1160), Some((first + 1, start + 160, true)));
    let far = 1160 + 8000 * 3600;
    assert_eq!(relay(&mut stream, 40, A, 30_001, far), Some((first + 2, start + 320, true)));
}

#[test]
fn packets_from_before_a_change_are_dropped() {
    let mut stream = stream();
    relay(&mut stream, 0, A, 10, 1000);
    assert_eq!(relay(&mut stream, 1, A, 9, 840), None);
}

#[test]
fn a_packet_that_is_not_passed_on_leaves_no_hole() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    stream.skip_source_packet();
    assert_eq!(relay(&mut stream, 40, A, 12, 1320), Some((first + 1, start + 320, false)));
    assert_eq!(relay(&mut stream, 41, A, 11, 1160), None, "its number is taken");
}

#[test]
fn frames_of_ours_follow_each_other_and_the_first_is_marked() {
    let mut stream = stream();
    let first = stream.append(at(0), FRAME);
    let second = stream.append(at(35), FRAME);
    assert!(first.marker && !second.marker);
    assert_eq!(second.sequence, first.sequence.plus(1));
    assert_eq!(second.timestamp, first.timestamp + FRAME);
}

#[test]
fn comfort_noise_takes_a_frame_s_place_and_only_the_talk_behind_it_is_marked() {
    let mut stream = stream();
    let first = stream.append(at(0), FRAME);
    let noise = stream.append_noise(at(20), FRAME);
    stream.pass(FRAME);
    let again = stream.append_noise(at(60), FRAME);
    let talk = stream.append(at(80), FRAME);
    assert_eq!([noise, again, talk].map(|place| (place.timestamp - first.timestamp) / FRAME), [1, 3, 4]);
    assert_eq!([noise, again, talk].map(|place| place.marker), [false, false, true]);
    assert_eq!(talk.sequence, first.sequence.plus(3));
}

#[test]
fn a_pause_is_seen_in_the_timestamp() {
    let mut stream = stream();
    let first = stream.append(at(0), FRAME);
    stream.pause();
    let second = stream.append(at(1000), FRAME);
    assert!(second.marker);
    assert_eq!(second.timestamp, first.timestamp + 8000);
}

#[test]
fn a_digit_takes_numbers_and_the_source_continues_behind_it() {
    let mut stream = stream();
    let (first, start, _) = relay(&mut stream, 0, A, 10, 1000).unwrap();
    let event_start = stream.clock(at(20));
    assert_eq!(event_start, start + FRAME);
    for n in 1..=5 {
        let place = stream.place_event(at(20 * n), event_start);
        assert_eq!((place.sequence.0, place.timestamp), (first + u16::try_from(n).unwrap(), event_start));
    }
    assert_eq!(relay(&mut stream, 120, A, 16, 1960), Some((first + 6, start + 960, false)));
}

#[test]
fn a_changed_clock_rate_resumes() {
    let mut stream = stream();
    let first = stream.append(at(0), FRAME);
    stream.set_rate(48_000);
    let second = stream.append(at(40), 960);
    assert!(second.marker);
    assert_eq!(second.timestamp, first.timestamp + FRAME + 960);
}

#[test]
fn frames_of_a_source_that_runs_fast_do_not_eat_the_next_pause() {
    let mut stream = stream();
    (0..100).for_each(|n| {
        stream.append(at(10 * n), FRAME);
    });
    let last = stream.append(at(1000), FRAME);
    stream.pause();
    let next = stream.append(at(3000), FRAME);
    assert!(next.timestamp - last.timestamp >= 8 * 1850, "{}", next.timestamp - last.timestamp);
}

//! Comfort noise (RFC 3389) between two legs: passed on, made, or dropped.

use super::*;

const NOISY_PCMU: Format = Format { comfort_noise: Some(Pt(13)), ..PCMU };
const NOISY_PCMA: Format = Format { comfort_noise: Some(Pt(97)), ..PCMA };

fn headers(sent: &[Sent]) -> Vec<(u8, u16, u32)> {
    let header = |sent: &Sent| sent.rtp().header;
    sent.iter().map(header).map(|header| (header.payload_type.0, header.sequence.0, header.timestamp)).collect()
}

/// Talk, a silence of a second that is told of twice, and talk again.
fn talk_with_a_pause(bench: &mut Bench, leg: LegId) -> Vec<Sent> {
    let mut sent = Vec::new();
    for (sequence, n, payload_type, payload) in
        [(0, 0, 0, &[1; 160][..]), (1, 1, 13, &[70]), (2, 25, 13, &[60]), (3, 50, 0, &[2; 160])]
    {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        bench.receive(leg, packet(payload_type, sequence, n * 160, payload));
    }
    sent.extend(bench.take());
    rtp_only(sent)
}

#[test]
fn comfort_noise_is_passed_on_under_the_other_peers_payload_type_at_its_time() {
    let (mut bench, one, other) = coupled(NOISY_PCMU, Format { comfort_noise: Some(Pt(97)), ..PCMU });
    let sent = talk_with_a_pause(&mut bench, one);
    assert_eq!(headers(&sent), [(0, 1, 1), (97, 2, 161), (97, 3, 4001), (0, 4, 8001)]);
    assert_eq!(sent[1].rtp().payload, [70]);
    assert_eq!([one, other].map(|leg| bench.count(leg, "dropped_comfort_noise")), [0, 0]);
}

#[test]
fn a_peer_that_did_not_negotiate_it_gets_none_and_its_clock_stays_right() {
    let (mut bench, one, other) = coupled(NOISY_PCMU, PCMU);
    let sent = talk_with_a_pause(&mut bench, one);
    assert_eq!(headers(&sent), [(0, 1, 1), (0, 2, 8001)]);
    assert_eq!([one, other].map(|leg| bench.count(leg, "dropped_comfort_noise")), [0, 2]);
}

#[test]
fn comfort_noise_that_was_not_negotiated_is_not_passed_on() {
    let (mut bench, one, other) = coupled(PCMU, NOISY_PCMU);
    let sent = talk_with_a_pause(&mut bench, one);
    assert_eq!(headers(&sent), [(0, 1, 1), (0, 2, 8001)]);
    assert_eq!([one, other].map(|leg| bench.count(leg, "dropped_comfort_noise")), [0, 2]);
}

#[test]
fn comfort_noise_that_a_decoder_listens_to_is_not_dropped() {
    for format in [PCMU, NOISY_PCMU] {
        let (mut bench, one, other) = coupled(format, PCMA);
        talk_with_a_pause(&mut bench, one);
        assert_eq!([one, other].map(|leg| bench.count(leg, "dropped_comfort_noise")), [0, 0]);
    }
}

#[test]
fn comfort_noise_beside_a_codec_with_another_clock_is_dropped() {
    let (mut bench, one, other) = coupled(OPUS, PCMU);
    bench.say(one, 13, 0, &[70]);
    assert_eq!([one, other].map(|leg| bench.count(leg, "dropped_comfort_noise")), [1, 0]);
}

#[test]
fn silence_of_a_browser_goes_to_the_phone_as_comfort_noise() {
    let (mut bench, one, _) = coupled(OPUS, NOISY_PCMA);
    let mut sent = Vec::new();
    for n in 0..200 {
        sent.extend(bench.pass(at(20 * u64::from(n))));
        bench.receive(one, packet(111, n, u32::from(n) * 960, &[0x08]));
    }
    let sent = rtp_only([sent, bench.take()].concat());
    let noise = sent.iter().filter(|packet| packet.rtp().header.payload_type == Pt(97)).count();
    assert!((8..=10).contains(&noise), "{noise} in 3.7 s");
    assert!(sent.len() - noise <= 16, "{} of 200 frames", sent.len() - noise);
}

#[test]
fn a_peer_that_tells_of_its_silence_has_not_stopped() {
    for format in [PCMU, NOISY_PCMU] {
        let (mut bench, one, _) = coupled(format, PCMU);
        bench.say(one, 0, 0, &[1; 160]);
        bench.say(one, 13, 1, &[70]);
        bench.pass(at(10_000));
        assert!(!bench.events().contains(&(one, Event::MediaStalled)));
    }
}

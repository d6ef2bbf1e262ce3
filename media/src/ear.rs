//! What a leg's peer says, decoded for whoever listens in: recordings and the live tee. It works beside the relay and
//! never holds a packet back; a leg that nobody listens to has none.

mod anchor;

use std::time::Duration;

use crate::codec::Codec;
use crate::inbound::Media;
use crate::playout::{Kind, Listener, Playout};
use crate::rtp::Pt;
use crate::tap::{Place, TapWriter};
use anchor::Anchor;

/// The ears of one leg: one for each sampling rate that is wanted, so usually none.
#[derive(Default)]
pub struct Ears(Vec<Ear>);

impl Ears {
    /// Let somebody listen.
    pub fn add(&mut self, tap: TapWriter) {
        let rate_hz = tap.rate_hz();
        match self.0.iter_mut().find(|ear| ear.rate_hz == rate_hz) {
            Some(ear) => ear.add(tap),
            None => self.0.push(Ear { rate_hz, taps: vec![tap], hearing: None }),
        }
    }

    /// Take a packet of the leg's peer.
    pub fn hear(&mut self, now: Duration, media: &Media) {
        if self.0.is_empty() {
            return;
        }
        self.0.retain_mut(Ear::is_wanted);
        for ear in &mut self.0 {
            ear.on_packet(now, media);
        }
    }

    /// Give up packets that have been awaited long enough.
    pub fn on_timer(&mut self, now: Duration) {
        for ear in &mut self.0 {
            ear.on_timer(now);
        }
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.0.iter().filter_map(Ear::deadline).min()
    }
}

/// Decodes one leg's stream at one sampling rate.
struct Ear {
    rate_hz: u32,
    taps: Vec<TapWriter>,
    hearing: Option<Box<Hearing>>,
}

/// One stream becoming samples, each at its place.
struct Hearing {
    key: (Codec, Pt),
    playout: Playout,
    anchor: Anchor,
    /// One piece of the line.
    samples: Vec<i16>,
}

impl Ear {
    fn add(&mut self, tap: TapWriter) {
        self.taps.push(tap);
    }

    /// Whether anybody still listens.
    fn is_wanted(&mut self) -> bool {
        self.taps.retain(|tap| !tap.is_closed());
        !self.taps.is_empty()
    }

    fn on_packet(&mut self, now: Duration, media: &Media) {
        let key = (media.codec, media.audio);
        if self.hearing.as_ref().is_none_or(|hearing| hearing.key != key) {
            // Without a decoder it stays silent; the next packet tries again.
            self.hearing = Hearing::new(key, self.rate_hz).map(Box::new);
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.playout.push(now, media);
        }
        self.on_timer(now);
    }

    fn on_timer(&mut self, now: Duration) {
        let Ear { taps, hearing: Some(hearing), .. } = self else {
            return;
        };
        hearing.pull(now, &mut |place, samples| {
            for tap in &mut *taps {
                tap.write(place, samples);
            }
        });
    }

    fn deadline(&self) -> Option<Duration> {
        self.hearing.as_ref()?.playout.deadline()
    }
}

impl Hearing {
    fn new(key: (Codec, Pt), rate_hz: u32) -> Option<Hearing> {
        let playout = Playout::new(key.0, rate_hz, Listener::Later).ok()?;
        Some(Hearing { key, playout, anchor: Anchor::new(rate_hz), samples: Vec::new() })
    }

    /// Give `hear` every piece that is there, at its place.
    fn pull(&mut self, now: Duration, hear: &mut dyn FnMut(Place, &[i16])) {
        while let Some(piece) = self.playout.pull(now, &mut self.samples) {
            let anchor = self.anchor.follow(self.playout.origin(), piece.kind == Kind::Pause);
            // Only what seems to have been said before our clock began has no place.
            if let Ok(place) = Place::try_from(anchor + piece.at) {
                hear(place, &self.samples);
            }
            self.samples.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Encoder, MAX_PAYLOAD};
    use crate::path::LegId;
    use crate::rtp::{Header, Packet, SeqNo, Ssrc};
    use crate::stream::Origin;
    use crate::tap::{Tap, tap};

    const PCMU: Pt = Pt(0);
    /// µ-law of a loud sample (ITU-T G.711), and of silence.
    const LOUD: u8 = 0x80;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn listened() -> (Ears, Tap) {
        let (writer, tap) = tap(8000, at(0));
        let mut ears = Ears::default();
        ears.add(writer);
        (ears, tap)
    }

    fn hear(ears: &mut Ears, ms: u64, sequence: u16, timestamp: u32) {
        say(ears, ms, PCMU, sequence, timestamp, &[LOUD; 160]);
    }

    fn say(ears: &mut Ears, ms: u64, payload_type: Pt, sequence: u16, timestamp: u32, payload: &[u8]) {
        let header = Header { marker: false, payload_type, sequence: SeqNo(sequence), timestamp, ssrc: Ssrc(1) };
        listen(ears, ms, Codec::Pcmu, PCMU, Packet { header, payload });
    }

    fn listen(ears: &mut Ears, ms: u64, codec: Codec, audio: Pt, packet: Packet) {
        let origin = Origin { leg: LegId(1), ssrc: packet.header.ssrc };
        ears.hear(at(ms), &Media { origin, codec, audio, noise: None, packet });
    }

    /// Each millisecond from the start: whether there was sound.
    fn heard(tap: &Tap, until_ms: u64) -> String {
        let mut bytes = Vec::new();
        tap.read(at(until_ms), &mut bytes);
        let loud = |ms: &[u8]| ms.chunks_exact(2).all(|pair| i16::from_le_bytes([pair[0], pair[1]]).abs() > 1000);
        bytes.chunks_exact(16).map(|ms| if loud(ms) { '#' } else { '.' }).collect()
    }

    fn pattern(parts: &[(char, usize)]) -> String {
        parts.iter().map(|(what, ms)| what.to_string().repeat(*ms)).collect()
    }

    #[test]
    fn talk_lies_where_it_arrived_whatever_jitter_comes_after() {
        let (mut ears, tap) = listened();
        for (ms, n) in [(100, 0), (135, 1), (141, 2), (190, 3)] {
            hear(&mut ears, ms, n, u32::from(n) * 160);
        }
        assert_eq!(heard(&tap, 200), pattern(&[('.', 100), ('#', 80), ('.', 20)]));
    }

    #[test]
    fn what_a_stall_held_up_lies_where_it_belongs() {
        let (mut ears, tap) = listened();
        for n in 0..50 {
            let ms = u64::from(n) * 20;
            hear(&mut ears, if (10..40).contains(&n) { 800 } else { ms }, n, u32::from(n) * 160);
        }
        assert_eq!(heard(&tap, 1000), pattern(&[('#', 1000)]));
    }

    #[test]
    fn a_pause_of_the_sender_is_as_long_as_it_was() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        hear(&mut ears, 120, 1, 960);
        assert_eq!(heard(&tap, 140), pattern(&[('#', 20), ('.', 100), ('#', 20)]));
    }

    #[test]
    fn what_was_lost_is_concealed_and_what_is_late_is_not_awaited_for_ever() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        hear(&mut ears, 40, 2, 320);
        assert_eq!(ears.deadline(), Some(at(120)));
        ears.on_timer(at(120));
        assert_eq!(ears.deadline(), None);
        let heard = heard(&tap, 60);
        assert!(heard.starts_with(&"#".repeat(25)) && heard.ends_with(&"#".repeat(20)), "{heard}");
    }

    #[test]
    fn swapped_packets_are_put_right() {
        let (mut ears, tap) = listened();
        for n in [0, 2, 1, 3] {
            hear(&mut ears, u64::from(n) * 20, n, u32::from(n) * 160);
        }
        assert_eq!(heard(&tap, 80), pattern(&[('#', 80)]));
    }

    #[test]
    fn a_clock_that_jumps_begins_a_new_line_where_it_arrives() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        hear(&mut ears, 50, 1, 800_000);
        hear(&mut ears, 70, 2, 800_160);
        assert_eq!(heard(&tap, 90), pattern(&[('#', 20), ('.', 30), ('#', 40)]));
    }

    #[test]
    fn a_drifting_clock_is_followed() {
        let (mut ears, tap) = listened();
        let mut sound = 0;
        for n in 0..5000_u16 {
            // 1 % too slow: 20 ms of sound take 20.2 ms.
            let ms = u64::from(n) * 202 / 10;
            hear(&mut ears, ms, n, u32::from(n) * 160);
            if n % 50 == 49 {
                sound += heard(&tap, ms.saturating_sub(400)).matches('#').count();
            }
        }
        sound += heard(&tap, 101_000 + 400).matches('#').count();
        assert!(sound > 99_000, "{sound} ms of 100 s");
        assert_eq!(tap.late(), at(0));
    }

    #[test]
    fn digits_only_take_their_place_in_the_sequence_and_garbage_is_concealed() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        say(&mut ears, 20, Pt(101), 1, 160, &[5, 0x8a, 0, 160]);
        say(&mut ears, 40, PCMU, 2, 320, &[]);
        hear(&mut ears, 60, 3, 480);
        assert_eq!(heard(&tap, 80), pattern(&[('#', 20), ('.', 20), ('#', 40)]));
    }

    #[test]
    fn what_goes_on_after_a_hold_lies_where_it_arrives() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        hear(&mut ears, 2000, 100, 16_000);
        assert_eq!(heard(&tap, 2020), pattern(&[('#', 20), ('.', 1980), ('#', 20)]));
    }

    /// A source's timestamps may leave a pause out, or one of them may lie: what is said then lies where it arrives.
    #[test]
    fn a_clock_that_stood_still_or_was_ahead_costs_at_most_three_packets() {
        for (pause_ms, lie) in [(500, 0), (0, 4000)] {
            let (mut ears, tap) = listened();
            hear(&mut ears, 0, 0, 0);
            hear(&mut ears, 20, 1, 160 + lie);
            for n in 2..102 {
                hear(&mut ears, u64::from(n) * 20 + pause_ms, n, u32::from(n) * 160);
            }
            let begin = usize::try_from(40 + pause_ms).unwrap();
            let heard = heard(&tap, 2040 + pause_ms);
            let sound = heard[begin..].matches('#').count();
            assert!(sound >= 1940, "{pause_ms} {lie}: {sound} ms of 2 s\n{heard}");
        }
    }

    #[test]
    fn another_codec_and_another_ssrc_lie_where_they_arrive() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        let mut header = Header { marker: true, payload_type: Pt(8), sequence: SeqNo(7), timestamp: 9, ssrc: Ssrc(1) };
        listen(&mut ears, 30, Codec::Pcma, Pt(8), Packet { header, payload: &[0xaa; 160] });
        header.ssrc = Ssrc(2);
        listen(&mut ears, 70, Codec::Pcma, Pt(8), Packet { header, payload: &[0xaa; 160] });
        let expected = [('#', 20), ('.', 10), ('#', 20), ('.', 20), ('#', 20)];
        assert_eq!(heard(&tap, 90), pattern(&expected));
    }

    /// A word's beginning that is lost: nothing before it could be continued.
    #[test]
    fn a_lost_packet_of_opus_is_given_back_from_the_copy_in_the_next_one() {
        let mut encoder = Encoder::new(Codec::Opus, 8000, 20, 5).expect("legal");
        encoder.set_expected_loss(20);
        let (mut ears, tap) = listened();
        for n in 0..20_u16 {
            let frame: Vec<i16> = (0..160).map(|at| if n < 10 { 0 } else { [20_000, -20_000][at / 10 % 2] }).collect();
            let mut payload = [0; MAX_PAYLOAD];
            let len = encoder.encode(&frame, &mut payload).expect("a legal frame");
            let timestamp = u32::from(n) * 960;
            let header = Header { marker: n == 0, payload_type: Pt(111), sequence: SeqNo(n), timestamp, ssrc: Ssrc(1) };
            if n != 10 {
                listen(&mut ears, u64::from(n) * 20, Codec::Opus, Pt(111), Packet { header, payload: &payload[..len] });
            }
        }
        let loud = heard(&tap, 240)[200..220].matches('#').count();
        assert!(loud >= 8, "{loud} ms of the 20 that were lost");
    }

    #[test]
    fn nobody_listening_costs_nothing() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        drop(tap);
        hear(&mut ears, 20, 1, 160);
        assert!(ears.0.is_empty());
    }

    #[test]
    fn two_may_listen_and_decoding_is_done_once() {
        let (mut ears, one) = listened();
        let (writer, other) = tap(8000, at(0));
        ears.add(writer);
        hear(&mut ears, 0, 0, 0);
        assert_eq!(ears.0.len(), 1);
        assert_eq!(heard(&one, 20), heard(&other, 20));
    }
}

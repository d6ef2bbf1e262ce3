//! What a leg's peer says, decoded for whoever listens in: recordings and the live tee. It works beside the relay and
//! never holds a packet back; a leg that nobody listens to has none.

pub mod anchor;

use std::time::Duration;

use crate::codec::{Codec, Decoder};
use crate::inbound::Media;
use crate::reorder::{Output, Reorder};
use crate::rtp::{self, Packet, Pt};
use crate::stream::Origin;
use crate::tap::{Place, TapWriter, place_of};
use anchor::Anchor;

/// Packets that may wait for a missing one.
const REORDER_DEPTH: usize = 5;
/// How long they may wait. A listener is no participant: it may be patient.
const REORDER_WAIT: Duration = Duration::from_millis(100);
/// The most that is concealed; a longer gap is silence.
const MAX_CONCEAL: Duration = Duration::from_millis(120);

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

/// One stream being decoded.
struct Hearing {
    key: (Origin, Codec, Pt),
    reorder: Reorder,
    line: Line,
}

/// Behind the reorder window: a line of samples in time.
struct Line {
    audio: Pt,
    clock_rate_hz: u32,
    rate_hz: u32,
    decoder: Decoder,
    anchor: Anchor,
    samples: Vec<i16>,
    /// The RTP timestamp that continues what was decoded last, and the place of its first sample.
    next: Option<(u32, Place)>,
    /// Samples in the packet before.
    frame: usize,
    /// Packets given up before the next one.
    lost: u16,
}

/// Takes samples at their place.
type Hear<'h> = &'h mut dyn FnMut(Place, &[i16]);

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
        let key = (media.origin, media.codec, media.audio);
        if self.hearing.as_ref().is_none_or(|hearing| hearing.key != key) {
            // Without a decoder it stays silent; the next packet tries again.
            self.hearing = Hearing::new(key, self.rate_hz).map(Box::new);
        }
        let Ear { taps, hearing: Some(hearing), .. } = self else {
            return;
        };
        let Hearing { reorder, line, .. } = &mut **hearing;
        let header = &media.packet.header;
        reorder.push(now, header.ssrc.0, header.sequence.0, media.bytes, &mut |output| {
            line.take(now, output, &mut |place, samples| write(taps, place, samples));
        });
    }

    fn on_timer(&mut self, now: Duration) {
        let Ear { taps, hearing: Some(hearing), .. } = self else {
            return;
        };
        let Hearing { reorder, line, .. } = &mut **hearing;
        reorder.on_timer(now, &mut |output| {
            line.take(now, output, &mut |place, samples| write(taps, place, samples));
        });
    }

    fn deadline(&self) -> Option<Duration> {
        self.hearing.as_ref()?.reorder.deadline()
    }
}

fn write(taps: &mut [TapWriter], place: Place, samples: &[i16]) {
    for tap in taps {
        tap.write(place, samples);
    }
}

impl Hearing {
    fn new(key: (Origin, Codec, Pt), rate_hz: u32) -> Option<Hearing> {
        let (_, codec, audio) = key;
        let line = Line {
            audio,
            clock_rate_hz: codec.clock_rate_hz(),
            rate_hz,
            decoder: Decoder::new(codec, rate_hz).ok()?,
            anchor: Anchor::new(rate_hz),
            samples: Vec::new(),
            next: None,
            frame: 0,
            lost: 0,
        };
        Some(Hearing { key, reorder: Reorder::new(REORDER_DEPTH, REORDER_WAIT), line })
    }
}

impl Line {
    fn take(&mut self, now: Duration, output: Output, hear: Hear) {
        match output {
            Output::Lost(count) => self.lost = self.lost.saturating_add(count),
            Output::Restart => self.next = None,
            Output::Packet(bytes) => {
                if let Some(packet) = rtp::parse(bytes).filter(|packet| packet.header.payload_type == self.audio) {
                    self.take_audio(now, &packet, hear);
                }
            }
        }
    }

    fn take_audio(&mut self, now: Duration, packet: &Packet, hear: Hear) {
        let place = self.place(now, packet.header.timestamp);
        self.fill(place, hear);
        self.samples.clear();
        if self.decoder.decode(packet.payload, &mut self.samples).is_err() {
            return;
        }
        hear(place, &self.samples);
        self.frame = self.samples.len();
        let count = self.frame as u64;
        let ticks = count * u64::from(self.clock_rate_hz) / u64::from(self.rate_hz);
        let timestamp = packet.header.timestamp.wrapping_add(u32::try_from(ticks).unwrap_or(0));
        self.next = Some((timestamp, place + count));
    }

    /// Where a packet with this timestamp belongs. The first one belongs where it arrives; the others follow their
    /// timestamps, so that neither jitter nor waiting moves them.
    fn place(&mut self, now: Duration, timestamp: u32) -> Place {
        let Some((expected, next)) = self.next else {
            self.anchor.restart();
            return place_of(now, self.rate_hz);
        };
        let ticks = i64::from(timestamp.wrapping_sub(expected).cast_signed());
        let gap = ticks * i64::from(self.rate_hz) / i64::from(self.clock_rate_hz);
        let is_pause = self.lost == 0 && gap >= self.frame.max(1).try_into().unwrap_or(i64::MAX);
        self.anchor.place(now, next.saturating_add_signed(gap), is_pause)
    }

    /// Conceal what was lost between the packet before and `place`.
    fn fill(&mut self, place: Place, hear: Hear) {
        let lost = usize::from(std::mem::take(&mut self.lost)) * self.frame;
        let Some((_, next)) = self.next else {
            return;
        };
        let gap = usize::try_from(place.saturating_sub(next)).unwrap_or(0);
        let most = usize::try_from(place_of(MAX_CONCEAL, self.rate_hz)).unwrap_or(0);
        let count = gap.min(lost).min(most);
        if count > 0 {
            self.samples.clear();
            self.decoder.conceal(count, &mut self.samples);
            hear(next, &self.samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::LegId;
    use crate::rtp::{Header, SeqNo, Ssrc};
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
        let mut start = [0; rtp::HEADER_LEN];
        rtp::write_header(&header, &mut start);
        let bytes = [&start[..], payload].concat();
        let packet = rtp::parse(&bytes).unwrap();
        let origin = Origin { leg: LegId(1), ssrc: Ssrc(1) };
        let media = Media { origin, codec: Codec::Pcmu, audio: PCMU, packet, bytes: &bytes };
        ears.hear(at(ms), &media);
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
        assert_eq!(ears.deadline(), Some(at(140)));
        ears.on_timer(at(140));
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
    fn digits_and_garbage_only_take_their_place_in_the_sequence() {
        let (mut ears, tap) = listened();
        hear(&mut ears, 0, 0, 0);
        say(&mut ears, 20, Pt(101), 1, 160, &[5, 0x8a, 0, 160]);
        say(&mut ears, 40, PCMU, 2, 320, &[]);
        hear(&mut ears, 60, 3, 480);
        assert_eq!(heard(&tap, 80), pattern(&[('#', 20), ('.', 40), ('#', 20)]));
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

//! Listens for the tones of keys in what a leg's peer sends, and keeps them from the other side: a tone that was heard
//! goes on as a digit, so that it must not arrive as a sound as well.
//!
//! It works on packets as they arrive, before they are passed on, and holds none back. A key is known some 30 ms after its
//! beginning; the packets from then on are replaced by silence of the same length.

use std::time::Duration;

use crate::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};
use crate::command::Format;
use crate::dtmf::{Digit, ToneDetector};
use crate::rtp::{self, HEADER_LEN, Header, Pt, SeqNo};

/// Sampling rate of what the detector hears, in Hz.
const RATE_HZ: u32 = 8000;
/// A key is over when nothing at all comes for so long.
const PATIENCE: Duration = Duration::from_millis(150);
/// A gap that is longer is none, but another talk spurt, or another clock.
const MAX_GAP: u32 = 8 * 500;
/// A packet so far behind the newest comes late or twice; further behind it begins another numbering, as for the statistics
/// (RFC 3550 A.1 `MAX_MISORDER`).
const LATE: std::ops::RangeInclusive<i16> = -100..=0;

/// Listens to one peer.
pub struct KeyEar {
    codec: Codec,
    audio: Pt,
    decoder: Decoder,
    detector: ToneDetector,
    samples: Vec<i16>,
    /// SSRC, sequence number and end of the newest packet.
    newest: Option<(u32, SeqNo, u32)>,
    heard: Duration,
    silence: Option<Encoder>,
}

impl KeyEar {
    /// Listen to a peer that speaks `format`; `None` if there is no decoder for it.
    #[must_use]
    pub fn new(format: &Format) -> Option<KeyEar> {
        Some(KeyEar {
            codec: format.codec,
            audio: format.payload_type,
            decoder: Decoder::new(format.codec, RATE_HZ).ok()?,
            detector: ToneDetector::default(),
            samples: Vec::new(),
            newest: None,
            heard: Duration::ZERO,
            silence: None,
        })
    }

    /// Whether it understands this format.
    #[must_use]
    pub fn fits(&self, format: &Format) -> bool {
        (self.codec, self.audio) == (format.codec, format.payload_type)
    }

    /// What comes next belongs to another numbering.
    pub fn restart(&mut self) {
        self.newest = None;
    }

    /// Hear a plain RTP packet that the statistics accepted; its length once a tone in it has been silenced. `emit` gets the digits that ended.
    pub fn on_packet(&mut self, now: Duration, bytes: &mut [u8], emit: &mut dyn FnMut(Digit)) -> usize {
        let whole = bytes.len();
        let Some(packet) = rtp::parse(bytes).filter(|packet| packet.header.payload_type == self.audio) else {
            return whole;
        };
        if !self.catch_up(&packet.header, emit) {
            return whole;
        }
        let was_sounding = self.detector.is_sounding();
        self.samples.clear();
        let Ok(count) = self.decoder.decode(packet.payload, &mut self.samples) else {
            return whole;
        };
        let samples = u32::try_from(count).unwrap_or(0);
        let ticks = samples * (self.codec.clock_rate_hz() / RATE_HZ);
        let header = packet.header;
        self.newest = Some((header.ssrc.0, header.sequence, header.timestamp.wrapping_add(ticks)));
        self.heard = now;
        self.detector.push(&self.samples, emit);
        let room = packet.payload.len();
        let is_tone = was_sounding || self.detector.is_sounding();
        is_tone.then(|| self.hush(bytes, header, room, samples / 8)).flatten().unwrap_or(whole)
    }

    /// Tell the detector what is missing before this packet; false for one that comes late or twice.
    fn catch_up(&mut self, header: &Header, emit: &mut dyn FnMut(Digit)) -> bool {
        let Some((_, sequence, end)) = self.newest.filter(|(ssrc, ..)| *ssrc == header.ssrc.0) else {
            self.detector.lose(usize::MAX, emit);
            return true;
        };
        if LATE.contains(&header.sequence.since(sequence)) {
            return false;
        }
        let gap = header.timestamp.wrapping_sub(end) / (self.codec.clock_rate_hz() / RATE_HZ);
        if gap > MAX_GAP {
            self.detector.lose(usize::MAX, emit);
        } else if gap > 0 {
            self.detector.lose(gap as usize, emit);
        }
        true
    }

    /// Make it a packet of silence, if there is `room` for one; its new length.
    fn hush(&mut self, bytes: &mut [u8], header: Header, room: usize, frame_ms: u32) -> Option<usize> {
        if self.silence.as_ref().is_none_or(|encoder| encoder.frame_ms() != frame_ms) {
            self.silence = Encoder::new(self.codec, RATE_HZ, frame_ms, 0).ok();
        }
        let mut silence = [0; MAX_PAYLOAD];
        let encoder = self.silence.as_mut()?;
        self.samples.clear();
        self.samples.resize(encoder.frame(), 0);
        let len = encoder.encode(&self.samples, &mut silence).ok().filter(|&len| len <= room)?;
        rtp::write_header(&header, bytes.first_chunk_mut()?);
        bytes.get_mut(HEADER_LEN..HEADER_LEN + len)?.copy_from_slice(&silence[..len]);
        Some(HEADER_LEN + len)
    }

    /// The key that was held when everything stopped.
    pub fn on_timer(&mut self, now: Duration) -> Option<Digit> {
        if self.deadline()? <= now { self.detector.finish() } else { None }
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.detector.is_sounding().then_some(self.heard + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::Tones;
    use crate::rtp::Ssrc;

    /// Packets of 20 ms: silence, then a key of 100 ms, then silence.
    fn packets(codec: Codec, event: u8) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(codec, RATE_HZ, 20, 5).unwrap();
        let mut tones = Tones::default();
        let mut frame = [0; 160];
        let packet = |n: u16| {
            if n == 10 {
                assert!(tones.push(event, 100, 80));
            }
            tones.fill(&mut frame);
            let mut payload = [0; MAX_PAYLOAD];
            let len = encoder.encode(&frame, &mut payload).unwrap();
            let timestamp = u32::from(n) * 20 * (codec.clock_rate_hz() / 1000);
            let payload_type = Pt(codec.default_payload_type());
            let header = Header { marker: n == 0, payload_type, sequence: SeqNo(n), timestamp, ssrc: Ssrc(9) };
            let mut head = [0; HEADER_LEN];
            rtp::write_header(&header, &mut head);
            [&head[..], &payload[..len]].concat()
        };
        (0..30).map(packet).collect()
    }

    struct Heard {
        digits: Vec<Digit>,
        /// What the other side would decode, in milliseconds of sound.
        loud_ms: usize,
    }

    fn hear(codec: Codec, packets: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Heard {
        let mut ear = KeyEar::new(&Format::of(codec, 20)).unwrap();
        let mut decoder = Decoder::new(codec, RATE_HZ).unwrap();
        let (mut digits, mut samples) = (Vec::new(), Vec::new());
        let mut now = Duration::ZERO;
        for (ms, mut packet) in packets {
            now = Duration::from_millis(ms);
            digits.extend(ear.on_timer(now));
            let before = rtp::parse(&packet).unwrap().header;
            let len = ear.on_packet(now, &mut packet, &mut |digit| digits.push(digit));
            let after = rtp::parse(&packet[..len]).unwrap();
            assert_eq!(after.header, before);
            decoder.decode(after.payload, &mut samples).unwrap();
        }
        digits.extend(ear.on_timer(now + PATIENCE));
        assert_eq!(ear.deadline(), None);
        let loud_ms = samples.chunks(8).filter(|ms| ms.iter().any(|sample| sample.abs() > 1500)).count();
        Heard { digits, loud_ms }
    }

    fn timed(packets: Vec<Vec<u8>>) -> impl Iterator<Item = (u64, Vec<u8>)> {
        (0..).map(|n| n * 20).zip(packets)
    }

    #[test]
    fn a_key_is_told_once_and_silenced_after_40_ms() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
            for event in 0..16 {
                let heard = hear(codec, timed(packets(codec, event)));
                assert_eq!(heard.digits.len(), 1, "{codec:?} {event}");
                assert_eq!(heard.digits[0].event, event, "{codec:?}");
                assert!(heard.digits[0].duration_ms.abs_diff(100) <= 15, "{codec:?} {:?}", heard.digits);
                assert!(heard.loud_ms <= 42, "{codec:?} {event}: {} ms", heard.loud_ms);
            }
        }
    }

    #[test]
    fn lost_repeated_and_late_packets_make_no_second_key() {
        for lost in 0..30 {
            let mut some = packets(Codec::Pcmu, 7);
            let late = some.remove(lost.min(28));
            some.insert((lost + 2).min(some.len()), late);
            let twice = timed(some).flat_map(|(ms, packet)| [(ms, packet.clone()), (ms + 1, packet)]);
            let heard = hear(Codec::Pcmu, twice);
            assert_eq!(heard.digits.iter().map(|digit| digit.event).collect::<Vec<_>>(), [7], "{lost}");
        }
    }

    /// The numbers may begin anew, lower or higher, and the clock with them: keys are heard on.
    #[test]
    fn another_numbering_is_heard_on() {
        for restart in [0_u16, 5000, 15_000, 19_950, 20_029, 30_000, 60_000] {
            let mut ear = KeyEar::new(&Format::of(Codec::Pcmu, 20)).unwrap();
            let mut digits = Vec::new();
            for first in [20_000, restart] {
                ear.restart();
                for (n, (ms, mut packet)) in (first..).zip(timed(packets(Codec::Pcmu, 5))) {
                    packet[2..4].copy_from_slice(&n.to_be_bytes());
                    ear.on_packet(Duration::from_millis(ms), &mut packet, &mut |digit| digits.push(digit.event));
                }
            }
            assert_eq!(digits, [5, 5], "{restart}");
        }
    }

    /// While nothing is listened to the numbers go on, by more than half of them.
    #[test]
    fn after_a_long_time_of_not_listening_keys_are_heard() {
        let mut ear = KeyEar::new(&Format::of(Codec::Pcmu, 20)).unwrap();
        let mut digits = Vec::new();
        for skipped in [0, 40_000_u16] {
            for (n, (ms, mut packet)) in (skipped..).zip(timed(packets(Codec::Pcmu, 5))) {
                packet[2..4].copy_from_slice(&n.to_be_bytes());
                ear.on_packet(Duration::from_millis(ms), &mut packet, &mut |digit| digits.push(digit.event));
            }
        }
        assert_eq!(digits, [5, 5]);
    }

    #[test]
    fn a_key_whose_end_never_comes_is_told_all_the_same() {
        let heard = hear(Codec::Pcmu, timed(packets(Codec::Pcmu, 3)[..13].to_vec()));
        assert_eq!(heard.digits.iter().map(|digit| digit.event).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_is_no_audio_is_left_alone() {
        let mut ear = KeyEar::new(&Format::of(Codec::Pcmu, 20)).unwrap();
        let mut packet = packets(Codec::Pcma, 3)[12].clone();
        let whole = packet.clone();
        assert_eq!(ear.on_packet(Duration::ZERO, &mut packet, &mut |digit| panic!("{digit:?}")), whole.len());
        assert_eq!(packet, whole);
        assert_eq!(ear.on_packet(Duration::ZERO, &mut [1, 2, 3], &mut |digit| panic!("{digit:?}")), 3);
        assert!(KeyEar::new(&Format::of(Codec::from_name("AMR-WB/16000").unwrap(), 20)).is_none());
    }
}

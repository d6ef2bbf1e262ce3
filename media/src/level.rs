//! How loud a peer is, from a sample of its packets, and whether all that comes is silence.
//!
//! One packet in half a second is decoded beside the stream. Its decoder knows little or nothing of the packets before, so
//! the level of predictive codecs is an estimate; silence is silence all the same.

use std::cell::RefCell;
use std::time::Duration;

use crate::codec::{Codec, Decoder};
use crate::event::Event;

/// Pause between two samples.
const INTERVAL: Duration = Duration::from_millis(500);
/// Silence that deserves a word.
const LONG_SILENCE: Duration = Duration::from_millis(4500);
/// Packets within that time, at least: DTX sends fewer (RFC 6716 §2.1.9: one in 400 ms), and pauses are its nature.
const STEADY: u32 = 60;
/// Full scale of 16-bit samples, squared: 0 dBov (RFC 6465).
const FULL_SCALE: f64 = 32_768.0 * 32_768.0;
/// -70 dBov: the lowest step of A-law and the dither of an encoder lie below, the noise of a microphone above.
const AUDIBLE: f64 = FULL_SCALE * 1e-7;
/// -55 dBov: louder is speech rather than the noise between the words.
const SPEECH: f64 = FULL_SCALE * 3.2e-6;
/// Rate at which is measured, in Hz.
const RATE_HZ: u32 = 8000;

thread_local! {
    /// Decoders for all meters of a thread, of codecs that can begin with any packet: one of Opus has 18 kB.
    static DECODERS: RefCell<Vec<(Codec, Decoder)>> = const { RefCell::new(Vec::new()) };
    static SAMPLES: RefCell<Vec<i16>> = const { RefCell::new(Vec::new()) };
}

/// What one peer's audio is like.
#[derive(Default)]
pub struct Meter {
    /// For a codec that cannot begin anywhere.
    decoder: Option<(Codec, Box<Decoder>)>,
    next: Duration,
    /// When the present silence began to be watched.
    since: Option<Duration>,
    packets: u32,
    was_heard: bool,
    is_told: bool,
    speech: Mean,
    /// What is heard between the words, in a codec whose packets stand by themselves.
    noise: Mean,
}

/// A mean of mean squares: their sum, and how many they are.
#[derive(Default)]
struct Mean(f64, u32);

impl Mean {
    fn add(&mut self, power: f64) {
        *self = Mean(self.0 + power, self.1 + 1);
    }

    /// In dBov, -127 to 0 (RFC 6465 §3, with its sign); `None` of nothing.
    fn level_dbov(&self) -> Option<f64> {
        let &Mean(sum, count) = self;
        (count > 0).then(|| (10.0 * (sum / f64::from(count) / FULL_SCALE).log10()).clamp(-127.0, 0.0))
    }
}

impl Meter {
    /// Audio of the peer arrives; what is to be told about it.
    pub fn on_audio(&mut self, now: Duration, codec: Codec, payload: &[u8]) -> Option<Event> {
        self.packets = self.packets.saturating_add(1);
        if now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        let power = self.measure(codec, payload)?;
        if power >= SPEECH {
            self.speech.add(power);
        } else if matches!(codec, Codec::Pcmu | Codec::Pcma) {
            // Of a predictive codec, what is faint is far from what it was.
            self.noise.add(power);
        }
        if power >= AUDIBLE { self.hear() } else { self.miss(now) }
    }

    fn hear(&mut self) -> Option<Event> {
        self.was_heard = true;
        std::mem::take(&mut self.is_told).then_some(Event::Soundless(false))
    }

    fn miss(&mut self, now: Duration) -> Option<Event> {
        let since = *self.since.get_or_insert(now);
        let is_long = now.saturating_sub(since) >= LONG_SILENCE && self.packets >= STEADY;
        if self.was_heard || self.is_told || !is_long {
            return None;
        }
        self.is_told = true;
        Some(Event::Soundless(true))
    }

    /// The stream was interrupted: what comes is judged anew.
    pub fn restart(&mut self) {
        (self.since, self.packets) = (None, 0);
    }

    /// Level of the speech so far in dBov; `None` until there was any.
    #[must_use]
    pub fn level_dbov(&self) -> Option<f64> {
        self.speech.level_dbov()
    }

    /// Level of what was heard between the words, likewise; of G.711 only.
    #[must_use]
    pub fn noise_dbov(&self) -> Option<f64> {
        self.noise.level_dbov()
    }

    /// Mean square of a packet's samples; `None` if it cannot be decoded.
    fn measure(&mut self, codec: Codec, payload: &[u8]) -> Option<f64> {
        if matches!(codec, Codec::Opus | Codec::Pcmu | Codec::Pcma) {
            return DECODERS.with_borrow_mut(|decoders| mean_square(shared(decoders, codec)?, payload));
        }
        if self.decoder.as_ref().is_none_or(|(known, _)| *known != codec) {
            self.decoder = Some((codec, Box::new(Decoder::new(codec, RATE_HZ).ok()?)));
        }
        mean_square(&mut self.decoder.as_mut()?.1, payload)
    }
}

fn shared(decoders: &mut Vec<(Codec, Decoder)>, codec: Codec) -> Option<&mut Decoder> {
    if !decoders.iter().any(|(known, _)| *known == codec) {
        decoders.push((codec, Decoder::new(codec, RATE_HZ).ok()?));
    }
    let (_, decoder) = decoders.iter_mut().find(|(known, _)| *known == codec)?;
    decoder.reset();
    Some(decoder)
}

fn mean_square(decoder: &mut Decoder, payload: &[u8]) -> Option<f64> {
    SAMPLES.with_borrow_mut(|samples| {
        samples.clear();
        decoder.decode(payload, samples).ok()?;
        let count = u32::try_from(samples.len()).ok().filter(|count| *count > 0)?;
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
        Some(sum / f64::from(count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Encoder, MAX_PAYLOAD};

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// `count` packets of a tone of this amplitude, `gap_ms` apart; what was told, and when.
    fn listen(
        meter: &mut Meter,
        codec: Codec,
        amplitude: f64,
        from_ms: u64,
        count: u64,
        gap_ms: u64,
    ) -> Vec<(u64, Event)> {
        let mut encoder = Encoder::new(codec, RATE_HZ, 20, 5).unwrap();
        let mut told = Vec::new();
        for n in 0..count {
            let frame: Vec<i16> = (0..160_u32)
                .map(|i| {
                    #[expect(clippy::cast_possible_truncation, reason = "within 16 bits")]
                    let sample = (amplitude * (f64::from(i) * std::f64::consts::TAU / 16.0).sin()) as i16;
                    sample
                })
                .collect();
            let mut payload = [0; MAX_PAYLOAD];
            let len = encoder.encode(&frame, &mut payload).unwrap();
            let now = from_ms + n * gap_ms;
            told.extend(meter.on_audio(at(now), codec, &payload[..len]).map(|event| (now, event)));
        }
        told
    }

    #[test]
    fn the_level_is_that_of_the_samples() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
            let mut meter = Meter::default();
            assert_eq!(meter.level_dbov(), None);
            listen(&mut meter, codec, 10_362.0, 0, 200, 20);
            // 10 dB below full scale, and 3 because a sine's mean square is half of its peak's.
            let level = meter.level_dbov().unwrap();
            assert!((level + 13.0).abs() < 1.5, "{codec:?}: {level}");
            assert_eq!(meter.noise_dbov(), None);
        }
    }

    #[test]
    fn what_is_heard_between_the_words_is_noise() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut meter = Meter::default();
            listen(&mut meter, codec, 46.3, 0, 200, 20);
            let noise = meter.noise_dbov().unwrap();
            assert!((noise + 60.0).abs() < 1.5, "{codec:?}: {noise}");
            assert_eq!(meter.level_dbov(), None);
        }
    }

    #[test]
    fn silence_from_the_start_is_told_once_within_five_seconds_and_taken_back() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::Opus] {
            let mut meter = Meter::default();
            let told = listen(&mut meter, codec, 0.0, 0, 1000, 20);
            assert_eq!(told, [(4500, Event::Soundless(true))], "{codec:?}");
            assert_eq!(meter.level_dbov(), None);
            let told = listen(&mut meter, codec, 8000.0, 30_000, 100, 20);
            assert_eq!(told.len(), 1, "{codec:?}");
            assert_eq!(told[0].1, Event::Soundless(false));
            assert!(listen(&mut meter, codec, 0.0, 60_000, 1000, 20).is_empty(), "a pause is no fault");
        }
    }

    #[test]
    fn discontinuous_transmission_and_faint_noise_are_no_silence() {
        let mut meter = Meter::default();
        assert!(listen(&mut meter, Codec::Opus, 0.0, 0, 50, 400).is_empty());
        let mut meter = Meter::default();
        assert!(listen(&mut meter, Codec::Pcmu, 30.0, 0, 1000, 20).is_empty());
    }

    #[test]
    fn a_hold_begins_the_watch_again() {
        let mut meter = Meter::default();
        assert!(listen(&mut meter, Codec::Pcmu, 0.0, 0, 200, 20).is_empty());
        meter.restart();
        assert!(listen(&mut meter, Codec::Pcmu, 0.0, 60_000, 200, 20).is_empty());
        assert_eq!(listen(&mut meter, Codec::Pcmu, 0.0, 64_000, 100, 20).len(), 1);
    }
}

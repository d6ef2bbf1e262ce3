//! How loud a peer is, from a sample of its packets, and whether all that comes is silence.
//!
//! Now and then some packets in a row are kept, and the last is measured: what went before teaches the decoder of a
//! predictive codec what its encoder knows. No leg has a decoder of its own for that: one of Opus has 18 kB.

use std::cell::RefCell;
use std::time::Duration;

use crate::codec::{Codec, Decoder, MAX_PACKET_MS};
use crate::event::Event;

/// From one sample to the next until the peer was heard: silence must be told soon.
const SOON: Duration = Duration::from_millis(500);
/// From one sample to the next later on: four packets of Opus cost a tenth of a millisecond.
const LATER: Duration = Duration::from_secs(1);
/// Packets further apart are not one steady stream: DTX sends one in 400 ms (RFC 6716 §2.1.9), and pauses are its nature.
const STEADY: Duration = Duration::from_millis(MAX_PACKET_MS as u64);
/// Silence from the beginning that deserves a word.
const LONG_SILENCE: Duration = Duration::from_millis(4500);
/// Samples with a sound until a peer counts as heard: one may be the click of a line.
const HEARD: u32 = 2;
/// Silence that deserves a word when there was sound before. A peer that listens still sends the noise of its room, or its
/// network's comfort noise; one that gates even that away, or is muted for a moment, is heard within that time, as a rule.
const LONG_HUSH: Duration = Duration::from_secs(30);
/// Full scale of 16-bit samples, squared: 0 dBov (RFC 6465).
const FULL_SCALE: f64 = 32_768.0 * 32_768.0;
/// -84 dBov: not one sample in ten differs by a step of G.711, which no microphone is quiet enough for. Zeros in Opus and
/// G.729 lie below, too.
const DIGITAL_ZERO: f64 = FULL_SCALE * 4e-9;
/// -73 dBov: a decoder of G.722 makes -85 to -71 dBov of zeros, and rarely more than this.
const ZERO_IN_G722: f64 = FULL_SCALE * 5e-8;
/// -70 dBov: the lowest step of A-law and the dither of an encoder lie below, the noise of a microphone above.
const AUDIBLE: f64 = FULL_SCALE * 1e-7;
/// -55 dBov: louder is speech rather than the noise between the words.
const SPEECH: f64 = FULL_SCALE * 3.2e-6;
/// Rate at which is measured, in Hz.
const RATE_HZ: u32 = 8000;

thread_local! {
    /// For all meters of a thread. To make one takes longer than to use it: libopus asks the processor what it can, and a
    /// virtual machine asks its host.
    static OPUS: RefCell<Option<Decoder>> = RefCell::new(Decoder::new(Codec::Opus, RATE_HZ).ok());
}

/// What one peer's audio is like.
#[derive(Default)]
pub struct Meter {
    next: Duration,
    /// When the latest packet came; `None`: none since the watch began.
    last: Option<Duration>,
    /// The packets before the one to be measured, all of this codec.
    lessons: Vec<Vec<u8>>,
    codec: Option<Codec>,
    /// For how long a steady stream has been silent: at the beginning since then, later since it was heard.
    silence: Duration,
    /// The latest sample had a faint noise: if the next one has, too, it was no mistake of the measuring.
    is_faint: bool,
    /// Samples with a sound.
    audible: u32,
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
        self.pass(now, codec);
        if self.lessons.is_empty() {
            if now < self.next {
                return None;
            }
            self.next = now + if self.is_heard() { LATER } else { SOON };
        }
        if self.lessons.len() < lessons(codec) {
            self.lessons.push(payload.to_vec());
            return None;
        }
        let power = power(codec, &std::mem::take(&mut self.lessons), payload)?;
        if power >= SPEECH {
            self.speech.add(power);
        } else if lessons(codec) == 0 {
            // Of a predictive codec, what is faint is far from what it was.
            self.noise.add(power);
        }
        if power >= AUDIBLE { self.hear() } else { self.miss(is_digital_zero(codec, payload, power)) }
    }

    /// Time passes from packet to packet. What a pause covers is taken back, lest many short bursts add up.
    fn pass(&mut self, now: Duration, codec: Codec) {
        let gap = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last));
        let is_steady = gap <= STEADY;
        self.silence = if is_steady { self.silence + gap } else { self.silence.saturating_sub(gap) };
        if self.codec.replace(codec) != Some(codec) || !is_steady {
            self.lessons.clear();
        }
    }

    fn is_heard(&self) -> bool {
        self.audible >= HEARD
    }

    fn hear(&mut self) -> Option<Event> {
        self.audible = self.audible.saturating_add(1);
        if self.is_heard() {
            self.silence = Duration::ZERO;
        }
        std::mem::take(&mut self.is_told).then_some(Event::Audible)
    }

    fn miss(&mut self, is_digital_zero: bool) -> Option<Event> {
        let (long, event) = if self.is_heard() { (LONG_HUSH, Event::Hushed) } else { (LONG_SILENCE, Event::Soundless) };
        let was_faint = std::mem::replace(&mut self.is_faint, !is_digital_zero);
        if self.is_heard() && was_faint && self.is_faint {
            self.silence = Duration::ZERO;
        }
        if self.is_told || self.silence < long {
            return None;
        }
        self.is_told = true;
        Some(event)
    }

    /// The stream was interrupted: silence is counted anew.
    pub fn interrupt(&mut self) {
        (self.last, self.silence) = (None, Duration::ZERO);
        self.lessons.clear();
    }

    /// The call is answered: ringback and announcements before are not the peer's sound, nor is silence then its fault.
    pub fn restart(&mut self) -> Option<Event> {
        std::mem::take(self).is_told.then_some(Event::Audible)
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
}

/// How many packets go before the measured one, so that the level of speech is known within 1 dB.
fn lessons(codec: Codec) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma => 0,
        Codec::Opus | Codec::Foreign(_) => 3,
        // The step of its quantiser is learnt slowly: the error shrinks by 1/128 with each byte (ITU-T G.722 §3.5).
        Codec::G722 => 5,
        // A vowel is mostly a repetition of what the decoder gave before.
        Codec::G729 => 6,
    }
}

/// Whether a packet of this mean square holds no sound at all, which a peer that only listens does not send.
fn is_digital_zero(codec: Codec, payload: &[u8], power: f64) -> bool {
    match codec {
        // At rest the upper band has one code, that of a tiny positive difference; the faintest noise has all four.
        Codec::G722 => power < ZERO_IN_G722 && payload.iter().all(|code| code >> 6 == 0b11),
        _ => power < DIGITAL_ZERO,
    }
}

/// Mean square of a packet's samples; `None` if it cannot be decoded, or says that nothing is sent in this pause.
fn power(codec: Codec, lessons: &[Vec<u8>], payload: &[u8]) -> Option<f64> {
    if codec != Codec::Opus {
        return measure(&mut Decoder::new(codec, RATE_HZ).ok()?, lessons, payload);
    }
    OPUS.with_borrow_mut(|opus| {
        let decoder = opus.as_mut()?;
        decoder.reset();
        measure(decoder, lessons, payload)
    })
}

/// The same by a decoder that knows nothing yet.
fn measure(decoder: &mut Decoder, lessons: &[Vec<u8>], payload: &[u8]) -> Option<f64> {
    if decoder.is_last_before_silence(payload) {
        return None;
    }
    let mut samples = Vec::with_capacity(decoder.most());
    for lesson in lessons {
        // One that is broken teaches nothing, but harms nothing either.
        let _ = decoder.decode(lesson, &mut samples);
        samples.clear();
    }
    decoder.decode(payload, &mut samples).ok()?;
    mean_square(&samples)
}

/// Without their mean: A-law has no zero.
fn mean_square(samples: &[i16]) -> Option<f64> {
    let count = f64::from(u32::try_from(samples.len()).ok().filter(|count| *count > 0)?);
    let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / count;
    Some(samples.iter().map(|sample| (f64::from(*sample) - mean).powi(2)).sum::<f64>() / count)
}

#[cfg(test)]
mod tests;

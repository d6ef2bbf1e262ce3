//! DTMF as RTP telephone-events (RFC 4733) and as tones (ITU-T Q.23): find digits in what comes, make regular trains and
//! clean tones of what goes.

mod detector;
mod generator;
mod keypad;
mod tone;
mod tone_detector;
mod twins;

pub use detector::Detector;
pub use generator::{Generator, Packet};
pub use tone::Tones;
pub use tone_detector::ToneDetector;
pub use twins::Twins;

/// The DTMF digits in the order of their event codes (RFC 4733 §3.2).
const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The four bytes of one telephone-event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code; 0–15 are the DTMF digits 0–9 * # A–D.
    pub event: u8,
    /// E bit: the event is over.
    pub end: bool,
    /// Power below 0 dBm0, 0–63.
    pub volume: u8,
    /// How long the event has lasted, in ticks of the event's clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// The payload bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// The telephone-event in an RTP payload.
///
/// A payload may hold several (RFC 4733 §2.5.1.5), which nobody sends; bytes behind the first are ignored, lest padding become digits.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<TelephoneEvent> {
    let &[event, flags, high, low] = payload.first_chunk()?;
    Some(TelephoneEvent {
        event,
        end: flags & 0x80 != 0,
        volume: flags & 0x3f,
        duration: u16::from_be_bytes([high, low]),
    })
}

/// A digit that somebody dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// Event code, 0–15.
    pub event: u8,
    /// How long the key was held.
    pub duration_ms: u32,
}

impl Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    #[must_use]
    pub fn as_char(self) -> char {
        char::from(DIGITS[usize::from(self.event & 0x0f)])
    }
}

/// How a digit travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// telephone-event in RTP (RFC 4733).
    Event,
    /// The body of a SIP INFO (RFC 6086).
    Info,
    /// Two tones in the audio (ITU-T Q.23).
    Tone,
}

impl Form {
    /// Its name in the configuration and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "rfc4733",
            Self::Info => "info",
            Self::Tone => "inband",
        }
    }

    /// The form of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Event, Self::Info, Self::Tone].into_iter().find(|form| form.name() == name)
    }
}

/// Event code of a dialled character; lower-case a–d are taken too.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let position = DIGITS.iter().position(|&known| char::from(known) == digit.to_ascii_uppercase())?;
    u8::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_as_it_is_written() {
        let event = TelephoneEvent { event: 11, end: true, volume: 10, duration: 1600 };
        assert_eq!(event.to_bytes(), [11, 0x8a, 0x06, 0x40]);
        assert_eq!(parse(&event.to_bytes()), Some(event));
        assert_eq!(parse(&[11, 0xca, 0x06, 0x40, 0, 0]), Some(event));
        assert_eq!(parse(&[11, 0x8a, 0x06]), None);
    }

    #[test]
    fn digits_and_codes_are_two_names_of_one_thing() {
        for event in 0..16 {
            assert_eq!(event_of(Digit { event, duration_ms: 0 }.as_char()), Some(event));
        }
        assert_eq!(event_of('d'), Some(15));
        assert_eq!(event_of('E'), None);
        assert_eq!(event_of('é'), None);
    }
}

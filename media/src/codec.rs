//! The codecs we speak: decoders and encoders, with mono samples at 8 or 16 kHz between them (design.md D6).

pub mod comfort_noise;
mod decoder;
mod encoder;
mod fade;
mod g711;
pub mod g722;
pub mod plc;
mod prediction;
pub mod resample;
mod transcoder;

use std::fmt;

pub use decoder::{Decoder, MAX_PACKET_MS, Undecodable};
pub use encoder::{Encoder, MAX_PAYLOAD};
pub use transcoder::Transcoder;

/// An audio codec of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 6716, RTP payload format RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
}

impl Codec {
    /// The codec of this `a=rtpmap` encoding name, whatever its case (RFC 8866 §6.6).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Opus, Self::Pcmu, Self::Pcma].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Encoding name as in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// RTP clock rate in Hz; 48000 for Opus whatever its inner rate (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8000,
        }
    }

    /// Payload type: the static one of RFC 3551 §6, or browsers' usual 111 for Opus.
    #[must_use]
    pub const fn default_payload_type(self) -> u8 {
        match self {
            Self::Opus => 111,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Whether samples at this rate go in and come out.
    fn check_rate(self, rate_hz: u32) -> Result<(), CodecError> {
        match (self, rate_hz) {
            (_, 8000) | (Self::Opus, 16_000) => Ok(()),
            _ => Err(CodecError::Rate(rate_hz)),
        }
    }
}

/// Why a decoder or encoder could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// ptime outside 5..=120 ms.
    Ptime(u32),
    /// An inner rate in Hz that the codec does not work at.
    Rate(u32),
    /// So many samples are no frame.
    Frame(usize),
    /// libopus refused, with its error code.
    Opus(i32),
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ptime(ptime_ms) => write!(formatter, "ptime is {ptime_ms} ms, it must be 5 to 120 ms"),
            Self::Rate(rate_hz) => write!(formatter, "the codec does not work on samples at {rate_hz} Hz"),
            Self::Frame(count) => write!(formatter, "{count} samples are no frame of the codec"),
            Self::Opus(code) => write!(formatter, "libopus refused with error {code}"),
        }
    }
}

impl std::error::Error for CodecError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        assert_eq!(Codec::from_name("OPUS"), Some(Codec::Opus));
        assert_eq!(Codec::from_name("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G722"), None);
    }
}

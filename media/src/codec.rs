//! The codecs we speak: decoders and encoders, with mono samples at 8 or 16 kHz between them (design.md D6).

pub mod comfort_noise;
mod decoder;
mod encoder;
mod foreign;
mod g711;
pub mod g722;
#[cfg(feature = "g729")]
mod g729;
#[cfg(feature = "g729")]
mod g729_ffi;
mod opus_voice;
pub mod plc;
mod prediction;
pub mod quiet;
pub mod resample;
#[cfg(feature = "g729")]
mod telephone_band;
#[cfg(test)]
pub(crate) mod testvoice;

use std::fmt;

pub use decoder::{Decoder, MAX_PACKET_MS, Undecodable};
pub use encoder::{Encoder, MAX_PAYLOAD};
pub use foreign::Foreign;

/// An audio codec of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 6716, RTP payload format RFC 7587).
    Opus,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2).
    G722,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
    /// G.729 with its annexes A and B (RFC 3551 §4.5.6); transcoded only when built with the feature `g729`.
    G729,
    /// One that we do not speak, but pass on between two legs that share it.
    Foreign(Foreign),
}

/// The codecs that we know by name.
const KNOWN: [Codec; 5] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::G729];

impl Codec {
    /// The codec of this `a=rtpmap` encoding name, whatever its case (RFC 8866 §6.6). One that we do not know is
    /// written as there, with its clock rate and perhaps channels: `AMR-WB/16000`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let known = KNOWN.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
        known.or_else(|| Foreign::parse(name).map(Self::Foreign))
    }

    /// Encoding name as in `a=rtpmap`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G729 => "G729",
            Self::Foreign(foreign) => foreign.name(),
        }
    }

    /// RTP clock rate in Hz: 48000 for Opus whatever its inner rate (RFC 7587 §4.1), 8000 for G.722 by an old mistake
    /// (RFC 3551 §4.5.2).
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma | Self::G729 => 8000,
            Self::Foreign(foreign) => foreign.clock_rate_hz(),
        }
    }

    /// Payload type: the static one of RFC 3551 §6, or a dynamic one; browsers' usual 111 for Opus.
    #[must_use]
    pub const fn default_payload_type(self) -> u8 {
        match self {
            Self::Opus => 111,
            Self::G722 => 9,
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G729 => 18,
            Self::Foreign(_) => 96,
        }
    }

    /// Sampling rate of its voice as far as we use it, in Hz (design.md D6).
    #[must_use]
    pub const fn voice_rate_hz(self) -> u32 {
        match self {
            Self::Opus | Self::G722 => 16_000,
            Self::Pcmu | Self::Pcma | Self::G729 | Self::Foreign(_) => 8000,
        }
    }

    /// Whether we can decode and encode it.
    #[must_use]
    pub const fn is_transcoded(self) -> bool {
        match self {
            Self::Opus | Self::G722 | Self::Pcmu | Self::Pcma => true,
            Self::G729 => cfg!(feature = "g729"),
            Self::Foreign(_) => false,
        }
    }

    /// The names of the codecs that can be decoded and encoded.
    pub fn transcoded() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().filter(|codec| codec.is_transcoded()).map(Self::name)
    }
}

/// Whether samples at this rate go in and come out.
fn check_rate(rate_hz: u32) -> Result<(), CodecError> {
    if matches!(rate_hz, 8000 | 16_000) { Ok(()) } else { Err(CodecError::Rate(rate_hz)) }
}

/// The sampling rate between two codecs: that of the narrower one, so that nothing is computed that nobody hears (D6).
#[must_use]
pub fn inner_rate_hz(from: Codec, to: Codec) -> u32 {
    from.voice_rate_hz().min(to.voice_rate_hz())
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
    /// bcg729 got no memory.
    G729,
    /// There is no decoder or encoder for it in this build.
    NotBuiltIn,
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ptime(ptime_ms) => write!(formatter, "ptime is {ptime_ms} ms, it must be 5 to 120 ms"),
            Self::Rate(rate_hz) => write!(formatter, "the codec does not work on samples at {rate_hz} Hz"),
            Self::Frame(count) => write!(formatter, "{count} samples are no frame of the codec"),
            Self::Opus(code) => write!(formatter, "libopus refused with error {code}"),
            Self::G729 => write!(formatter, "bcg729 got no memory"),
            Self::NotBuiltIn => write!(formatter, "the codec is not built in"),
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
        assert_eq!(Codec::from_name("g722"), Some(Codec::G722));
        assert_eq!(Codec::from_name("speex"), None);
    }

    #[test]
    fn a_codec_that_we_do_not_speak_has_its_clock_in_its_name() {
        let codec = Codec::from_name("AMR-WB/16000").expect("name and clock");
        assert_eq!((codec.name(), codec.clock_rate_hz()), ("AMR-WB/16000", 16_000));
        assert!(!codec.is_transcoded());
        assert_eq!(Codec::from_name("amr-wb/16000"), Some(codec));
        assert_eq!(Decoder::new(codec, 8000).err(), Some(CodecError::NotBuiltIn));
        assert_eq!(Encoder::new(codec, 8000, 20, 5).err(), Some(CodecError::NotBuiltIn));
    }

    #[test]
    fn the_narrower_side_sets_the_inner_rate() {
        assert_eq!(inner_rate_hz(Codec::Opus, Codec::G722), 16_000);
        assert_eq!(inner_rate_hz(Codec::G722, Codec::Pcma), 8000);
    }
}

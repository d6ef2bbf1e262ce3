//! The codecs we speak and the transcoder between them, at 8 kHz mono inside (design.md D6).

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
    /// The codec of this `a=rtpmap` name, whatever its case.
    #[must_use]
    pub fn from_name(_name: &str) -> Option<Self> {
        unimplemented!()
    }

    /// Encoding name as in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        unimplemented!()
    }

    /// RTP clock rate in Hz; 48000 for Opus whatever its inner rate (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        unimplemented!()
    }

    /// Payload type: the static one of RFC 3551, or browsers' usual 111 for Opus.
    #[must_use]
    pub const fn default_payload_type(self) -> u8 {
        unimplemented!()
    }
}

/// Why a transcoder could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// ptime outside 5..=200 ms.
    Ptime(u32),
    /// libopus refused, with its error code.
    Opus(i32),
}

/// Takes payloads of one codec, gives payloads of another, cut into frames of one length.
pub struct Transcoder {}

impl Transcoder {
    /// `complexity` (0–10) matters only towards Opus.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn new(_from: Codec, _to: Codec, _ptime_ms: u32, _complexity: i32) -> Result<Self, CodecError> {
        unimplemented!()
    }

    /// One payload in, in order; `emit(payload, duration in target RTP ticks)` for each whole frame out.
    pub fn push(&mut self, _payload: &[u8], _emit: &mut dyn FnMut(&[u8], u32)) {
        unimplemented!()
    }

    /// `samples_8k` samples (at 8 kHz) are lost for good: fill the gap with concealment.
    pub fn conceal(&mut self, _samples_8k: u32, _emit: &mut dyn FnMut(&[u8], u32)) {
        unimplemented!()
    }

    /// Give out a last short frame, filled up with silence: the talk spurt is over or the source changed.
    pub fn flush(&mut self, _emit: &mut dyn FnMut(&[u8], u32)) {
        unimplemented!()
    }

    /// Samples at 8 kHz in the most recent payload pushed; what one lost packet most likely held.
    #[must_use]
    pub fn last_samples_8k(&self) -> u32 {
        unimplemented!()
    }

    /// Tell the Opus encoder the loss its receiver sees; above 0 turns in-band FEC on.
    pub fn set_expected_loss(&mut self, _percent: u8) {
        unimplemented!()
    }

    /// Payloads that could not be decoded or encoded, since creation.
    #[must_use]
    pub fn errors(&self) -> u64 {
        unimplemented!()
    }
}

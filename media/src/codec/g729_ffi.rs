//! The few functions of bcg729 that we call, behind two owning types (ITU-T G.729 with annexes A and B).
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

/// Samples of a frame: 10 ms at 8 kHz.
pub(super) const FRAME: usize = 80;
/// Bytes of a frame of voice.
pub(super) const VOICE: usize = 10;
/// Bytes of a description of silence (annex B).
pub(super) const SILENCE: usize = 2;

/// bcg729's state behind the C pointer; never seen from Rust.
#[repr(C)]
struct RawEncoder {
    opaque: [u8; 0],
}
/// As [`RawEncoder`].
#[repr(C)]
struct RawDecoder {
    opaque: [u8; 0],
}

// Linked by build.rs through pkg-config; as in bcg729/encoder.h and bcg729/decoder.h.
unsafe extern "C" {
    fn initBcg729EncoderChannel(enable_vad: u8) -> *mut RawEncoder;
    fn closeBcg729EncoderChannel(encoder: *mut RawEncoder);
    fn bcg729Encoder(encoder: *mut RawEncoder, samples: *const i16, bits: *mut u8, length: *mut u8);
    fn initBcg729DecoderChannel() -> *mut RawDecoder;
    fn closeBcg729DecoderChannel(decoder: *mut RawDecoder);
    fn bcg729Decoder(
        decoder: *mut RawDecoder,
        bits: *const u8,
        length: u8,
        is_erased: u8,
        is_silence: u8,
        is_rfc3389: u8,
        samples: *mut i16,
    );
}

/// An encoder without voice activity detection, as `annexb=no` promises.
pub(super) struct Encoder {
    raw: NonNull<RawEncoder>,
}

// SAFETY: the state is owned by this value alone, and bcg729 has no global or thread-local state that it changes.
unsafe impl Send for Encoder {}

impl Encoder {
    /// `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: takes a flag and gives a new state or null.
        NonNull::new(unsafe { initBcg729EncoderChannel(0) }).map(|raw| Self { raw })
    }

    pub(super) fn encode(&mut self, samples: &[i16; FRAME], bits: &mut [u8; VOICE]) {
        let mut length = 0;
        // SAFETY: the state is live; bcg729 reads 80 samples and writes at most 10 bytes and the length.
        unsafe { bcg729Encoder(self.raw.as_ptr(), samples.as_ptr(), bits.as_mut_ptr(), &raw mut length) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: made by initBcg729EncoderChannel, closed once.
        unsafe { closeBcg729EncoderChannel(self.raw.as_ptr()) }
    }
}

/// A decoder.
pub(super) struct Decoder {
    raw: NonNull<RawDecoder>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Decoder {
    /// `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: gives a new state or null.
        NonNull::new(unsafe { initBcg729DecoderChannel() }).map(|raw| Self { raw })
    }

    /// A frame of voice.
    pub(super) fn voice(&mut self, bits: &[u8; VOICE], samples: &mut [i16; FRAME]) {
        self.run(bits, false, samples);
    }

    /// A description of silence: the noise that it means.
    pub(super) fn silence(&mut self, bits: [u8; SILENCE], samples: &mut [i16; FRAME]) {
        self.run(&bits, true, samples);
    }

    /// A frame that never came: concealment after voice, more noise after silence.
    pub(super) fn erased(&mut self, samples: &mut [i16; FRAME]) {
        // SAFETY: the state is live; of an erased frame no bits are read; bcg729 writes 80 samples.
        unsafe { bcg729Decoder(self.raw.as_ptr(), ptr::null(), 0, 1, 0, 0, samples.as_mut_ptr()) }
    }

    fn run<const LENGTH: usize>(&mut self, bits: &[u8; LENGTH], is_silence: bool, samples: &mut [i16; FRAME]) {
        const { assert!(LENGTH == VOICE || LENGTH == SILENCE) }
        #[expect(clippy::cast_possible_truncation, reason = "10 or 2")]
        let length = LENGTH as u8;
        // SAFETY: the state is live; bcg729 reads 10 bytes of voice or, with the flag, 2 of silence, which both callers
        // give; it writes 80 samples.
        unsafe {
            bcg729Decoder(self.raw.as_ptr(), bits.as_ptr(), length, 0, u8::from(is_silence), 0, samples.as_mut_ptr());
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by initBcg729DecoderChannel, closed once.
        unsafe { closeBcg729DecoderChannel(self.raw.as_ptr()) }
    }
}

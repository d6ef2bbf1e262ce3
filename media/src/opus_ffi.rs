//! The few functions of libopus that we call, behind two owning types. Of the codecs only this and `g729_ffi` are `unsafe`.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

/// libopus's state behind the C pointer; never seen from Rust.
#[repr(C)]
struct RawEncoder {
    opaque: [u8; 0],
}
/// As [`RawEncoder`].
#[repr(C)]
struct RawDecoder {
    opaque: [u8; 0],
}

// Linked by build.rs through pkg-config. opus_int32 is int32_t, opus_int16 int16_t (opus_types.h).
unsafe extern "C" {
    fn opus_encoder_create(rate: i32, channels: c_int, application: c_int, error: *mut c_int) -> *mut RawEncoder;
    fn opus_encoder_destroy(encoder: *mut RawEncoder);
    fn opus_encoder_ctl(encoder: *mut RawEncoder, request: c_int, ...) -> c_int;
    fn opus_encode(
        encoder: *mut RawEncoder,
        pcm: *const i16,
        frame_size: c_int,
        data: *mut u8,
        max_data_bytes: i32,
    ) -> i32;
    fn opus_decoder_create(rate: i32, channels: c_int, error: *mut c_int) -> *mut RawDecoder;
    fn opus_decoder_destroy(decoder: *mut RawDecoder);
    fn opus_decoder_ctl(decoder: *mut RawDecoder, request: c_int, ...) -> c_int;
    fn opus_decoder_get_nb_samples(decoder: *const RawDecoder, packet: *const u8, len: i32) -> c_int;
    fn opus_decode(
        decoder: *mut RawDecoder,
        data: *const u8,
        len: i32,
        pcm: *mut i16,
        frame_size: c_int,
        decode_fec: c_int,
    ) -> c_int;
}

// Values of opus_defines.h.
const APPLICATION_VOIP: c_int = 2048;
const SIGNAL_VOICE: i32 = 3001;
const ALLOC_FAIL: c_int = -7;
const RESET_STATE: c_int = 4028;

/// A setting of the encoder that takes one integer (`opus_encoder_ctl`).
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Setting {
    Bitrate = 4002,
    Vbr = 4006,
    Complexity = 4010,
    InbandFec = 4012,
    PacketLossPercent = 4014,
    Dtx = 4016,
    Signal = 4024,
}

/// The error code of libopus, negative.
pub(crate) type OpusError = c_int;

/// An encoder for mono voice.
pub(crate) struct Encoder {
    raw: NonNull<RawEncoder>,
}

// SAFETY: the state is owned by this value alone and libopus keeps no thread-local data about it.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder of voice at `rate_hz` (8000, 12000, 16000, 24000 or 48000).
    pub(crate) fn new(rate_hz: i32) -> Result<Self, OpusError> {
        let mut error = ALLOC_FAIL;
        // SAFETY: `error` outlives the call; any rate is allowed, a wrong one gives null and an error.
        let raw = unsafe { opus_encoder_create(rate_hz, 1, APPLICATION_VOIP, &raw mut error) };
        let mut encoder = NonNull::new(raw).map(|raw| Self { raw }).ok_or(error)?;
        encoder.set(Setting::Signal, SIGNAL_VOICE)?;
        Ok(encoder)
    }

    pub(crate) fn set(&mut self, setting: Setting, value: i32) -> Result<(), OpusError> {
        // SAFETY: the encoder is live and every `Setting` takes exactly one opus_int32.
        let result = unsafe { opus_encoder_ctl(self.raw.as_ptr(), setting as c_int, value) };
        if result < 0 { Err(result) } else { Ok(()) }
    }

    /// Forget every frame so far; the settings stay.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the encoder is live and this request takes no argument. It cannot fail.
        unsafe { opus_encoder_ctl(self.raw.as_ptr(), RESET_STATE) };
    }

    /// Encode one frame; its length must be one that Opus knows. Returns the payload's length.
    pub(crate) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Result<usize, OpusError> {
        let frame_size = c_int::try_from(samples.len()).unwrap_or(0);
        let room = i32::try_from(payload.len()).unwrap_or(i32::MAX);
        // SAFETY: libopus reads `frame_size` mono samples and writes at most `room` bytes, both within the slices.
        let result =
            unsafe { opus_encode(self.raw.as_ptr(), samples.as_ptr(), frame_size, payload.as_mut_ptr(), room) };
        usize::try_from(result).map_err(|_| result)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: created by opus_encoder_create, destroyed once.
        unsafe { opus_encoder_destroy(self.raw.as_ptr()) }
    }
}

/// A decoder to mono; stereo packets are mixed down by libopus.
pub(crate) struct Decoder {
    raw: NonNull<RawDecoder>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder that gives samples at `rate_hz` (8000, 12000, 16000, 24000 or 48000).
    pub(crate) fn new(rate_hz: i32) -> Result<Self, OpusError> {
        let mut error = ALLOC_FAIL;
        // SAFETY: `error` outlives the call; any rate is allowed, a wrong one gives null and an error.
        let raw = unsafe { opus_decoder_create(rate_hz, 1, &raw mut error) };
        NonNull::new(raw).map(|raw| Self { raw }).ok_or(error)
    }

    /// Forget every packet so far.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the decoder is live and this request takes no argument. It cannot fail.
        unsafe { opus_decoder_ctl(self.raw.as_ptr(), RESET_STATE) };
    }

    /// How many samples a packet gives: up to 120 ms (RFC 6716 §3.2.5).
    pub(crate) fn samples_of(&self, payload: &[u8]) -> Result<usize, OpusError> {
        let len = i32::try_from(payload.len()).unwrap_or(0);
        // SAFETY: the decoder is live; libopus reads at most `len` bytes, all of the slice.
        let result = unsafe { opus_decoder_get_nb_samples(self.raw.as_ptr(), payload.as_ptr(), len) };
        usize::try_from(result).map_err(|_| result)
    }

    /// Decode one packet; returns the number of samples, never more than `samples` holds.
    pub(crate) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> Result<usize, OpusError> {
        let len = i32::try_from(payload.len()).unwrap_or(0);
        self.run(payload.as_ptr(), len, samples, 0)
    }

    /// Decode the copy that `next` carries of the audio before it (in-band FEC): `samples.len()` samples, a multiple of
    /// 2.5 ms; what it does not carry is concealed.
    pub(crate) fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> Result<usize, OpusError> {
        let len = i32::try_from(next.len()).unwrap_or(0);
        self.run(next.as_ptr(), len, samples, 1)
    }

    /// Invent `samples.len()` samples for a lost packet; a multiple of 2.5 ms.
    pub(crate) fn conceal(&mut self, samples: &mut [i16]) -> Result<usize, OpusError> {
        self.run(ptr::null(), 0, samples, 0)
    }

    fn run(&mut self, data: *const u8, len: i32, samples: &mut [i16], fec: c_int) -> Result<usize, OpusError> {
        let room = c_int::try_from(samples.len()).unwrap_or(c_int::MAX);
        // SAFETY: `data` is null with length 0 or points to `len` readable bytes (all callers); libopus writes at most
        // `room` mono samples, which `samples` holds.
        let result = unsafe { opus_decode(self.raw.as_ptr(), data, len, samples.as_mut_ptr(), room, fec) };
        usize::try_from(result).map_err(|_| result)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: created by opus_decoder_create, destroyed once.
        unsafe { opus_decoder_destroy(self.raw.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_values() {
        assert!(Encoder::new(8001).is_err());
        assert!(Decoder::new(0).is_err());
        let mut encoder = Encoder::new(8000).expect("libopus is there");
        assert!(encoder.set(Setting::Complexity, 11).is_err());
        assert!(encoder.encode(&[0; 161], &mut [0; 100]).is_err());
        assert!(encoder.encode(&[], &mut []).is_err());
        let mut decoder = Decoder::new(8000).expect("libopus is there");
        assert!(decoder.samples_of(&[]).is_err());
        assert!(decoder.decode(&[0xff, 0xff], &mut [0; 960]).is_err());
        assert!(decoder.decode(&[0x08; 30], &mut [0; 10]).is_err());
    }

    #[test]
    fn silence_goes_round() {
        let mut encoder = Encoder::new(8000).expect("libopus is there");
        let mut decoder = Decoder::new(8000).expect("libopus is there");
        let mut payload = [0; 200];
        let len = encoder.encode(&[0; 160], &mut payload).expect("a legal frame");
        let mut samples = [1; 960];
        assert_eq!(decoder.samples_of(&payload[..len]), Ok(160));
        assert_eq!(decoder.decode(&payload[..len], &mut samples), Ok(160));
        assert!(samples[..160].iter().all(|sample| sample.abs() < 8));
        assert_eq!(decoder.conceal(&mut samples[..160]), Ok(160));
    }
}

//! The few functions of libopus that we call, behind two owning types. Of the codecs only this and `g729_ffi` are `unsafe`.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};
use std::slice;

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
    fn opus_encoder_get_size(channels: c_int) -> c_int;
    fn opus_encoder_init(encoder: *mut RawEncoder, rate: i32, channels: c_int, application: c_int) -> c_int;
    fn opus_encoder_ctl(encoder: *mut RawEncoder, request: c_int, ...) -> c_int;
    fn opus_encode(
        encoder: *mut RawEncoder,
        pcm: *const i16,
        frame_size: c_int,
        data: *mut u8,
        max_data_bytes: i32,
    ) -> i32;
    fn opus_decoder_get_size(channels: c_int) -> c_int;
    fn opus_decoder_init(decoder: *mut RawDecoder, rate: i32, channels: c_int) -> c_int;
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
    Signal = 4024,
}

/// The error code of libopus, negative.
pub(crate) type OpusError = c_int;

/// The state of one encoder or decoder, in pages of its own.
///
/// libopus clears all of it at first, and voice never needs more than three quarters of an encoder again: the pages that
/// are still blank after `init` take no memory until something is written to them.
struct State<T> {
    raw: NonNull<T>,
    len: usize,
}

impl<T> State<T> {
    /// `len` bytes made a state by `init`, which gives an error code.
    fn new(len: c_int, init: impl FnOnce(*mut T) -> c_int) -> Result<Self, OpusError> {
        let len = usize::try_from(len).map_err(|_| ALLOC_FAIL)?;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever the kernel finds room.
        let memory = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(ALLOC_FAIL);
        }
        let state = Self { raw: NonNull::new(memory.cast()).ok_or(ALLOC_FAIL)?, len };
        let result = init(state.raw.as_ptr());
        if result < 0 {
            return Err(result);
        }
        state.give_back_blank_pages();
        Ok(state)
    }

    fn give_back_blank_pages(&self) {
        // SAFETY: the mapping is live for as long as `self`, and nothing else is in it.
        let bytes = unsafe { slice::from_raw_parts(self.raw.as_ptr().cast::<u8>(), self.len) };
        for page in bytes.chunks(page_len()).filter(|page| page.iter().all(|byte| *byte == 0)) {
            // SAFETY: `page` begins at a page of the mapping; it reads as zeros afterwards as it does now.
            unsafe { libc::madvise(page.as_ptr().cast_mut().cast(), page.len(), libc::MADV_DONTNEED) };
        }
    }
}

fn page_len() -> usize {
    // SAFETY: it only answers.
    let len = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(len).ok().filter(|len| *len > 0).unwrap_or(usize::MAX)
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, unmapped once. libopus's own destructors only free the memory.
        unsafe { libc::munmap(self.raw.as_ptr().cast(), self.len) };
    }
}

/// An encoder for mono voice.
pub(crate) struct Encoder {
    state: State<RawEncoder>,
}

// SAFETY: the state is owned by this value alone and libopus keeps no thread-local data about it.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder of voice at `rate_hz` (8000, 12000, 16000, 24000 or 48000).
    pub(crate) fn new(rate_hz: i32) -> Result<Self, OpusError> {
        // SAFETY: it only computes.
        let len = unsafe { opus_encoder_get_size(1) };
        // SAFETY: `raw` has room for an encoder; any rate is allowed, a wrong one gives an error.
        let init = |raw| unsafe { opus_encoder_init(raw, rate_hz, 1, APPLICATION_VOIP) };
        let mut encoder = Self { state: State::new(len, init)? };
        encoder.set(Setting::Signal, SIGNAL_VOICE)?;
        Ok(encoder)
    }

    pub(crate) fn set(&mut self, setting: Setting, value: i32) -> Result<(), OpusError> {
        // SAFETY: the encoder is live and every `Setting` takes exactly one opus_int32.
        let result = unsafe { opus_encoder_ctl(self.state.raw.as_ptr(), setting as c_int, value) };
        if result < 0 { Err(result) } else { Ok(()) }
    }

    /// Forget every frame so far; the settings stay.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the encoder is live and this request takes no argument. It cannot fail.
        unsafe { opus_encoder_ctl(self.state.raw.as_ptr(), RESET_STATE) };
    }

    /// Encode one frame; its length must be one that Opus knows. Returns the payload's length.
    pub(crate) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Result<usize, OpusError> {
        let frame_size = c_int::try_from(samples.len()).unwrap_or(0);
        let room = i32::try_from(payload.len()).unwrap_or(i32::MAX);
        // SAFETY: libopus reads `frame_size` mono samples and writes at most `room` bytes, both within the slices.
        let result =
            unsafe { opus_encode(self.state.raw.as_ptr(), samples.as_ptr(), frame_size, payload.as_mut_ptr(), room) };
        usize::try_from(result).map_err(|_| result)
    }
}

/// A decoder to mono; stereo packets are mixed down by libopus.
pub(crate) struct Decoder {
    state: State<RawDecoder>,
}

// SAFETY: as for `Encoder`.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder that gives samples at `rate_hz` (8000, 12000, 16000, 24000 or 48000).
    pub(crate) fn new(rate_hz: i32) -> Result<Self, OpusError> {
        // SAFETY: it only computes.
        let len = unsafe { opus_decoder_get_size(1) };
        // SAFETY: `raw` has room for a decoder; any rate is allowed, a wrong one gives an error.
        let init = |raw| unsafe { opus_decoder_init(raw, rate_hz, 1) };
        Ok(Self { state: State::new(len, init)? })
    }

    /// Forget every packet so far.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the decoder is live and this request takes no argument. It cannot fail.
        unsafe { opus_decoder_ctl(self.state.raw.as_ptr(), RESET_STATE) };
    }

    /// How many samples a packet gives: up to 120 ms (RFC 6716 §3.2.5).
    pub(crate) fn samples_of(&self, payload: &[u8]) -> Result<usize, OpusError> {
        let len = i32::try_from(payload.len()).unwrap_or(0);
        // SAFETY: the decoder is live; libopus reads at most `len` bytes, all of the slice.
        let result = unsafe { opus_decoder_get_nb_samples(self.state.raw.as_ptr(), payload.as_ptr(), len) };
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
        let result = unsafe { opus_decode(self.state.raw.as_ptr(), data, len, samples.as_mut_ptr(), room, fec) };
        usize::try_from(result).map_err(|_| result)
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
    fn pages_that_voice_does_not_need_take_no_memory() {
        let mut encoder = Encoder::new(8000).expect("libopus is there");
        for _ in 0..50 {
            encoder.encode(&[1000; 160], &mut [0; 200]).expect("a legal frame");
        }
        let mut pages = vec![0_u8; encoder.state.len.div_ceil(page_len())];
        // SAFETY: the mapping is live, and there is a byte for each of its pages.
        let result = unsafe { libc::mincore(encoder.state.raw.as_ptr().cast(), encoder.state.len, pages.as_mut_ptr()) };
        assert_eq!(result, 0);
        let resident = pages.iter().filter(|page| **page & 1 == 1).count();
        assert!(resident > 0 && (resident < pages.len() || pages.len() < 4), "{resident} of {}", pages.len());
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

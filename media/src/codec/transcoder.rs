//! From one codec to another: decode, cut into frames of the wanted length, encode.

use super::decoder::Decoder;
use super::encoder::{Encoder, MAX_PAYLOAD};
use super::{Codec, CodecError};

/// Sampling rate between decoder and encoder, in Hz.
const RATE_HZ: u32 = 8000;
/// Longest concealment of one gap; after that nobody expects the talk to continue.
const MAX_CONCEAL: u32 = 960;

/// Takes payloads of one codec, gives payloads of another (or the same one), cut into frames of one length.
pub struct Transcoder {
    decoder: Decoder,
    encoder: Encoder,
    /// Decoded samples that do not fill a frame yet; its capacity is never exceeded.
    pending: Vec<i16>,
    last_samples: usize,
    errors: u64,
}

impl Transcoder {
    /// `complexity` (0–10) matters only towards Opus. A ptime that Opus has no frame for is shortened to the next that it has.
    ///
    /// # Errors
    /// [`CodecError::Ptime`] outside 5..=120 ms; [`CodecError::Opus`] for a wrong complexity or no memory.
    pub fn new(from: Codec, to: Codec, ptime_ms: u32, complexity: i32) -> Result<Self, CodecError> {
        let decoder = Decoder::new(from, RATE_HZ)?;
        let encoder = Encoder::new(to, RATE_HZ, ptime_ms, complexity)?;
        Ok(Self {
            pending: Vec::with_capacity(encoder.frame() + decoder.most()),
            last_samples: encoder.frame().min(160),
            decoder,
            encoder,
            errors: 0,
        })
    }

    /// One payload in, in order; `emit(payload, duration in RTP ticks of the target)` for each whole frame out.
    ///
    /// A payload that cannot be decoded counts as an error and is concealed.
    pub fn push(&mut self, payload: &[u8], emit: &mut dyn FnMut(&[u8], u32)) {
        if let Ok(samples) = self.decoder.decode(payload, &mut self.pending) {
            self.last_samples = samples;
            self.drain(emit);
        } else {
            self.errors += 1;
            self.conceal(self.last_samples_8k(), emit);
        }
    }

    /// `samples_8k` samples (at 8 kHz) are lost for good: fill the gap with concealment, at most 120 ms of it.
    ///
    /// Returns how many samples were filled in; the caller moves its clock on over the rest.
    pub fn conceal(&mut self, samples_8k: u32, emit: &mut dyn FnMut(&[u8], u32)) -> u32 {
        let samples = samples_8k.min(MAX_CONCEAL);
        self.decoder.conceal(samples as usize, &mut self.pending);
        self.drain(emit);
        samples
    }

    /// Give out a last frame filled up with silence: the talk spurt is over, or the source changes.
    pub fn flush(&mut self, emit: &mut dyn FnMut(&[u8], u32)) {
        if !self.pending.is_empty() {
            self.pending.resize(self.encoder.frame(), 0);
            self.drain(emit);
        }
    }

    /// Samples at 8 kHz in the payload pushed last: what one lost packet most likely held.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a packet has at most 1600")]
    pub fn last_samples_8k(&self) -> u32 {
        self.last_samples as u32
    }

    /// Tell the Opus encoder the loss that its receiver sees.
    pub fn set_expected_loss(&mut self, percent: u8) {
        self.encoder.set_expected_loss(percent);
    }

    /// Payloads that could not be decoded or encoded, since creation.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    fn drain(&mut self, emit: &mut dyn FnMut(&[u8], u32)) {
        let mut payload = [0; MAX_PAYLOAD];
        let mut frames = self.pending.chunks_exact(self.encoder.frame());
        for frame in &mut frames {
            match self.encoder.encode(frame, &mut payload) {
                Ok(len) => emit(&payload[..len], self.encoder.frame_ticks()),
                Err(_) => self.errors += 1,
            }
        }
        let rest = frames.remainder().len();
        self.pending.drain(..self.pending.len() - rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::g711;

    /// Run payloads through; gives (payload, ticks) of each frame.
    fn run(transcoder: &mut Transcoder, payloads: &[Vec<u8>]) -> Vec<(Vec<u8>, u32)> {
        let mut frames = Vec::new();
        for payload in payloads {
            transcoder.push(payload, &mut |payload, ticks| frames.push((payload.to_vec(), ticks)));
        }
        frames
    }

    fn made(from: Codec, to: Codec, ptime_ms: u32) -> Transcoder {
        Transcoder::new(from, to, ptime_ms, 5).expect("a legal combination")
    }

    /// A tone of 8 kHz samples in PCMU, cut into payloads of `len`.
    fn tone(frequency_hz: f32, count: usize, len: usize) -> Vec<Vec<u8>> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test tone")]
        let sample = |n: usize| ((n as f32 * frequency_hz * std::f32::consts::TAU / 8000.0).sin() * 8000.0) as i16;
        let codes: Vec<u8> = (0..count).map(|n| g711::encode_ulaw(sample(n))).collect();
        codes.chunks(len).map(<[u8]>::to_vec).collect()
    }

    fn samples(payload: &[u8]) -> impl Iterator<Item = f64> {
        payload.iter().map(|&code| f64::from(g711::ULAW[usize::from(code)]))
    }

    /// Share of the energy at one frequency (Goertzel's algorithm).
    fn purity(payload: &[u8], frequency_hz: f64) -> f64 {
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        let step = frequency_hz * std::f64::consts::TAU / 8000.0;
        let mut angle: f64 = 0.0;
        for sample in samples(payload) {
            re += sample * angle.cos();
            im += sample * angle.sin();
            energy += sample * sample;
            angle += step;
        }
        let count: f64 = samples(payload).map(|_| 1.0).sum();
        2.0 * (re * re + im * im) / (count * energy)
    }

    #[test]
    fn ulaw_becomes_alaw_without_a_sample_moved() {
        let mut transcoder = made(Codec::Pcmu, Codec::Pcma, 20);
        let frames = run(&mut transcoder, &tone(440.0, 320, 160));
        assert_eq!(frames.len(), 2);
        for ((alaw, ticks), ulaw) in frames.iter().zip(tone(440.0, 320, 160)) {
            assert_eq!(*ticks, 160);
            for (&alaw, &ulaw) in alaw.iter().zip(&ulaw) {
                let (alaw, ulaw) = (g711::ALAW[usize::from(alaw)], g711::ULAW[usize::from(ulaw)]);
                assert!((i32::from(alaw) - i32::from(ulaw)).abs() <= 32 + i32::from(ulaw).abs() / 16);
            }
        }
    }

    #[test]
    fn odd_input_lengths_leave_in_whole_frames() {
        let mut transcoder = made(Codec::Pcmu, Codec::Pcmu, 20);
        let input = tone(440.0, 1600, 73);
        let frames = run(&mut transcoder, &input);
        assert!(frames.iter().all(|(payload, ticks)| payload.len() == 160 && *ticks == 160));
        let output: Vec<u8> = frames.into_iter().flat_map(|(payload, _)| payload).collect();
        assert_eq!(output, input.concat());
    }

    #[test]
    fn one_long_payload_gives_several_frames() {
        let mut transcoder = made(Codec::Pcma, Codec::Opus, 20);
        let frames = run(&mut transcoder, &[vec![0xd5; 1600]]);
        assert_eq!(frames.iter().map(|(_, ticks)| *ticks).collect::<Vec<_>>(), vec![960; 10]);
    }

    #[test]
    fn a_tone_survives_the_way_through_opus() {
        for ptime_ms in [5, 10, 20, 40, 60, 120] {
            let mut there = made(Codec::Pcmu, Codec::Opus, ptime_ms);
            let mut back = made(Codec::Opus, Codec::Pcmu, 20);
            let opus = run(&mut there, &tone(1000.0, 16_000, 160));
            assert!(opus.iter().all(|(_, ticks)| *ticks == ptime_ms * 48), "{ptime_ms}");
            let opus: Vec<_> = opus.into_iter().map(|(payload, _)| payload).collect();
            let ulaw: Vec<u8> = run(&mut back, &opus).into_iter().flat_map(|(payload, _)| payload).collect();
            assert!(ulaw.len() >= 15_000);
            assert!(purity(&ulaw[8000..12_000], 1000.0) > 0.95, "{ptime_ms}");
            assert_eq!(there.errors() + back.errors(), 0);
        }
    }

    #[test]
    fn garbage_is_counted_and_concealed() {
        let mut transcoder = made(Codec::Opus, Codec::Pcmu, 20);
        let frames = run(&mut transcoder, &[vec![], vec![0xff; 3], vec![0; 5000]]);
        assert_eq!(transcoder.errors(), 3);
        assert_eq!(frames.len(), 3);
        let mut transcoder = made(Codec::Pcmu, Codec::Opus, 20);
        assert_eq!(run(&mut transcoder, &[vec![], vec![0xff; 1601]]).len(), 2);
        assert_eq!(transcoder.errors(), 2);
    }

    #[test]
    fn random_payloads_never_panic() {
        let mut seed = 1_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()
        };
        let mut transcoder = made(Codec::Opus, Codec::Pcmu, 20);
        for _ in 0..3000 {
            let len = usize::from(random()[0]) % 100;
            let payload: Vec<u8> = (0..len).map(|_| random()[0]).collect();
            transcoder.push(&payload, &mut |payload, ticks| assert_eq!((payload.len(), ticks), (160, 160)));
        }
        assert!(transcoder.errors() > 0);
    }

    #[test]
    fn a_gap_keeps_the_clock_and_is_bounded() {
        for (from, to) in [(Codec::Opus, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Opus)] {
            let mut transcoder = made(from, to, 20);
            let mut ticks_out = 0;
            assert_eq!(transcoder.conceal(320, &mut |_, ticks| ticks_out += ticks), 320);
            assert_eq!(transcoder.conceal(100_000, &mut |_, ticks| ticks_out += ticks), 960);
            assert_eq!(ticks_out, 1280 * (to.clock_rate_hz() / 8000));
        }
    }

    #[test]
    fn a_short_rest_is_flushed_with_silence() {
        let mut transcoder = made(Codec::Pcmu, Codec::Pcmu, 20);
        let mut frames = run(&mut transcoder, &tone(440.0, 100, 100));
        assert!(frames.is_empty());
        for _ in 0..2 {
            transcoder.flush(&mut |payload, ticks| frames.push((payload.to_vec(), ticks)));
        }
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].0[100..], [0xff; 60]);
    }
}

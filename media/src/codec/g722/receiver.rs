//! A decoder of G.722 that speaks on when packets are lost, and finds back when they come again.

use super::{Analysis, DELAY, Decoder, RATE_HZ};
use crate::codec::plc::{HISTORY_MS, Plc};

/// Samples that are remembered.
const HISTORY: usize = HISTORY_MS * 16;
/// The longest gap that is followed: what the memory holds beside the start of the filter.
const MAX_FOLLOWED: usize = HISTORY - 40;

/// Payloads to samples at 16 kHz.
pub struct Receiver {
    decoder: Decoder,
    plc: Plc,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// One that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { decoder: Decoder::new(), plc: Plc::new(RATE_HZ) }
    }

    /// Decode a payload into twice as many samples.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) {
        if self.plc.gap() > 0 {
            self.follow();
        }
        self.decoder.decode(payload, samples);
        self.plc.heard(samples);
    }

    /// Invent samples in the place of lost ones.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        self.plc.fill(samples);
    }

    /// Let the decoder learn what was invented in the gap that ends now.
    fn follow(&mut self) {
        let mut played = [0; HISTORY + DELAY];
        played[..HISTORY].copy_from_slice(self.plc.history());
        // The filters of encoder and decoder delay: what is coded now is heard a little later.
        self.plc.foresee(&mut played[HISTORY..]);
        let gap = self.plc.gap().min(MAX_FOLLOWED) & !1;
        let (before, during) = played.split_at(played.len() - gap);
        let mut filter = Analysis::new();
        filter.warm(before);
        self.decoder.follow(&mut filter, during);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::g722::Encoder;
    use crate::codec::testvoice::{energy, voice};

    /// The energy of what was spoken over that of what is wrong in what was heard.
    fn ratio(spoken: &[i16], heard: &[i16]) -> f64 {
        let wrong = |(&spoken, &heard): (&i16, &i16)| (f64::from(spoken) - f64::from(heard)).powi(2);
        let error: f64 = spoken.iter().zip(heard).map(wrong).sum();
        energy(spoken) / error
    }

    #[test]
    fn a_gap_is_spoken_over_and_the_decoder_finds_back() {
        let spoken = voice(1.6, 112, 6400);
        let mut codes = vec![0; 3200];
        Encoder::new().encode(&spoken, &mut codes);
        let (mut receiver, mut heard) = (Receiver::new(), vec![0; 6400]);
        for (index, (payload, samples)) in codes.chunks(160).zip(heard.chunks_mut(320)).enumerate() {
            if index == 10 { receiver.conceal(samples) } else { receiver.decode(payload, samples) }
        }
        let during = ratio(&spoken[3200 - DELAY..3520 - DELAY], &heard[3200..3520]);
        // Once what arrives is not mixed with what was invented any more.
        let after = ratio(&spoken[3680 - DELAY..3840 - DELAY], &heard[3680..3840]);
        assert!(during > 5.0, "{during}");
        assert!(after > 7.5, "{after}");
    }

    #[test]
    fn a_gap_of_any_length_is_survived() {
        let mut receiver = Receiver::new();
        for gap in [1, 2, 333, 599, 600, 601, 640, 5000] {
            receiver.conceal(&mut vec![0; gap]);
            receiver.decode(&[0x5a; 160], &mut [0; 320]);
        }
    }
}

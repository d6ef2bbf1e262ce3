//! How good speech sounds, from what happens to it on its way: the E-model of ITU-T G.107 (06/2015).
//!
//! It is the whole narrowband model for the default values of a digital connection; what is measured goes in as delay, codec
//! impairment (G.113 Appendix I), loss and its burstiness. Nothing on this scale is better than G.711 without loss, so
//! wideband codecs count as transparent.

use std::sync::LazyLock;

use crate::codec::Codec;

// Default values of G.107 table 3, by their symbols.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
const OLR: f64 = SLR + RLR;
const STMR: f64 = 15.0;
const D: f64 = 3.0;
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;
const NC: f64 = -70.0;
const NFOR: f64 = -64.0;
const P: f64 = 35.0;

/// No: all noises, at the 0 dBr point, in dBm0p (G.107 §3.1).
static NOISE: LazyLock<f64> = LazyLock::new(|| {
    let sender = P - SLR - D - 100.0 + 0.004 * (P - OLR - D - 14.0).powi(2);
    let side_tone = P + 10.0 * (1.0 + 10_f64.powf((10.0 - (STMR + D)) / 10.0)).log10();
    let receiver = RLR - 121.0 + side_tone + 0.008 * (side_tone - 35.0).powi(2);
    let power: f64 = [NC, sender, receiver, NFOR + RLR].iter().map(|noise| 10_f64.powf(noise / 10.0)).sum();
    10.0 * power.log10()
});

/// Ro: signal to noise (G.107 §3.1).
static SIGNAL: LazyLock<f64> = LazyLock::new(|| 15.0 - 1.5 * (SLR + *NOISE));

/// Ro less Is, what impairs the voice at the same time as it (G.107 §3.2); one quantisation.
static NOISE_AND_LOUDNESS: LazyLock<f64> = LazyLock::new(|| {
    let ratio = (OLR + 0.2 * (64.0 + *NOISE - RLR)) / 8.0;
    let loudness = 20.0 * (root(1.0 + ratio.powi(8), 8.0) - ratio);
    let echo = -10.0 * (10_f64.powf(-STMR / 10.0) + 10_f64.powf(-TELR / 10.0)).log10();
    let side_tone = 12.0 * root(1.0 + ((echo - 13.0) / 6.0).powi(8), 8.0)
        - 28.0 * root(1.0 + ((echo + 1.0) / 19.4).powi(35), 35.0)
        - 13.0 * root(1.0 + ((echo - 3.0) / 33.0).powi(13), 13.0)
        + 29.0;
    let quantising = 37.0_f64;
    let grade = 1.07 + 0.258 * quantising + 0.0602 * quantising.powi(2);
    let y = (*SIGNAL - 100.0) / 15.0 + 46.0 / 8.4 - grade / 9.0;
    let quantisation = 15.0 * (1.0 + 10_f64.powf(y) + 10_f64.powf(46.0 / 30.0 - grade / 40.0)).log10();
    *SIGNAL - loudness - side_tone - quantisation
});

fn root(value: f64, degree: f64) -> f64 {
    value.powf(1.0 / degree)
}

/// What a codec does to speech (G.113 Appendix I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Ie: without loss.
    pub lossless: f64,
    /// Bpl: the greater, the less loss is heard.
    pub robustness: f64,
    /// One packet of 20 ms and the look-ahead.
    pub delay_ms: f64,
}

impl Impairment {
    /// That of a codec; `None` for one that we do not speak.
    #[must_use]
    pub fn of(codec: Codec) -> Option<Self> {
        let (lossless, robustness, delay_ms) = match codec {
            // G.711 with the concealment of its Appendix I.
            Codec::Pcmu | Codec::Pcma => (0.0, 25.1, 20.0),
            // G.113 has no narrowband values for these two: without loss at least G.711's, and concealment at least as good.
            Codec::G722 => (0.0, 25.1, 21.5),
            Codec::Opus => (0.0, 25.1, 26.5),
            // G.729 Annex A with silence suppression.
            Codec::G729 => (11.0, 19.0, 25.0),
            Codec::Foreign(_) => return None,
        };
        Some(Self { lossless, robustness, delay_ms })
    }
}

/// Packets that are not heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Their share, 0 to 1.
    pub share: f64,
    /// `BurstR`: length of the runs in which they are lost, over the length that chance would give (G.107 §3.5).
    pub burst: f64,
}

impl Loss {
    /// `lost` packets of `all`, in so many runs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of packets")]
    pub fn of(lost: u64, all: u64, runs: u64) -> Self {
        let share = (lost as f64 / all.max(1) as f64).min(1.0);
        let burst = if runs > 0 { (lost as f64 / runs as f64 * (1.0 - share)).max(1.0) } else { 1.0 };
        Self { share, burst }
    }
}

/// R, 0 to 93.2, for a one-way delay, a codec and loss (G.107 §3).
#[must_use]
pub fn rating(delay_ms: f64, codec: Impairment, loss: Loss) -> f64 {
    let percent = loss.share * 100.0;
    let lossy = (95.0 - codec.lossless) * percent / (percent / loss.burst + codec.robustness);
    (*NOISE_AND_LOUDNESS - delay(delay_ms) - codec.lossless - lossy).max(0.0)
}

/// MOS that people are expected to give, 1 to 4.5 (G.107 Annex B).
#[must_use]
pub fn mos(rating: f64) -> f64 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

/// Id: echo to the talker and the listener, and delay by itself (G.107 §3.3).
fn delay(one_way_ms: f64) -> f64 {
    let t = one_way_ms.max(0.0);
    let terv = TELR - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let (roe, re) = (-1.5 * (*NOISE - RLR), 80.0 + 2.5 * (terv - 14.0));
    let talker = ((roe - re) / 2.0 + ((roe - re).powi(2) / 4.0 + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
    let rle = 10.5 * (WEPL + 7.0) * (2.0 * t + 1.0).powf(-0.25);
    let listener = (*SIGNAL - rle) / 2.0 + ((*SIGNAL - rle).powi(2) / 4.0 + 169.0).sqrt();
    talker + listener + pure_delay(t)
}

fn pure_delay(t: f64) -> f64 {
    if t <= 100.0 {
        return 0.0;
    }
    let x = (t / 100.0).log2();
    25.0 * (root(1.0 + x.powi(6), 6.0) - 3.0 * root(1.0 + (x / 3.0).powi(6), 6.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Loss = Loss { share: 0.0, burst: 1.0 };

    fn of(codec: Codec) -> Impairment {
        Impairment::of(codec).expect("one that we speak")
    }

    fn r(delay_ms: f64, share: f64, burst: f64) -> f64 {
        rating(delay_ms, of(Codec::Pcmu), Loss { share, burst })
    }

    #[track_caller]
    fn assert_near(found: f64, expected: f64, apart: f64) {
        assert!((found - expected).abs() <= apart, "{found}, not {expected}");
    }

    #[test]
    fn the_default_values_give_the_published_rating_and_mos() {
        assert_near(r(0.0, 0.0, 1.0), 93.2, 0.05);
        assert_near(mos(r(0.0, 0.0, 1.0)), 4.41, 0.005);
    }

    #[test]
    fn mos_is_that_of_g_107_annex_b() {
        let published = [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0), (120, 4.5)];
        for (rating, expected) in published {
            assert_near(mos(rating.into()), expected, 0.01);
        }
    }

    #[test]
    fn g_729_costs_its_impairment() {
        assert_near(r(0.0, 0.0, 1.0) - rating(0.0, of(Codec::G729), NONE), 11.0, 1e-9);
    }

    /// 95 * Ppl / (Ppl / `BurstR` + Bpl), with 25.1 for G.711 with concealment (G.113 table I.2).
    #[test]
    fn loss_costs_what_the_formula_says() {
        for (share, burst, effective) in [(0.01, 1.0, 3.64), (0.05, 1.0, 15.78), (0.05, 2.0, 17.21), (1.0, 1.0, 75.94)]
        {
            assert_near(r(0.0, 0.0, 1.0) - r(0.0, share, burst), effective, 0.01);
        }
    }

    #[test]
    fn delay_is_felt_beyond_150_ms() {
        assert_near(r(100.0, 0.0, 1.0), 90.7, 0.1);
        assert!(r(100.0, 0.0, 1.0) - r(150.0, 0.0, 1.0) < 2.0);
        assert!(r(150.0, 0.0, 1.0) - r(300.0, 0.0, 1.0) > 15.0);
    }

    #[test]
    fn more_loss_never_sounds_better_and_everything_stays_on_the_scale() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus, Codec::G729].map(of) {
            for delay_ms in [0.0, 1.0, 99.0, 101.0, 400.0, 5000.0] {
                for burst in [1.0, 3.0, 50.0] {
                    let mut before = 93.3;
                    for percent in 0..=100 {
                        let now = rating(delay_ms, codec, Loss { share: f64::from(percent) / 100.0, burst });
                        assert!((0.0..=before).contains(&now) && (1.0..=4.5).contains(&mos(now)), "{now} {before}");
                        before = now;
                    }
                }
            }
        }
    }

    #[test]
    fn any_counts_and_delays_stay_on_the_scale() {
        let counts = [0, 1, 2, 3, 29, 1000, u64::from(u32::MAX), u64::MAX];
        let delays = [f64::NEG_INFINITY, -1.0, 0.0, 100.0, 1e6, f64::MAX.sqrt(), f64::INFINITY, f64::NAN];
        let figures =
            counts.iter().flat_map(|lost| counts.iter().flat_map(move |all| counts.map(|runs| (*lost, *all, runs))));
        for (lost, all, runs) in figures {
            let loss = Loss::of(lost, all, runs);
            assert!((0.0..=1.0).contains(&loss.share) && loss.burst >= 1.0, "{loss:?}");
            for (codec, delay_ms) in
                [Codec::Pcmu, Codec::Opus, Codec::G729].into_iter().flat_map(|c| delays.map(|d| (of(c), d)))
            {
                let now = rating(delay_ms, codec, loss);
                assert!((0.0..=93.3).contains(&now) && (1.0..=4.5).contains(&mos(now)), "{now} of {loss:?} {delay_ms}");
            }
        }
    }

    #[test]
    fn bursts_are_loss_that_comes_together() {
        assert_eq!(Loss::of(0, 0, 0), NONE);
        assert_near(Loss::of(10, 200, 10).burst, 1.0, 1e-9);
        assert_near(Loss::of(30, 600, 10).burst, 2.85, 1e-9);
        assert_near(Loss::of(3, 30, 0).burst, 1.0, 1e-9);
    }
}

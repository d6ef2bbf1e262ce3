use super::*;
use crate::codec::testvoice::{energy, voice};

fn heard(rate_hz: u32, samples: &[i16]) -> Plc {
    let mut plc = Plc::new(rate_hz);
    for frame in samples.chunks(160) {
        plc.heard(&mut frame.to_vec());
    }
    plc
}

#[test]
fn a_voice_goes_on_as_it_was() {
    for (rate_hz, period) in [(8000, 57), (8000, 100), (16_000, 114), (16_000, 201)] {
        let spoken = voice(1.5, period, 3200);
        let mut plc = heard(rate_hz, &spoken[..1600]);
        let mut filled = [0; 80];
        plc.fill(&mut filled);
        let wanted = &spoken[1600..1680];
        let wrong: Vec<i16> = filled.iter().zip(wanted).map(|(made, spoken)| made - spoken).collect();
        let ratio = 10.0 * (energy(wanted) / energy(&wrong)).log10();
        assert!(ratio > 10.0, "{rate_hz} Hz, period {period}: {ratio} dB");
    }
}

#[test]
fn a_long_gap_fades_to_silence_and_pieces_make_the_same_as_a_whole() {
    let spoken = voice(1.5, 80, 1600);
    let mut whole = vec![0; 800];
    heard(8000, &spoken).fill(&mut whole);
    let mut pieces = vec![0; 800];
    let mut plc = heard(8000, &spoken);
    pieces.chunks_mut(50).for_each(|piece| plc.fill(piece));
    assert_eq!(pieces, whole);
    assert!(energy(&whole[80..160]) > 2.5 * energy(&whole[240..320]));
    assert!(whole[480..].iter().all(|&sample| sample == 0));
}

#[test]
fn the_end_of_a_gap_is_no_step() {
    let mut plc = heard(8000, &voice(1.5, 80, 1600));
    plc.fill(&mut [0; 160]);
    assert_eq!(plc.gap(), 160);
    let mut back = [12_000; 160];
    plc.heard(&mut back);
    assert_eq!(plc.gap(), 0);
    assert!(back[0].unsigned_abs() < 9000);
    assert!(back[100..].iter().all(|&sample| sample == 12_000));
    assert_eq!(plc.history()[plc.history().len() - 160..], back);
}

#[test]
fn before_anything_was_heard_there_is_silence() {
    let mut filled = [1; 160];
    Plc::new(16_000).fill(&mut filled);
    assert_eq!(filled, [0; 160]);
}

#[test]
fn no_sound_makes_it_howl() {
    let mut seed = 3_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if seed & 0x8000_0000 == 0 { i16::MAX } else { i16::MIN }
    };
    let sounds: [Vec<i16>; 4] = [
        (0..640).map(|_| noise()).collect(),
        vec![i16::MIN; 640],
        (0..640).map(|n| if n % 2 == 0 { i16::MAX } else { i16::MIN }).collect(),
        (0..640).map(|n| if n == 639 { i16::MAX } else { 0 }).collect(),
    ];
    for (index, sound) in sounds.iter().enumerate() {
        let mut filled = [1; 961];
        heard(16_000, sound).fill(&mut filled);
        assert!(filled[960] == 0, "sound {index}");
        assert!(energy(&filled[..320]) <= 3.0 * energy(&sound[320..]), "sound {index}");
    }
}

use super::*;

/// Half a second that sweeps over both bands, with noise and a pause: what `vectors/` was made of.
fn sound() -> Vec<i16> {
    let (mut seed, mut phase) = (1_u32, 0_u32);
    let mut next = |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        phase = phase.wrapping_add(0x0100_0000 + n * 0x3800);
        let tone = i32::from(((phase >> 16) as u16).cast_signed()).abs() - 16_384;
        let noise = i32::from(((seed >> 16) as u16).cast_signed()) / 16;
        let gain = if (n / 1000).is_multiple_of(3) { 0 } else { 3 };
        i16::try_from(tone * gain / 4 + noise).expect("well below full scale")
    };
    (0..8000).map(&mut next).collect()
}

#[test]
fn bytes_are_those_of_ffmpeg() {
    let mut codes = [0; 4000];
    Encoder::new().encode(&sound(), &mut codes);
    assert!(codes == *include_bytes!("vectors/sweep.g722"));
}

#[test]
fn samples_are_those_of_ffmpeg() {
    let wanted = include_bytes!("vectors/sweep.s16").chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let mut samples = [0; 8000];
    Decoder::new().decode(include_bytes!("vectors/sweep.g722"), &mut samples);
    assert!(samples.into_iter().eq(wanted));
}

#[test]
fn what_is_decoded_is_what_was_encoded_a_little_later() {
    let sound = sound();
    let (mut codes, mut samples) = ([0; 4000], [0; 8000]);
    Encoder::new().encode(&sound, &mut codes);
    Decoder::new().decode(&codes, &mut samples);
    let pairs = || sound.iter().zip(&samples[DELAY..]).map(|(&spoken, &heard)| (f64::from(spoken), f64::from(heard)));
    let power: f64 = pairs().map(|(spoken, _)| spoken * spoken).sum();
    let error: f64 = pairs().map(|(spoken, heard)| (spoken - heard).powi(2)).sum();
    assert!(power / error > 60.0, "{}", power / error);
}

#[test]
fn frames_of_any_length_give_the_same_as_one() {
    let sound = sound();
    let (mut whole, mut parts) = ([0; 4000], [0; 4000]);
    Encoder::new().encode(&sound, &mut whole);
    let mut encoder = Encoder::new();
    for (samples, codes) in sound.chunks(160).zip(parts.chunks_mut(80)) {
        encoder.encode(samples, codes);
    }
    assert!(parts == whole);
}

#[test]
fn any_bytes_are_decoded() {
    let mut decoder = Decoder::new();
    let mut samples = [0; 512];
    for code in 0..=u8::MAX {
        decoder.decode(&[code; 256], &mut samples);
    }
    let scattered: Vec<u8> = (0..=u8::MAX).map(|code| code.wrapping_mul(89)).collect();
    decoder.decode(&scattered, &mut samples);
}

#[test]
fn full_scale_is_encoded() {
    let mut encoder = Encoder::new();
    let mut codes = [0; 400];
    for level in [i16::MIN, i16::MAX] {
        encoder.encode(&[level; 800], &mut codes);
        encoder.encode(&std::array::from_fn::<i16, 800, _>(|n| if n % 3 == 0 { level } else { !level }), &mut codes);
    }
}

#[test]
fn a_decoder_that_follows_is_near_one_that_heard() {
    let sound = sound();
    let mut codes = [0; 4000];
    Encoder::new().encode(&sound, &mut codes);
    let (mut listener, mut samples) = (Decoder::new(), [0; 8000]);
    listener.decode(&codes, &mut samples);
    let (mut lossy, mut filter) = (Decoder::new(), Analysis::new());
    lossy.decode(&codes[..1000], &mut samples[..2000].to_vec());
    filter.warm(&samples[..2000 + DELAY]);
    lossy.follow(&mut filter, &samples[2000 + DELAY..2320 + DELAY]);
    let mut after = [0; 320];
    lossy.decode(&codes[1160..1320], &mut after);
    let pairs = || samples[2320..].iter().zip(&after).map(|(&right, &got)| (f64::from(right), f64::from(got)));
    let power: f64 = pairs().map(|(right, _)| right * right).sum();
    let error: f64 = pairs().map(|(right, got)| (right - got).powi(2)).sum();
    assert!(power / error > 10.0, "{}", power / error);
}

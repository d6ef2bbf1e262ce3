//! G.711: logarithmic 8-bit samples (ITU-T G.711), with the arithmetic of its reference software (G.191).
//!
//! Decoding is by table; encoding is a few instructions, which keeps a 16 KiB table out of the cache.

/// Samples behind each µ-law code.
pub(super) const ULAW: [i16; 256] = table(true);
/// Samples behind each A-law code.
pub(super) const ALAW: [i16; 256] = table(false);

const fn table(ulaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0_u8;
    loop {
        table[code as usize] = if ulaw { decode_ulaw(code) } else { decode_alaw(code) };
        if code == u8::MAX {
            return table;
        }
        code += 1;
    }
}

const fn decode_ulaw(code: u8) -> i16 {
    let code = !code;
    let exponent = (code >> 4) & 7;
    let mantissa = (code & 0x0f) as i16;
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

const fn decode_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let exponent = (code >> 4) & 7;
    let mantissa = (((code & 0x0f) as i16) << 4) + 8;
    let magnitude = if exponent == 0 { mantissa } else { (mantissa + 0x100) << (exponent - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Encode a frame; `codes` is at least as long.
pub(super) type Encode = fn(samples: &[i16], codes: &mut [u8]);

/// Encode a frame by µ-law.
pub(super) fn encode_ulaw_frame(samples: &[i16], codes: &mut [u8]) {
    for (code, &sample) in codes.iter_mut().zip(samples) {
        *code = encode_ulaw(sample);
    }
}

/// Encode a frame by A-law.
pub(super) fn encode_alaw_frame(samples: &[i16], codes: &mut [u8]) {
    for (code, &sample) in codes.iter_mut().zip(samples) {
        *code = encode_alaw(sample);
    }
}

/// µ-law code of a 16-bit sample (its upper 14 bits count).
#[inline]
pub(super) fn encode_ulaw(sample: i16) -> u8 {
    // One's complement of negative samples, as G.191 has it: the decision values are not symmetric around zero.
    let magnitude = ((magnitude(sample) >> 2) + 33).min(0x1fff);
    let exponent = 26 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (exponent + 1)) & 0x0f;
    !(sign(sample) | code(exponent, mantissa))
}

/// A-law code of a 16-bit sample (its upper 13 bits count).
#[inline]
fn encode_alaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 4;
    let exponent = 28_u32.saturating_sub((magnitude | 1).leading_zeros());
    let mantissa = magnitude >> exponent.saturating_sub(1) & 0x0f;
    (0x80 ^ sign(sample) | code(exponent, mantissa)) ^ 0x55
}

fn magnitude(sample: i16) -> u32 {
    u32::from((if sample < 0 { !sample } else { sample }).cast_unsigned())
}

fn sign(sample: i16) -> u8 {
    if sample < 0 { 0x80 } else { 0 }
}

/// `exponent` is at most 7 and `mantissa` at most 15 here.
#[expect(clippy::cast_possible_truncation, reason = "7 bits")]
fn code(exponent: u32, mantissa: u32) -> u8 {
    ((exponent << 4) | mantissa) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference algorithm of G.191, word for word in arithmetic: search for the segment.
    fn reference_ulaw(sample: i16) -> u8 {
        let absolute = ((i32::from(if sample < 0 { !sample } else { sample }) >> 2) + 33).min(0x1fff);
        let (mut segment, mut rest) = (1, absolute >> 6);
        while rest != 0 {
            segment += 1;
            rest >>= 1;
        }
        let high = 8 - segment;
        let low = 0x0f - ((absolute >> segment) & 0x0f);
        u8::try_from(high << 4 | low | if sample < 0 { 0 } else { 0x80 }).expect("8 bits")
    }

    fn reference_alaw(sample: i16) -> u8 {
        let mut value = i32::from(if sample < 0 { !sample } else { sample }) >> 4;
        if value > 15 {
            let mut exponent = 1;
            while value > 16 + 15 {
                value >>= 1;
                exponent += 1;
            }
            value += (exponent << 4) - 16;
        }
        u8::try_from((value | if sample < 0 { 0 } else { 0x80 }) ^ 0x55).expect("8 bits")
    }

    #[test]
    fn every_sample_is_encoded_as_the_reference_does() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(encode_ulaw(sample), reference_ulaw(sample), "µ-law of {sample}");
            assert_eq!(encode_alaw(sample), reference_alaw(sample), "A-law of {sample}");
        }
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for code in 0..=u8::MAX {
            assert_eq!(encode_alaw(ALAW[usize::from(code)]), code);
            // µ-law has two zeros; the negative one comes back as the positive.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode_ulaw(ULAW[usize::from(code)]), expected);
        }
    }

    #[test]
    fn the_ends_of_the_scales_are_those_of_the_tables() {
        assert_eq!((ULAW[0x00], ULAW[0x80], ULAW[0xff]), (-32124, 32124, 0));
        assert_eq!((ALAW[0x2a], ALAW[0xaa], ALAW[0xd5], ALAW[0x55]), (-32256, 32256, 8, -8));
    }
}

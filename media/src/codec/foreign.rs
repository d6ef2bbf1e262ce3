//! Codecs that we pass on without knowing more than their name and clock.

/// Longest name with its clock, as in `a=rtpmap`; the longest one that is registered has 29 letters.
const ROOM: usize = 40;
/// What a clock may be, in Hz.
const CLOCKS_HZ: std::ops::RangeInclusive<u32> = 1000..=192_000;

/// `<encoding name>/<clock rate>[/<channels>]` of an `a=rtpmap` (RFC 8866 §6.6). Two that differ in case only are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Foreign {
    /// In capitals, filled up with zeros.
    text: [u8; ROOM],
    clock_rate_hz: u32,
}

impl Foreign {
    /// Read it; `None` when it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let name = parts.next()?;
        let clock_rate_hz = parts.next()?.parse().ok().filter(|clock| CLOCKS_HZ.contains(clock))?;
        let channels: u8 = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
        if !is_name || channels == 0 || parts.next().is_some() {
            return None;
        }
        let mut room = [0; ROOM];
        room.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        room.make_ascii_uppercase();
        Some(Self { text: room, clock_rate_hz })
    }

    /// The whole of it, in capitals.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.text).map_or("", |text| text.trim_end_matches('\0'))
    }

    /// Ticks of its RTP clock per second.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        self.clock_rate_hz
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_in_an_rtpmap() {
        let codec = Foreign::parse("iLBC/8000").expect("a codec");
        assert_eq!((codec.name(), codec.clock_rate_hz()), ("ILBC/8000", 8000));
        assert_eq!(Foreign::parse("L16/44100/2").map(Foreign::clock_rate_hz), Some(44_100));
    }

    #[test]
    fn other_forms_are_refused() {
        let long = format!("{}/8000", "x".repeat(40));
        let wrong =
            ["", "iLBC", "/8000", "iLBC/", "iLBC/0", "iLBC/-8000", "iLBC/8000/0", "iLBC/8000/1/1", "i LBC/8000", &long];
        assert!(wrong.into_iter().all(|text| Foreign::parse(text).is_none()));
    }
}

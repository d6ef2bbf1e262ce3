//! What the peers say: speech that Python encoded once, one packet per 20 ms.

use std::io;

/// Packets per second of every stream.
pub const PACKETS_PER_S: u64 = 50;

/// The speech in one encoding.
#[derive(Debug)]
pub struct Voice {
    /// What streams call it: `opus`, `opus-fec`, `PCMU` and so on.
    pub name: String,
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP clock in Hz.
    pub clock_rate_hz: u32,
    /// Encoded frames.
    pub frames: Vec<Vec<u8>>,
}

impl Voice {
    /// Read `NAME:PAYLOAD-TYPE:CLOCK-RATE:FILE`.
    pub fn read(word: &str) -> io::Result<Self> {
        let wrong = || io::Error::other(format!("not NAME:PAYLOAD-TYPE:CLOCK-RATE:FILE: {word}"));
        let parts: Vec<&str> = word.splitn(4, ':').collect();
        let [name, payload_type, clock_rate_hz, path] = parts[..] else {
            return Err(wrong());
        };
        Ok(Self {
            name: name.to_owned(),
            payload_type: payload_type.parse().map_err(|_| wrong())?,
            clock_rate_hz: clock_rate_hz.parse().map_err(|_| wrong())?,
            frames: read(path)?,
        })
    }

    /// Frame number `index` of the endless repetition of the speech.
    pub fn frame(&self, index: usize) -> &[u8] {
        &self.frames[index % self.frames.len()]
    }

    /// Ticks of the RTP clock per packet.
    pub fn ticks(&self) -> u64 {
        u64::from(self.clock_rate_hz) / PACKETS_PER_S
    }
}

/// The same speech in all encodings that are spoken.
pub struct Speech(Vec<Voice>);

impl Speech {
    /// Read each of `words`, which are as [`Voice::read`] wants them.
    pub fn read(words: &[&str]) -> io::Result<Self> {
        words.iter().map(|word| Voice::read(word)).collect::<io::Result<_>>().map(Self)
    }

    /// Number of the voice of this name.
    pub fn find(&self, name: &str) -> io::Result<usize> {
        let found = self.0.iter().position(|voice| voice.name == name);
        found.ok_or_else(|| io::Error::other(format!("there is no voice {name}")))
    }

    /// A voice by its number.
    pub fn voice(&self, number: usize) -> &Voice {
        &self.0[number]
    }
}

/// Read a file of frames, each after its length in two bytes.
fn read(path: &str) -> io::Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path)?;
    match split(&bytes) {
        Some(frames) if !frames.is_empty() => Ok(frames),
        _ => Err(io::Error::other(format!("{path} is not a file of frames"))),
    }
}

fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<2>()?;
        let (frame, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*head)))?;
        frames.push(frame.to_vec());
        bytes = rest;
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_split_by_their_lengths() {
        assert_eq!(split(&[0, 1, 9, 0, 2, 7, 8]), Some(vec![vec![9], vec![7, 8]]));
        assert_eq!(split(&[0, 3, 9]), None);
    }

    #[test]
    fn the_speech_repeats() {
        let voice =
            Voice { name: "opus".into(), payload_type: 111, clock_rate_hz: 48_000, frames: vec![vec![1], vec![2]] };
        assert_eq!((voice.frame(3), voice.ticks()), (&[2][..], 960));
    }

    #[test]
    fn a_voice_needs_four_words() {
        for word in ["", "opus:111:48000", "opus:x:48000:f", "opus:111:fast:f", "opus:111:48000:/nowhere"] {
            assert!(Voice::read(word).is_err(), "{word}");
        }
    }
}

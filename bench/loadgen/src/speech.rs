//! What the peers say: speech that Python encoded once, one packet per 20 ms.

use std::io;

use mediacore::codec::Codec;

/// Encoded frames of the same speech.
pub struct Speech {
    /// As Opus.
    pub opus: Vec<Vec<u8>>,
    /// As G.711 µ-law.
    pub pcmu: Vec<Vec<u8>>,
}

impl Speech {
    /// Frame number `index` of the endless repetition of the speech.
    pub fn frame(&self, codec: Codec, index: usize) -> &[u8] {
        let frames = if codec == Codec::Opus { &self.opus } else { &self.pcmu };
        &frames[index % frames.len()]
    }
}

/// Read a file of frames, each after its length in two bytes.
pub fn read(path: &str) -> io::Result<Vec<Vec<u8>>> {
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
        let speech = Speech { opus: vec![vec![1], vec![2]], pcmu: vec![vec![3]] };
        assert_eq!(speech.frame(Codec::Opus, 3), [2]);
        assert_eq!(speech.frame(Codec::Pcmu, 3), [3]);
    }
}

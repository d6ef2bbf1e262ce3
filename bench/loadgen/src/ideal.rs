//! What a gateway could at best make of a stream with losses: no delay, every in-band copy used, every other hole
//! concealed before it is encoded again. Written as a file that an endpoint would have kept.

use std::io;
use std::path::Path;

use mediacore::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};

use crate::endpoint::Keep;
use crate::impairment::{Fate, Pattern};
use crate::speech::{PACKETS_PER_S, Speech, Voice};

const COMPLEXITY: i32 = 5;
const PTIME_MS: u32 = 20;

/// `ideal FROM TO VOICE PATTERN OFFSET SKIP COUNT FILE VOICES…`: the stream of `VOICE` begins `OFFSET` frames into the
/// speech; of its packets, which meet the fates of `PATTERN`, the file has `COUNT` after the first `SKIP`.
pub fn run(words: &[&str]) -> io::Result<()> {
    let [from, to, voice, pattern, offset, skip, count, file, ref voices @ ..] = *words else {
        return Err(io::Error::other("ideal wants FROM TO VOICE PATTERN OFFSET SKIP COUNT FILE VOICES…"));
    };
    let codec = |name| Codec::from_name(name).ok_or_else(|| io::Error::other(format!("there is no codec {name}")));
    let number = |word: &str| word.parse::<usize>().map_err(io::Error::other);
    let (from, to, skip) = (codec(from)?, codec(to)?, number(skip)?);
    let (offset, end) = (number(offset)?, skip + number(count)?);
    let (speech, pattern) = (Speech::read(voices)?, Pattern::read(pattern)?);
    let source = Source { voice: speech.voice(speech.find(voice)?), pattern, offset };
    let mut repaired = Repaired::new(source, from, to)?;
    let mut keep = Keep::default();
    for index in 0..end {
        let payload = repaired.packet(index)?;
        if index >= skip {
            let frame = (offset + index) as u64;
            #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps count modulo 2^32")]
            let timestamp = (frame * u64::from(to.clock_rate_hz()) / PACKETS_PER_S) as u32;
            keep.push(timestamp, index as u64 * 1_000_000_000 / PACKETS_PER_S, payload);
        }
    }
    keep.write(Path::new(file), offset, 0)
}

struct Source<'a> {
    voice: &'a Voice,
    pattern: Pattern,
    offset: usize,
}

impl Source<'_> {
    /// The packet of this number, unless it is lost.
    fn packet(&self, index: usize) -> Option<&[u8]> {
        (self.pattern.fate(index) != Fate::Lost).then(|| self.voice.frame(self.offset + index))
    }
}

struct Repaired<'a> {
    source: Source<'a>,
    decoder: Decoder,
    encoder: Encoder,
    samples: Vec<i16>,
    payload: [u8; MAX_PAYLOAD],
}

impl<'a> Repaired<'a> {
    fn new(source: Source<'a>, from: Codec, to: Codec) -> io::Result<Self> {
        let rate_hz = if [from, to].contains(&Codec::G722) { 16_000 } else { 8000 };
        Ok(Self {
            source,
            decoder: Decoder::new(from, rate_hz).map_err(io::Error::other)?,
            encoder: Encoder::new(to, rate_hz, PTIME_MS, COMPLEXITY).map_err(io::Error::other)?,
            samples: Vec::new(),
            payload: [0; MAX_PAYLOAD],
        })
    }

    /// What becomes of one packet.
    fn packet(&mut self, index: usize) -> io::Result<&[u8]> {
        self.samples.clear();
        let (frame, samples) = (self.encoder.frame(), &mut self.samples);
        let arrived = self.source.packet(index).is_some_and(|payload| self.decoder.decode(payload, samples).is_ok());
        if !arrived {
            let next = self.source.packet(index + 1);
            if !next.is_some_and(|next| self.decoder.recover(next, frame, samples)) {
                self.decoder.conceal(frame, samples);
            }
        }
        self.samples.resize(frame, 0);
        let len = self.encoder.encode(&self.samples, &mut self.payload).map_err(io::Error::other)?;
        Ok(&self.payload[..len])
    }
}

//! What each primitive costs alone, in µs of CPU: `loadgen primitives VOICE…` prints one line of JSON.
//!
//! SRTP goes round robin over many contexts, as with many calls: caches are then as cold as in a gateway.

use std::io;

use mediacore::codec::Codec;
use mediacore::rtp::{self, HEADER_LEN, Header, Pt, SeqNo, Ssrc};
use mediacore::srtp::{Profile, Receiver, Sender};

use crate::kernel::{self, MAX_DATAGRAM};
use crate::relaying::Relaying;
use crate::speech::{Speech, Voice};
use crate::transcoder::Transcoder;

const ROUNDS: usize = 9;
const CONTEXTS: usize = 400;
const DATAGRAMS: usize = 64;
const COMPLEXITY: i32 = 5;

/// Measure all and print them.
pub fn run(speech: &Speech) -> io::Result<()> {
    let (opus, pcmu) = (speech.voice(speech.find("opus")?), speech.voice(speech.find("PCMU")?));
    let mut figures = Vec::new();
    for (name, profile) in [
        ("AEAD_AES_128_GCM", Profile::AeadAes128Gcm),
        ("AEAD_AES_256_GCM", Profile::AeadAes256Gcm),
        ("AES_CM_128_HMAC_SHA1_80", Profile::AesCm128HmacSha1_80),
    ] {
        let (protect, unprotect) = srtp(profile, pcmu)?;
        figures.push((format!("protect {name}"), protect));
        figures.push((format!("unprotect {name}"), unprotect));
    }
    figures.push(("opus to PCMU".to_owned(), transcode(Codec::Opus, Codec::Pcmu, opus)?));
    figures.push(("PCMU to opus".to_owned(), transcode(Codec::Pcmu, Codec::Opus, pcmu)?));
    let (send, receive) = udp(pcmu)?;
    figures.push(("UDP send".to_owned(), send));
    figures.push(("UDP receive".to_owned(), receive));
    figures.extend(relaying(pcmu));
    let fields: Vec<String> = figures.iter().map(|(name, us)| format!(r#""{name}":{us:.3}"#)).collect();
    println!("{{{}}}", fields.join(","));
    Ok(())
}

/// CPU µs that `work` takes, divided by `count`.
fn timed(count: usize, work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let before = kernel::thread_cpu_ns();
    work()?;
    #[expect(clippy::cast_precision_loss, reason = "a few ms in ns")]
    Ok((kernel::thread_cpu_ns() - before) as f64 / 1000.0 / count as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn packet(payload: &[u8], sequence: u16) -> ([u8; MAX_DATAGRAM], usize) {
    let mut head = [0; HEADER_LEN];
    let header = Header { marker: false, payload_type: Pt(0), sequence: SeqNo(sequence), timestamp: 0, ssrc: Ssrc(7) };
    rtp::write_header(&header, &mut head);
    let mut bytes = [0; MAX_DATAGRAM];
    bytes[..HEADER_LEN].copy_from_slice(&head);
    bytes[HEADER_LEN..HEADER_LEN + payload.len()].copy_from_slice(payload);
    (bytes, HEADER_LEN + payload.len())
}

fn srtp(profile: Profile, voice: &Voice) -> io::Result<(f64, f64)> {
    let key: Vec<u8> = (0..profile.key_len() + profile.salt_len()).map(|n| u8::try_from(n).unwrap_or(0)).collect();
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for _ in 0..CONTEXTS {
        senders.push(Sender::new(profile, &key).map_err(io::Error::other)?);
        receivers.push(Receiver::new(profile, &key).map_err(io::Error::other)?);
    }
    let (mut protect, mut unprotect) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let sequence = u16::try_from(round).unwrap_or(0);
        let mut packets: Vec<_> = (0..CONTEXTS).map(|n| packet(voice.frame(n), sequence)).collect();
        protect.push(timed(CONTEXTS, || {
            for (sender, (bytes, len)) in senders.iter_mut().zip(&mut packets) {
                *len = sender.protect_rtp(bytes, *len).map_err(io::Error::other)?;
            }
            Ok(())
        })?);
        unprotect.push(timed(CONTEXTS, || {
            for (receiver, (bytes, len)) in receivers.iter_mut().zip(&mut packets) {
                receiver.unprotect_rtp(&mut bytes[..*len]).map_err(io::Error::other)?;
            }
            Ok(())
        })?);
    }
    Ok((median(protect), median(unprotect)))
}

fn transcode(from: Codec, to: Codec, voice: &Voice) -> io::Result<f64> {
    let frames = &voice.frames;
    let mut transcoder = Transcoder::new(from, to, COMPLEXITY).map_err(io::Error::other)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS.min(3) {
        rounds.push(timed(frames.len(), || {
            for frame in frames {
                transcoder.push(frame, &mut |_, _| {});
            }
            Ok(())
        })?);
    }
    Ok(median(rounds))
}

/// The media core's own part of a packet that it relays without SRTP.
fn relaying(voice: &Voice) -> [(String, f64); 2] {
    let mut relaying = Relaying::new();
    let (bytes, len) = packet(voice.frame(0), 0);
    [("relay, warm caches", false), ("relay, cold caches", true)].map(|(name, is_cold)| {
        #[expect(clippy::cast_precision_loss, reason = "a few µs in ns")]
        let us = relaying.median_ns(&bytes[..len], is_cold) as f64 / 1000.0;
        (name.to_owned(), us)
    })
}

fn udp(voice: &Voice) -> io::Result<(f64, f64)> {
    let (sender, receiver) = (kernel::socket(false)?, kernel::socket(false)?);
    let to = receiver.local_addr()?;
    let (bytes, len) = packet(voice.frame(0), 0);
    let mut buffer = [0; MAX_DATAGRAM];
    let (mut send, mut receive) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS * 20 {
        send.push(timed(DATAGRAMS, || (0..DATAGRAMS).try_for_each(|_| sender.send_to(&bytes[..len], to).map(drop)))?);
        receive.push(timed(DATAGRAMS, || (0..DATAGRAMS).try_for_each(|_| receiver.recv_from(&mut buffer).map(drop)))?);
    }
    Ok((median(send), median(receive)))
}

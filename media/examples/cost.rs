//! What one packet costs on this machine, in ns: `cargo run --release --example cost`.
//!
//! The machine drifts by up to 1.7 times between runs: compare figures of one run only. "Round robin" visits a context per
//! packet, as calls do, so that each finds the caches as cold as its neighbours leave them.

use std::hint::black_box;
use std::time::Instant;

use mediacore::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};
use mediacore::srtp::{MAX_OVERHEAD, Profile, Receiver, Sender};

const PROFILES: [Profile; 3] = [Profile::AesCm128HmacSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];
/// A 20 ms G.711 packet: 12 bytes of header, 160 of payload.
const PACKET: usize = 172;
const PACKETS: usize = 200_000;

fn main() {
    println!("SRTP, {PACKET}-byte packets, ns per packet; a Sender has {} bytes", size_of::<Sender>());
    for profile in PROFILES {
        for contexts in [1, 400, 4000] {
            let (protect, unprotect) = srtp(profile, contexts);
            println!("  {profile:?}, round robin over {contexts}: protect {protect:.0}, unprotect {unprotect:.0}");
        }
    }
    println!("codecs, ns per 20 ms frame of speech-like noise");
    for complexity in [0, 5, 10] {
        println!("  PCMU to Opus, complexity {complexity}: {:.0}", transcode(Codec::Pcmu, Codec::Opus, complexity));
    }
    println!("  Opus to PCMU: {:.0}", transcode(Codec::Opus, Codec::Pcmu, 0));
    println!("  Opus to G722: {:.0}", transcode(Codec::Opus, Codec::G722, 0));
    println!("  G722 to PCMU: {:.0}", transcode(Codec::G722, Codec::Pcmu, 0));
    println!("  PCMU to G722: {:.0}", transcode(Codec::Pcmu, Codec::G722, 0));
    println!("  PCMU to PCMA: {:.0}", transcode(Codec::Pcmu, Codec::Pcma, 0));
    println!("  PCMU to PCMU: {:.0}", transcode(Codec::Pcmu, Codec::Pcmu, 0));
}

/// Nanoseconds to (protect, unprotect).
fn srtp(profile: Profile, contexts: usize) -> (f64, f64) {
    let key = vec![7; profile.key_len() + profile.salt_len()];
    let pair = || Some((Sender::new(profile, &key).ok()?, Receiver::new(profile, &key).ok()?));
    let (mut senders, mut receivers): (Vec<_>, Vec<_>) =
        (0..contexts).map(|_| pair().expect("the key has the right length")).unzip();
    let rounds = PACKETS / contexts;
    let mut packets = vec![[0xab_u8; PACKET + MAX_OVERHEAD]; contexts];
    let (mut protecting, mut unprotecting) = (0, 0);
    for round in 0..rounds {
        for packet in &mut packets {
            write_header(packet, round);
        }
        let start = Instant::now();
        let mut len = 0;
        for (sender, packet) in senders.iter_mut().zip(&mut packets) {
            len = sender.protect_rtp(packet, PACKET).expect("a fresh sequence number");
        }
        let middle = Instant::now();
        for (receiver, packet) in receivers.iter_mut().zip(&mut packets) {
            black_box(receiver.unprotect_rtp(&mut packet[..len]).expect("authentic"));
        }
        protecting += (middle - start).as_nanos();
        unprotecting += middle.elapsed().as_nanos();
    }
    (per(protecting, rounds * contexts), per(unprotecting, rounds * contexts))
}

fn write_header(packet: &mut [u8], round: usize) {
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&round.to_be_bytes()[size_of::<usize>() - 2..]);
    packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
}

/// Nanoseconds per frame.
fn transcode(from: Codec, to: Codec, complexity: i32) -> f64 {
    let input = payloads(from);
    let mut decoder = Decoder::new(from, 8000).expect("a legal rate");
    let mut encoder = Encoder::new(to, 8000, 20, complexity).expect("a legal combination");
    let (mut samples, mut output) = (Vec::new(), [0; MAX_PAYLOAD]);
    let start = Instant::now();
    for payload in &input {
        samples.clear();
        decoder.decode(payload, &mut samples).expect("a payload of ours");
        black_box(encoder.encode(&samples, &mut output).expect("a whole frame"));
    }
    per(start.elapsed().as_nanos(), input.len())
}

/// 40 s of a sweeping tone with noise, that keeps the encoder busy as voice does.
fn payloads(codec: Codec) -> Vec<Vec<u8>> {
    let mut seed = 1_u32;
    let mut phase = 0_u32;
    let mut code = |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        phase = phase.wrapping_add(0x0800_0000 + (n % 8000) * 0x4000);
        let loud = !(n / 1600).is_multiple_of(3);
        let noise = (seed >> 28).to_be_bytes()[3];
        let tone = (phase >> 28).to_be_bytes()[3] << 2;
        if loud { 0x80 | (tone + noise) } else { 0x70 | noise }
    };
    let mut n = 0;
    let mut frame = || {
        n += 160;
        (n - 160..n).map(&mut code).collect::<Vec<u8>>()
    };
    let ulaw: Vec<_> = (0..2000).map(|_| frame()).collect();
    if codec == Codec::Pcmu {
        return ulaw;
    }
    let mut decoder = Decoder::new(Codec::Pcmu, 8000).expect("a legal rate");
    let mut encoder = Encoder::new(codec, 8000, 20, 5).expect("a legal combination");
    let mut encode = |payload: &Vec<u8>| {
        let (mut samples, mut output) = (Vec::new(), [0; MAX_PAYLOAD]);
        decoder.decode(payload, &mut samples).expect("a payload of ours");
        let len = encoder.encode(&samples, &mut output).expect("a whole frame");
        output[..len].to_vec()
    };
    ulaw.iter().map(&mut encode).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn per(nanoseconds: u128, count: usize) -> f64 {
    nanoseconds as f64 / count as f64
}

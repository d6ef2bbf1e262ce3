//! The load of the bench: `loadgen peers VOICE…` plays the browsers and phones of many calls at once, `loadgen floor` is
//! the least program that could do a gateway's media job, `loadgen primitives VOICE…` times the parts of that job.
//! `loadgen ideal …` makes the best of a stream with losses, for comparison. A VOICE is `NAME:PAYLOAD-TYPE:CLOCK-RATE:FILE`.
//!
//! The first two are driven by lines on standard input and answer by lines on standard output; signalling, ICE and DTLS are
//! Python's. `peers`: `command` reads the lines, `fleet` loops over the `endpoint`s, `speech` is what they say, `tally`
//! compares what came out with what went in. Everything of RTP, SRTP and the codecs is the media core's own.

mod command;
mod encode;
mod endpoint;
mod fleet;
mod floor;
mod hearing;
mod ideal;
mod impairment;
mod kernel;
mod lines;
mod primitives;
mod relaying;
mod report;
mod speech;
mod tally;
mod transcoder;

use std::io;
use std::process::ExitCode;

use speech::Speech;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["peers", ref voices @ ..] => Speech::read(voices).and_then(fleet::Fleet::new).and_then(fleet::Fleet::run),
        ["encode", codec, samples, frames] => encode::run(codec, samples, frames),
        ["floor"] => floor::run(),
        ["ideal", ref words @ ..] => ideal::run(words),
        ["primitives", ref voices @ ..] => Speech::read(voices).and_then(|speech| primitives::run(&speech)),
        _ => Err(io::Error::other(
            "usage: loadgen peers|primitives NAME:PAYLOAD-TYPE:CLOCK-RATE:FILE…, or loadgen floor",
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

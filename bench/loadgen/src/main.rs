//! The load of the bench: `loadgen peers OPUS PCMU` plays the browsers and phones of many calls at once, `loadgen floor`
//! is the least program that could do a gateway's media job, `loadgen primitives OPUS PCMU` times the parts of that job.
//!
//! The first two are driven by lines on standard input and answer by lines on standard output; signalling, ICE and DTLS are
//! Python's. `peers`: `command` reads the lines, `fleet` loops over the `endpoint`s, `speech` is what they say, `tally`
//! compares what came out with what went in. Everything of RTP, SRTP and the codecs is the media core's own.

mod command;
mod endpoint;
mod fleet;
mod floor;
mod kernel;
mod lines;
mod primitives;
mod report;
mod speech;
mod tally;

use std::io;
use std::process::ExitCode;

use speech::Speech;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["peers", opus, pcmu] => peers(opus, pcmu),
        ["floor"] => floor::run(),
        ["primitives", opus, pcmu] => read(opus, pcmu).and_then(|speech| primitives::run(&speech)),
        _ => Err(io::Error::other("usage: loadgen peers|primitives OPUS-FILE PCMU-FILE, or loadgen floor")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn peers(opus: &str, pcmu: &str) -> io::Result<()> {
    fleet::Fleet::new(read(opus, pcmu)?)?.run()
}

fn read(opus: &str, pcmu: &str) -> io::Result<Speech> {
    Ok(Speech { opus: speech::read(opus)?, pcmu: speech::read(pcmu)? })
}

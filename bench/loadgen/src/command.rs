//! What Python tells the peers, one line each.

use std::net::SocketAddr;

use mediacore::srtp::Profile;

use crate::lines::from_hex;

/// Names an endpoint; chosen by Python.
pub type Id = u32;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// `open ID`: make an endpoint; answered by `opened ID PORT`.
    Open(Id),
    /// `send ID ADDRESS HEX`: a datagram of ICE or DTLS.
    Send(Id, SocketAddr, Vec<u8>),
    /// `secure ID PROFILE RECEIVE-KEY SEND-KEY`: RTP is SRTP from now on.
    Secure(Id, Profile, Vec<u8>, Vec<u8>),
    /// `stream ID ADDRESS VOICE OFFSET PEER`: speak to `address`; what is said is heard by endpoint `PEER`.
    Stream(Id, SocketAddr, String, usize, Id),
    /// `impair ID PATH`: the network treats its stream as the pattern in this file says.
    Impair(Id, String),
    /// `mishear ID PATH`: the network loses what is sent to it as the pattern in this file says, and it reports that.
    Mishear(Id, String),
    /// `keep ID PATH`: write what this endpoint hears until `halt`.
    Keep(Id, String),
    /// `close ID`.
    Close(Id),
    /// `run`: begin to send all streams, evenly spread over 20 ms.
    Run,
    /// `mark`: what is sent from here on is measured.
    Mark,
    /// `halt`: stop sending; answered by `report JSON`.
    Halt,
}

/// Read one line; `None` when it is none of ours.
pub fn parse(line: &str) -> Option<Command> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    Some(match words[..] {
        ["open", id] => Command::Open(id.parse().ok()?),
        ["send", id, to, data] => Command::Send(id.parse().ok()?, to.parse().ok()?, from_hex(data)?),
        ["secure", id, profile, receive, send] => {
            Command::Secure(id.parse().ok()?, Profile::from_name(profile)?, from_hex(receive)?, from_hex(send)?)
        }
        ["impair", id, path] => Command::Impair(id.parse().ok()?, path.to_owned()),
        ["mishear", id, path] => Command::Mishear(id.parse().ok()?, path.to_owned()),
        ["stream", id, to, voice, offset, peer] => Command::Stream(
            id.parse().ok()?,
            to.parse().ok()?,
            voice.to_owned(),
            offset.parse().ok()?,
            peer.parse().ok()?,
        ),
        ["keep", id, path] => Command::Keep(id.parse().ok()?, path.to_owned()),
        ["close", id] => Command::Close(id.parse().ok()?),
        ["run"] => Command::Run,
        ["mark"] => Command::Mark,
        ["halt"] => Command::Halt,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read() {
        let to = "127.0.0.1:8082".parse().unwrap();
        assert_eq!(parse("stream 4 127.0.0.1:8082 opus 17 5"), Some(Command::Stream(4, to, "opus".into(), 17, 5)));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in
            ["", "open", "open x", "send 1 nowhere 00", "send 1 127.0.0.1:1 0", "secure 1 NULL 00 00", "halt now"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}

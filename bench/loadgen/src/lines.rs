//! Lines on standard input as they come, without waiting; numbers and bytes in them.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};

/// Standard input, read only when the poller says that something is there.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl AsRawFd for Lines {
    fn as_raw_fd(&self) -> RawFd {
        io::stdin().as_raw_fd()
    }
}

impl Lines {
    /// Read what is there and give its whole lines; `None` at the end of the input.
    pub fn read(&mut self) -> io::Result<Option<Vec<String>>> {
        let mut chunk = vec![0; 1 << 16];
        // Unbuffered: what std's own buffer held would never be announced by the poller.
        let count = unbuffered_stdin()?.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        self.pending.extend_from_slice(&chunk[..count]);
        Ok(Some(self.take_lines()))
    }

    fn take_lines(&mut self) -> Vec<String> {
        let Some(end) = self.pending.iter().rposition(|&byte| byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.pending.split_off(end + 1);
        let whole = std::mem::replace(&mut self.pending, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }
}

fn unbuffered_stdin() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Bytes of a hexadecimal word.
pub fn from_hex(word: &str) -> Option<Vec<u8>> {
    if !word.len().is_multiple_of(2) {
        return None;
    }
    (0..word.len()).step_by(2).map(|at| u8::from_str_radix(word.get(at..at + 2)?, 16).ok()).collect()
}

/// Bytes as a hexadecimal word.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut word, byte| {
        // Writing to a String cannot fail.
        let _ = write!(word, "{byte:02x}");
        word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_hex_and_back() {
        assert_eq!(to_hex(&[0, 0x7f, 0xff]), "007fff");
        assert_eq!(from_hex("007fff"), Some(vec![0, 0x7f, 0xff]));
        assert_eq!(from_hex("07f"), None);
        assert_eq!(from_hex("zz"), None);
    }

    #[test]
    fn a_line_waits_for_its_end() {
        let mut lines = Lines { pending: b"open 1\nopen 2\nope".to_vec() };
        assert_eq!(lines.take_lines(), ["open 1", "open 2"]);
        assert_eq!(lines.pending, b"ope");
    }
}

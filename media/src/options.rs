//! What an engine is started with.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::liveness::Limits;
use crate::ports;

/// Sensible limits for silence.
const LIMITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);

/// What an engine is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many media threads.
    pub threads: usize,
    /// Addresses to bind.
    pub networks: Vec<IpAddr>,
    /// The shared port; 0 for any.
    pub browser_port: u16,
    /// First and last port for RTP legs.
    pub rtp_ports: (u16, u16),
    /// Bytes that a socket may hold.
    pub receive_buffer: usize,
    /// Effort of the Opus encoder.
    pub opus_complexity: i32,
    /// How long silence is tolerated.
    pub limits: Limits,
}

impl Options {
    /// Whether the options make sense.
    ///
    /// # Errors
    /// The first that does not, with what was expected.
    pub fn check(&self) -> Result<(), Error> {
        let complaint = if !(1..=64).contains(&self.threads) {
            format!("threads must be 1 to 64, not {}", self.threads)
        } else if self.networks.is_empty() {
            "networks must hold at least one address to bind".to_owned()
        } else if !(0..=10).contains(&self.opus_complexity) {
            format!("opus_complexity must be 0 to 10, not {}", self.opus_complexity)
        } else if let Some(wrong) = self.limits.all().into_iter().find(|limit| !LIMITS.contains(limit)) {
            format!("stall_ms, dead_ms and silent_ms must be 1 ms to one day, not {} ms", wrong.as_millis())
        } else {
            return ports::check_range(self.rtp_ports);
        };
        Err(Error::Argument(complaint))
    }
}

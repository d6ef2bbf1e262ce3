//! A small reorder window: packets leave in sequence, a gap waits a little for its packet.

use std::time::Duration;

/// What leaves the window, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// A packet, byte for byte as it was pushed.
    Packet(&'a [u8]),
    /// This many packets before the next one are lost.
    Lost(u16),
    /// A new SSRC or a sequence jump: the next packet continues nothing.
    Restart,
}

/// What became of a pushed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Given out at once, perhaps with others behind it.
    Passed,
    /// Held: an earlier one is missing.
    Held,
    /// Already here or already given out.
    Duplicate,
    /// Its place was given up as lost.
    Late,
}

/// Reorders one stream.
pub struct Reorder {}

impl Reorder {
    /// Hold at most `depth` packets, none longer than `max_wait`.
    #[must_use]
    pub fn new(_depth: usize, _max_wait: Duration) -> Self {
        unimplemented!()
    }

    /// One packet (whatever bytes the caller wants back) with its SSRC and sequence number.
    pub fn push(
        &mut self,
        _now: Duration,
        _ssrc: u32,
        _sequence: u16,
        _packet: &[u8],
        _out: &mut dyn FnMut(Output<'_>),
    ) -> Verdict {
        unimplemented!()
    }

    /// Give up gaps that have waited long enough.
    pub fn on_timer(&mut self, _now: Duration, _out: &mut dyn FnMut(Output<'_>)) {
        unimplemented!()
    }

    /// When `on_timer` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        unimplemented!()
    }
}

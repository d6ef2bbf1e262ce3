//! Counts of packets, and the reasons why a packet went no further.

use crate::srtp::SrtpError;

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Not what its first bytes promised, or too long.
    Malformed,
    /// From an address that this leg does not believe, or that no leg knows.
    UnknownSource,
    /// STUN that named no leg, or failed MESSAGE-INTEGRITY or FINGERPRINT.
    StunRefused,
    /// The SRTP authentication tag was wrong.
    SrtpAuth,
    /// SRTP that came before, or is too old to tell.
    SrtpReplay,
    /// Media before the keys or the remote SDP, more than is worth keeping.
    Early,
    /// A payload type that was not negotiated.
    UnknownPayload,
    /// Comfort noise (RFC 3389) that was not passed on, since not both peers agreed on it, or that no decoder understands.
    ComfortNoise,
    /// A copy of a packet that was already passed on.
    Duplicate,
    /// A sequence number far off, not yet confirmed by another (RFC 3550 A.1).
    Probation,
    /// Of a stream that another one has taken the place of and that still runs.
    Superseded,
    /// This leg is told not to receive (hold, mute).
    Muted,
    /// Came after its place in the stream was given up.
    Late,
    /// DTLS or a digit that Python did not take in time, or a packet that waited for another media thread.
    Overflow,
    /// Could not be sent: no room in the socket, or no way to the peer.
    Unsent,
}

impl From<SrtpError> for Dropped {
    fn from(error: SrtpError) -> Dropped {
        match error {
            SrtpError::Auth => Dropped::SrtpAuth,
            SrtpError::Replay | SrtpError::Exhausted => Dropped::SrtpReplay,
            _ => Dropped::Malformed,
        }
    }
}

const REASONS: [(Dropped, &str); 15] = [
    (Dropped::Malformed, "dropped_malformed"),
    (Dropped::UnknownSource, "dropped_unknown_source"),
    (Dropped::StunRefused, "dropped_stun_refused"),
    (Dropped::SrtpAuth, "dropped_srtp_auth"),
    (Dropped::SrtpReplay, "dropped_srtp_replay"),
    (Dropped::Early, "dropped_early"),
    (Dropped::UnknownPayload, "dropped_unknown_payload"),
    (Dropped::ComfortNoise, "dropped_comfort_noise"),
    (Dropped::Duplicate, "dropped_duplicate"),
    (Dropped::Probation, "dropped_probation"),
    (Dropped::Superseded, "dropped_superseded"),
    (Dropped::Muted, "dropped_muted"),
    (Dropped::Late, "dropped_late"),
    (Dropped::Overflow, "dropped_overflow"),
    (Dropped::Unsent, "dropped_unsent"),
];

/// A count for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; REASONS.len()]);

impl Drops {
    /// Count one packet.
    pub fn count(&mut self, reason: Dropped) {
        self.0[reason as usize] += 1;
    }

    /// Count several.
    pub fn count_many(&mut self, reason: Dropped, packets: u64) {
        self.0[reason as usize] += packets;
    }

    /// How many so far.
    #[must_use]
    pub fn of(&self, reason: Dropped) -> u64 {
        self.0[reason as usize]
    }

    /// Names and counts, in a fixed order.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        REASONS.iter().map(|(reason, name)| (*name, self.of(*reason)))
    }

    /// Add another's counts.
    pub fn add(&mut self, other: &Drops) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// What one leg received, sent and dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// RTP packets that were accepted.
    pub rx_packets: u64,
    /// Their payload bytes.
    pub rx_bytes: u64,
    /// RTP packets sent.
    pub tx_packets: u64,
    /// Their payload bytes.
    pub tx_bytes: u64,
    /// RTCP packets accepted.
    pub rx_rtcp: u64,
    /// RTCP packets sent.
    pub tx_rtcp: u64,
    /// Valid STUN binding requests.
    pub rx_stun: u64,
    /// Digits received.
    pub rx_digits: u64,
    /// Packets dropped, by reason.
    pub drops: Drops,
}

/// One figure of a statistics report.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A count.
    Count(u64),
    /// A measure, or a signed count.
    Number(f64),
    /// A name or an address.
    Text(String),
    /// Not known yet.
    Unknown,
}

impl From<Option<f64>> for Figure {
    fn from(value: Option<f64>) -> Figure {
        value.map_or(Figure::Unknown, Figure::Number)
    }
}

impl From<Option<u32>> for Figure {
    fn from(value: Option<u32>) -> Figure {
        value.map_or(Figure::Unknown, |count| Figure::Count(count.into()))
    }
}

impl From<Option<String>> for Figure {
    fn from(value: Option<String>) -> Figure {
        value.map_or(Figure::Unknown, Figure::Text)
    }
}

/// A statistics report: names and figures.
pub type Figures = Vec<(&'static str, Figure)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        for (index, (reason, name)) in REASONS.iter().enumerate() {
            assert_eq!(*reason as usize, index, "{name}");
            let mut drops = Drops::default();
            drops.count(*reason);
            let counted: Vec<_> = drops.named().filter(|(_, count)| *count == 1).map(|(name, _)| name).collect();
            assert_eq!(counted, [*name]);
        }
    }
}

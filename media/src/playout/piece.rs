//! What the line consists of, and how much of it had to be repaired.

/// What a piece of the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decoded from a packet of its own.
    Heard,
    /// Decoded from the copy in the next packet.
    Recovered,
    /// Invented in the place of a lost one.
    Concealed,
    /// Invented because the source sends nothing while it is silent.
    Comfort,
    /// Time that nothing fills: no samples were appended.
    Pause,
}

/// A piece of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Media time of its beginning, in samples since the first packet's; pieces follow each other without a gap.
    pub at: i64,
    /// How long it is.
    pub samples: usize,
}

/// What was done to keep the line whole, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Given back from the copy in the next packet.
    pub recovered: u64,
    /// Invented.
    pub concealed: u64,
    /// Came after its time.
    pub late: u64,
    /// Could not be decoded.
    pub undecodable: u64,
}

impl std::ops::Add for Repairs {
    type Output = Repairs;

    fn add(self, other: Repairs) -> Repairs {
        Repairs {
            recovered: self.recovered + other.recovered,
            concealed: self.concealed + other.concealed,
            late: self.late + other.late,
            undecodable: self.undecodable + other.undecodable,
        }
    }
}

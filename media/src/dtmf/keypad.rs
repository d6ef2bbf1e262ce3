//! The two tones of each key (ITU-T Q.23).

/// Sampling rate of tones here, in Hz.
pub const RATE_HZ: f32 = 8000.0;
/// Frequencies of the rows, in Hz.
pub const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Frequencies of the columns, in Hz.
pub const COLUMNS_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// Event codes (RFC 4733 §3.2) by row and column: 1 2 3 A, 4 5 6 B, 7 8 9 C, * 0 # D.
const KEYS: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// The key at a place on the keypad.
#[must_use]
pub fn event_at(row: usize, column: usize) -> u8 {
    KEYS[row & 3][column & 3]
}

/// Row and column of a key; `None` if it is none.
#[must_use]
pub fn place_of(event: u8) -> Option<(usize, usize)> {
    let at = |row: &[u8; 4]| row.iter().position(|&key| key == event);
    KEYS.iter().enumerate().find_map(|(number, row)| Some((number, at(row)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_place() {
        for event in 0..16 {
            let (row, column) = place_of(event).unwrap();
            assert_eq!(event_at(row, column), event);
        }
        assert_eq!(place_of(16), None);
    }
}

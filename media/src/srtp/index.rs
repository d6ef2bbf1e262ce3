//! Packet indices: rollover guess and replay window, per SSRC (RFC 3711 §3.3.1, §3.3.2).

use crate::prefetch::prefetch;

/// The last SRTP index of a key: 2^48 packets (RFC 3711 §9.2).
pub(super) const MAX_RTP: u64 = (1 << 48) - 1;
/// The last SRTCP index of a key: 2^31 packets.
pub(super) const MAX_RTCP: u64 = (1 << 31) - 1;

/// How many indices back the window remembers.
const WINDOW: u64 = 128;
/// How many SSRCs one direction holds.
const STREAMS: usize = 4;

/// One SSRC: the newest index and which of the 128 up to it were used.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    /// Bit `k` stands for `newest - k`; zero: this place is free.
    used: u128,
    newest: u64,
    ssrc: u32,
}

impl Window {
    fn first(ssrc: u32, index: u64) -> Self {
        Self { used: 1, newest: index, ssrc }
    }

    /// The index nearest to the newest one that ends in this sequence number (RFC 3711 appendix A).
    ///
    /// `None` would be before the first packet of all. The result may lie past [`MAX_RTP`].
    pub(super) fn guess(&self, sequence: u16) -> Option<u64> {
        let [.., high, low] = self.newest.to_be_bytes();
        let newest_sequence = u16::from_be_bytes([high, low]);
        let step = match sequence.wrapping_sub(newest_sequence).cast_signed() {
            // Exactly half-way stays within the same rollover count.
            i16::MIN => i64::from(sequence) - i64::from(newest_sequence),
            step => i64::from(step),
        };
        self.newest.checked_add_signed(step)
    }

    /// This index was used before, or is too old to know.
    pub(super) fn is_used(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => false,
            Some(age) if age < WINDOW => self.used >> age & 1 == 1,
            Some(_) => true,
        }
    }

    fn record(&mut self, index: u64) {
        if let Some(age) = self.newest.checked_sub(index) {
            self.used |= 1_u128.checked_shl(u32::try_from(age).unwrap_or(u32::MAX)).unwrap_or(0);
        } else {
            let step = index - self.newest;
            let kept = u32::try_from(step).ok().and_then(|step| self.used.checked_shl(step));
            self.used = kept.unwrap_or(0) | 1;
            self.newest = index;
        }
    }
}

/// Which index a received sequence number may stand for, the likeliest first.
///
/// A stream that began shortly before its numbers wrapped, and whose first packets were lost, is heard first after the wrap:
/// whoever did not begin below 2^15 (RFC 4568 §6.4) would otherwise stay unheard for as long as it speaks.
pub(super) fn guesses(window: Option<&Window>, sequence: u16) -> impl Iterator<Item = u64> + use<> {
    let first = window.map_or(Some(u64::from(sequence)), |window| window.guess(sequence));
    let wrapped = (window.is_none() && sequence < 1 << 15).then(|| (1 << 16) + u64::from(sequence));
    first.into_iter().chain(wrapped)
}

/// The SSRCs of one direction, the one used last in front.
#[derive(Default)]
pub(super) struct Streams {
    windows: [Window; STREAMS],
}

impl Streams {
    /// Bring near the one used last.
    pub(super) fn expect(&self) {
        prefetch(&self.windows[0]);
    }

    pub(super) fn find(&self, ssrc: u32) -> Option<&Window> {
        self.position(ssrc).map(|position| &self.windows[position])
    }

    /// Remember an authenticated index; a new SSRC takes the place of the one used longest ago.
    pub(super) fn record(&mut self, ssrc: u32, index: u64) {
        let position = self.position(ssrc).unwrap_or_else(|| {
            self.windows[STREAMS - 1] = Window::first(ssrc, index);
            STREAMS - 1
        });
        self.windows[..=position].rotate_right(1);
        self.windows[0].record(index);
    }

    /// One more SSRC would push one out.
    pub(super) fn is_full(&self) -> bool {
        self.windows.iter().all(|window| window.used != 0)
    }

    fn position(&self, ssrc: u32) -> Option<usize> {
        self.windows.iter().position(|window| window.ssrc == ssrc && window.used != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guess_follows_the_sequence_number_over_its_wrap_both_ways() {
        let window = Window::first(1, 0x3_ffff);
        assert_eq!(window.guess(0x0000), Some(0x4_0000));
        assert_eq!(window.guess(0xfffe), Some(0x3_fffe));
        let window = Window::first(1, 0x4_0001);
        assert_eq!(window.guess(0xffff), Some(0x3_ffff));
        assert_eq!(window.guess(0x8000), Some(0x4_8000));
    }

    #[test]
    fn nothing_is_before_the_first_packet() {
        assert_eq!(Window::first(1, 3).guess(0xfffe), None);
    }

    #[test]
    fn the_window_knows_each_index_once_and_distrusts_the_old() {
        let mut window = Window::first(1, 1000);
        window.record(1002);
        assert!(window.is_used(1000) && window.is_used(1002));
        assert!(!window.is_used(1001) && !window.is_used(1003));
        window.record(1001);
        assert!(window.is_used(1001));
        assert!(!window.is_used(1002 - 127));
        assert!(window.is_used(1002 - 128));
        window.record(5000);
        assert!(window.is_used(5000) && !window.is_used(4999) && window.is_used(1002));
    }

    #[test]
    fn a_fifth_ssrc_replaces_the_one_unused_for_longest() {
        let mut streams = Streams::default();
        for ssrc in 1..=4 {
            assert!(!streams.is_full());
            streams.record(ssrc, 7);
        }
        assert!(streams.is_full());
        streams.record(1, 8);
        streams.record(5, 7);
        assert!(streams.find(2).is_none());
        assert!(streams.find(1).is_some_and(|window| window.is_used(7) && window.is_used(8)));
        assert!(streams.find(5).is_some());
    }
}

//! How long packets take compared with the fastest ones, and how long the line should wait for them.
//!
//! All times are in µs: `i64`, since a source's clock knows nothing of ours.

/// The fastest packet is looked for in so much of the past, twice: longer would lag behind a source whose clock runs
/// slow (at 200 ppm by 2 ms), shorter would forget it in a burst of jitter.
const SPAN: i64 = 5_000_000;
/// Width of a class of lateness.
const CLASS: i64 = 5_000;
/// Classes: the last one begins at [`MAX_DEPTH`].
const CLASSES: usize = 41;
/// Deepest the buffer becomes: later packets are lost, since talk with more delay is no conversation.
pub const MAX_DEPTH: i64 = 200_000;
/// Packets remembered: then the older half counts half. At 50 packets a second that is about ten seconds.
const MEMORY: u16 = 512;
/// One packet in so many may be later than the depth; the line still waits a little for it.
const LATE_ONE_IN: u16 = 32;
/// Jitter up to here is passed on as it is: smoothing it would cost every packet a timer, and the far end's own buffer
/// holds at least a frame.
const NEGLIGIBLE: i64 = 10_000;
/// The depth shrinks by this much at a time.
const STEP: i64 = CLASS;
/// How long a depth that a late packet asked for is kept.
const KEEP: i64 = 2_000_000;
/// In talk without a pause the depth shrinks this seldom.
const SELDOM: i64 = 200_000;

/// Transit times of one stream.
#[derive(Debug)]
pub struct Delay {
    /// Shortest transit of the span before the current one, and of the current one.
    fastest: [i64; 2],
    span_began: Option<i64>,
    classes: [u16; CLASSES],
    count: u16,
    depth: i64,
    /// The depth does not shrink before.
    keep_until: i64,
}

impl Default for Delay {
    /// Nothing measured: no depth.
    fn default() -> Delay {
        Delay { fastest: [0; 2], span_began: None, classes: [0; CLASSES], count: 0, depth: 0, keep_until: 0 }
    }
}

impl Delay {
    /// When media time 0 would have arrived at best.
    #[must_use]
    pub fn base(&self) -> i64 {
        self.fastest[0].min(self.fastest[1])
    }

    /// How long after its best arrival a packet is played.
    #[must_use]
    pub fn depth(&self) -> i64 {
        self.depth
    }

    /// A packet came at `now` whose audio began at `media` on the source's clock; how late it is.
    pub fn on_arrival(&mut self, now: i64, media: i64) -> i64 {
        let transit = now - media;
        self.roll(now, transit);
        self.fastest[1] = self.fastest[1].min(transit);
        let late = transit - self.base();
        self.note(late);
        late
    }

    /// Begin a new span when it is time.
    fn roll(&mut self, now: i64, transit: i64) {
        let age = self.span_began.map_or(i64::MAX, |began| now - began);
        if age < SPAN {
            return;
        }
        // A stream that was silent for long may have drifted away.
        self.fastest[0] = if age < 2 * SPAN { self.fastest[1] } else { transit };
        self.fastest[1] = transit;
        self.span_began = Some(now);
    }

    /// Something was this late, or would have been: the depth follows upwards at once.
    /// What no depth covers, after a stall of the network, is not counted.
    pub fn note(&mut self, late: i64) {
        let class = usize::try_from(late / CLASS).unwrap_or(0);
        if class >= CLASSES {
            return;
        }
        self.classes[class] += 1;
        self.count += 1;
        if self.count >= MEMORY {
            self.count = 0;
            for class in &mut self.classes {
                *class /= 2;
                self.count += *class;
            }
        }
        self.depth = self.depth.max(self.wanted());
    }

    /// The depth that all but few packets need.
    fn wanted(&self) -> i64 {
        let mut later = self.count / LATE_ONE_IN;
        for (class, count) in self.classes.iter().enumerate().rev() {
            if *count > later {
                let depth = CLASS * i64::try_from(class).unwrap_or(0);
                return if depth <= NEGLIGIBLE { 0 } else { depth };
            }
            later -= count;
        }
        0
    }

    /// A packet came too late to be played: the depth covers the next one like it.
    pub fn on_too_late(&mut self, now: i64, late: i64) {
        if late > MAX_DEPTH {
            return;
        }
        self.depth = self.depth.max((late + CLASS).min(MAX_DEPTH));
        self.keep_until = now + KEEP;
    }

    /// A piece was played: the depth may shrink, at once where nobody hears it.
    pub fn on_played(&mut self, now: i64, is_silent: bool) {
        if now >= self.keep_until && self.depth > 0 {
            let wanted = self.wanted();
            if self.depth > wanted {
                self.depth = wanted.max(self.depth - STEP);
                self.keep_until = if is_silent { now } else { now + SELDOM };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 20_000;

    /// Packets every 20 ms with these delays; the last lateness.
    fn feed(delay: &mut Delay, start: i64, delays: impl IntoIterator<Item = i64>) -> i64 {
        let mut late = 0;
        for (n, extra) in (0..).zip(delays) {
            late = delay.on_arrival(start + n * FRAME + extra, start + n * FRAME);
        }
        late
    }

    #[test]
    fn regular_packets_need_no_depth() {
        let mut delay = Delay::default();
        assert_eq!(feed(&mut delay, 7_000_000, [0; 1000]), 0);
        assert_eq!((delay.base(), delay.depth()), (0, 0));
    }

    #[test]
    fn jitter_below_half_a_frame_is_passed_on() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, (0..1000).map(|n| n * 7919 % 10_000));
        assert_eq!(delay.depth(), 0);
    }

    #[test]
    fn the_depth_covers_most_of_the_jitter_within_a_second() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, (0..50).map(|n| n * 7919 % 40_000));
        assert!((35_000..=40_000).contains(&delay.depth()), "{}", delay.depth());
    }

    #[test]
    fn a_late_packet_is_covered_at_once_and_forgotten_in_silence() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, [0; 500]);
        delay.on_too_late(10_000_000, 60_000);
        assert_eq!(delay.depth(), 65_000);
        for n in 0..100 {
            delay.on_played(10_000_000 + n * FRAME, true);
        }
        assert_eq!(delay.depth(), 65_000, "kept for two seconds");
        for n in 100..120 {
            delay.on_played(10_000_000 + n * FRAME, true);
        }
        assert_eq!(delay.depth(), 0);
    }

    #[test]
    fn in_talk_without_pause_the_depth_shrinks_slowly() {
        let mut delay = Delay::default();
        delay.on_too_late(0, 20_000);
        for n in 0..200 {
            delay.on_played(KEEP + n * FRAME, false);
        }
        assert_eq!(delay.depth(), 0);
        delay.on_too_late(0, 20_000);
        for n in 0..10 {
            delay.on_played(KEEP + n * FRAME, false);
        }
        assert_eq!(delay.depth(), 25_000 - STEP, "one step in 200 ms");
    }

    #[test]
    fn the_depth_has_an_end() {
        let mut delay = Delay::default();
        delay.on_too_late(0, MAX_DEPTH);
        assert_eq!(delay.depth(), MAX_DEPTH);
        feed(&mut delay, 0, (0..100).map(|n| n % 2 * MAX_DEPTH));
        assert_eq!(delay.depth(), MAX_DEPTH);
    }

    #[test]
    fn a_stall_that_no_depth_covers_makes_no_delay() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, [0; 500]);
        feed(&mut delay, 10_000_000, (0..25).map(|n| 500_000 - n * FRAME));
        delay.on_too_late(10_500_000, 500_000);
        assert_eq!(delay.depth(), 0);
    }

    /// RFC 3550 §6.4.1's jitter would call this zero and never see it; here it must not count as lateness.
    #[test]
    fn an_hour_of_drift_is_no_lateness() {
        for ppm in [-200, 200] {
            let mut delay = Delay::default();
            let late = feed(&mut delay, 0, (0..180_000).map(|n| n * FRAME * ppm / 1_000_000));
            assert!(late <= 2_000, "{late}");
            assert_eq!(delay.depth(), 0);
        }
    }

    #[test]
    fn a_path_that_became_longer_is_the_new_measure_after_ten_seconds() {
        let mut delay = Delay::default();
        feed(&mut delay, 0, [0; 100]);
        feed(&mut delay, 2_000_000, [50_000; 600]);
        assert_eq!(delay.base(), 50_000);
        feed(&mut delay, 60_000_000, [90_000; 1]);
        assert_eq!(delay.base(), 90_000, "after a long silence at once");
    }
}

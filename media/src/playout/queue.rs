//! Packets of one stream in the order of their sequence numbers, each waiting for its time.
//!
//! The buffers are kept and handed round, so that memory follows the most that ever waited at once.

/// A packet so far ahead begins anew rather than after a gap; as in RFC 3550 A.1.
const MAX_DROPOUT: u16 = 3000;
/// A packet so far behind begins anew rather than being late; as in RFC 3550 A.1.
const MAX_MISORDER: u16 = 100;
/// Sequence numbers looked ahead; a power of two, so that the wrap of the numbers keeps neighbours apart.
const WINDOW: u16 = 64;

/// What a packet is to the line of audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// A payload of the stream's codec.
    #[default]
    Audio,
    /// What the silence sounds like that begins here (RFC 3389).
    ComfortNoise,
    /// Something else: it only takes its place in the sequence.
    Other,
}

/// What became of a pushed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It waits for its turn, which may have come already.
    Taken,
    /// It is here already.
    Duplicate,
    /// Its place was given up.
    Late,
}

/// A packet that waits.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// What it is.
    pub content: Content,
    /// Media time of its first sample, in samples.
    pub at: i64,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The packets that wait.
#[derive(Debug)]
pub struct Queue {
    /// The sequence number that leaves next; unknown before the first packet.
    next: Option<u16>,
    /// Where the packet of a sequence number modulo [`WINDOW`] lies in `pool`, plus one; 0 for none.
    places: [u8; WINDOW as usize],
    pool: Vec<Held>,
    free: Vec<u8>,
    waiting: usize,
}

impl Default for Queue {
    /// Nothing waits.
    fn default() -> Queue {
        Queue { next: None, places: [0; WINDOW as usize], pool: Vec::new(), free: Vec::new(), waiting: 0 }
    }
}

impl Queue {
    /// How many packets wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether no packet waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Another stream begins: what waits is forgotten.
    pub fn clear(&mut self) {
        self.next = None;
        for place in &mut self.places {
            if *place > 0 {
                self.free.push(*place - 1);
                *place = 0;
            }
        }
        self.waiting = 0;
    }

    /// Add a packet.
    pub fn push(&mut self, sequence: u16, content: Content, at: i64, payload: &[u8]) -> Verdict {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead > MAX_DROPOUT && ahead.wrapping_neg() <= MAX_MISORDER {
            return Verdict::Late;
        }
        if ahead >= WINDOW {
            self.clear();
            self.next = Some(sequence);
        }
        let place = usize::from(sequence % WINDOW);
        if self.places[place] > 0 {
            return Verdict::Duplicate;
        }
        let index = self.buffer();
        let held = &mut self.pool[usize::from(index)];
        (held.content, held.at) = (content, at);
        held.payload.clear();
        held.payload.extend_from_slice(payload);
        self.places[place] = index + 1;
        self.waiting += 1;
        Verdict::Taken
    }

    fn buffer(&mut self) -> u8 {
        self.free.pop().unwrap_or_else(|| {
            self.pool.push(Held::default());
            // At most WINDOW packets wait.
            u8::try_from(self.pool.len() - 1).unwrap_or(0)
        })
    }

    /// The first packet that waits, and how many before it are missing.
    #[must_use]
    pub fn first(&self) -> Option<(u16, &Held)> {
        let next = self.next.filter(|_| self.waiting > 0)?;
        let found = |missing: &u16| self.places[usize::from(next.wrapping_add(*missing) % WINDOW)] > 0;
        let missing = (0..WINDOW).find(found)?;
        let index = self.places[usize::from(next.wrapping_add(missing) % WINDOW)] - 1;
        Some((missing, &self.pool[usize::from(index)]))
    }

    /// Take the first packet, giving up what is missing before it; it is valid until the next push.
    pub fn pop(&mut self) -> Option<&Held> {
        let missing = self.first()?.0;
        let sequence = self.next?.wrapping_add(missing);
        let index = std::mem::take(&mut self.places[usize::from(sequence % WINDOW)]) - 1;
        self.waiting -= 1;
        self.next = Some(sequence.wrapping_add(1));
        self.free.push(index);
        Some(&self.pool[usize::from(index)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut Queue, sequence: u16) -> Verdict {
        queue.push(sequence, Content::Audio, i64::from(sequence), &sequence.to_be_bytes())
    }

    /// What leaves: (missing before it, the number it came with).
    fn drain(queue: &mut Queue) -> Vec<(u16, u16)> {
        let mut seen = Vec::new();
        while let Some((missing, _)) = queue.first() {
            let held = queue.pop().expect("the first one");
            seen.push((missing, u16::from_be_bytes([held.payload[0], held.payload[1]])));
        }
        seen
    }

    #[test]
    fn packets_leave_in_order_over_the_wrap() {
        let mut queue = Queue::default();
        for sequence in [65_534, 1, 0, 65_535, 4] {
            assert_eq!(push(&mut queue, sequence), Verdict::Taken);
        }
        assert_eq!(queue.len(), 5);
        assert_eq!(drain(&mut queue), [(0, 65_534), (0, 65_535), (0, 0), (0, 1), (2, 4)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn latecomers_and_duplicates_are_told_apart() {
        let mut queue = Queue::default();
        push(&mut queue, 10);
        push(&mut queue, 12);
        assert_eq!(push(&mut queue, 12), Verdict::Duplicate);
        assert_eq!(drain(&mut queue), [(0, 10), (1, 12)]);
        assert_eq!(push(&mut queue, 11), Verdict::Late);
        assert_eq!(push(&mut queue, 12), Verdict::Late);
    }

    #[test]
    fn a_leap_begins_anew_in_either_direction() {
        let mut queue = Queue::default();
        push(&mut queue, 1000);
        push(&mut queue, 1000 + WINDOW);
        assert_eq!(drain(&mut queue), [(0, 1000 + WINDOW)]);
        push(&mut queue, 500);
        assert_eq!(drain(&mut queue), [(0, 500)]);
    }

    #[test]
    fn buffers_are_used_again() {
        let mut queue = Queue::default();
        for sequence in 0..10_000 {
            push(&mut queue, sequence);
            push(&mut queue, sequence.wrapping_add(1));
            queue.pop();
        }
        assert!(queue.pool.len() <= 2);
        queue.clear();
        assert_eq!((queue.len(), queue.free.len()), (0, queue.pool.len()));
    }

    #[test]
    fn each_packet_leaves_once_in_order_whatever_comes() {
        let mut seed = 11_u32;
        let mut random = move |below: u16| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::from_be_bytes([seed.to_be_bytes()[0], seed.to_be_bytes()[1]]) % below
        };
        let mut queue = Queue::default();
        let mut next: u16 = 65_000;
        push(&mut queue, next);
        for _ in 0..50_000 {
            push(&mut queue, next.wrapping_add(random(20)).wrapping_sub(6));
            if random(3) == 0 {
                for (missing, sequence) in drain(&mut queue) {
                    assert_eq!(sequence, next.wrapping_add(missing));
                    next = sequence.wrapping_add(1);
                }
            }
            assert!(queue.pool.len() <= usize::from(WINDOW));
        }
    }
}

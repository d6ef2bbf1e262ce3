//! Digits of one leg, in and out, in each of their forms.

use std::time::Duration;

use super::Leg;
use crate::counters::Dropped;
use crate::dtmf::{self, Digit, Form, Twins};
use crate::event::Event;
use crate::keyear::KeyEar;
use crate::outbox::Outbox;

/// Pause between digits that are passed on from another leg.
const PASSED_ON_GAP_MS: u32 = 60;
/// Shortest digit passed on: what every receiver takes for one (ITU-T Q.24).
const SHORTEST_DIGIT_MS: u32 = 80;

/// What a leg knows of the keys that its peer presses.
#[derive(Default)]
pub(super) struct Keys {
    /// Once there was a key: most calls have none, and every packet passes by here.
    twins: Option<Box<Twins>>,
    /// Whether tones are keys; the ear is there once it is known what the peer speaks.
    listens: bool,
    ear: Option<Box<KeyEar>>,
}

impl Keys {
    /// A key whose tone stopped with everything else.
    pub(super) fn on_timer(&mut self, now: Duration) -> Option<Digit> {
        self.ear.as_mut()?.on_timer(now)
    }

    /// The peer's numbering begins anew.
    pub(super) fn restart(&mut self) {
        if let Some(ear) = &mut self.ear {
            ear.restart();
        }
    }

    /// When `on_timer` is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.ear.as_ref()?.deadline()
    }
}

impl Leg {
    /// Take tones in what the peer says for keys, or do not.
    pub(super) fn listen(&mut self, listens: bool) {
        self.keys.listens = listens;
        self.tune_ear();
    }

    /// Hear the tones of keys in a plain RTP packet that the statistics accepted: they are told to `emit` when they end,
    /// and silenced; its new length.
    ///
    /// What we say ourselves as tones may come back as an echo: nothing is listened to meanwhile.
    pub(super) fn hear_keys(&mut self, now: Duration, packet: &mut [u8], emit: &mut dyn FnMut(Digit)) -> usize {
        let Some(ear) = self.keys.ear.as_mut() else {
            return packet.len();
        };
        if self.outbound.may_echo(now) {
            return packet.len();
        }
        ear.on_packet(now, packet, emit)
    }

    /// Listen for the tones of keys, in the codec that the peer speaks now, if that is wanted.
    pub(super) fn tune_ear(&mut self) {
        let format = self.inbound.format().filter(|_| self.keys.listens);
        let fits = format.is_some_and(|format| self.keys.ear.as_ref().is_some_and(|ear| ear.fits(&format)));
        if !fits {
            self.keys.ear = format.and_then(|format| KeyEar::new(&format)).map(Box::new);
        }
    }

    /// The peer sent a digit: tell it, and give it on, unless it came already in another form.
    pub fn hear(&mut self, now: Duration, digit: Digit, form: Form, out: &mut Outbox) -> Option<Digit> {
        if !self.keys.twins.get_or_insert_default().is_new(now, digit, form) {
            return None;
        }
        self.counters.rx_digits += 1;
        out.event(self.id, Event::Dtmf(digit, form));
        Some(digit)
    }

    /// Send a digit that another leg received, if the peer takes digits in its media.
    pub fn forward_digit(&mut self, now: Duration, digit: Digit, out: &mut Outbox) {
        self.queue_digits(now, &[digit.event], digit.duration_ms.max(SHORTEST_DIGIT_MS), PASSED_ON_GAP_MS, out);
    }

    pub(super) fn queue_digits(
        &mut self,
        now: Duration,
        events: &[u8],
        duration_ms: u32,
        gap_ms: u32,
        out: &mut Outbox,
    ) {
        if self.outbound.digit_form() == Form::Info {
            return; // signalling has it
        }
        for event in events {
            if !self.outbound.queue_digit(now, *event, duration_ms, gap_ms) {
                self.counters.drops.count(Dropped::Unsent);
            }
        }
        let (outbound, mut wire) = self.sending_half(out);
        outbound.send_digits(now, &mut wire);
    }
}

/// RFC 4733 event codes of dialled characters, or the first character that is none.
///
/// # Errors
/// That character.
pub fn events_of(digits: &str) -> Result<Vec<u8>, char> {
    digits.chars().map(|digit| dtmf::event_of(digit).ok_or(digit)).collect()
}

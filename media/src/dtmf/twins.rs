//! One key press, one digit: peers that send a key in two forms at once (SIP INFO and RFC 4733, or a tone that leaks into
//! the audio beside its telephone-event) press it only once.
//!
//! Two digits are twins when they are the same key in different forms, at about the same time. A digit has one twin per
//! form at most, so that a key pressed twice stays two digits.

use std::time::Duration;

use super::{Digit, Form};

/// How far apart twins may be: an INFO that is lost comes again after 0.5 s and after 1.5 s (RFC 3261 §17.1.2.2).
const SLACK: Duration = Duration::from_secs(2);
/// Digits that are remembered: as many as anybody dials within the slack.
const REMEMBERED: usize = 16;

/// A digit that was heard.
#[derive(Clone, Copy)]
struct Heard {
    event: u8,
    /// The forms in which it came so far, a bit each.
    forms: u8,
    from: Duration,
    until: Duration,
}

/// Tells new digits from those that came already in another form.
#[derive(Default)]
pub struct Twins {
    heard: [Option<Heard>; REMEMBERED],
}

impl Twins {
    /// Whether this digit, which ends now, is a key press of its own.
    pub fn is_new(&mut self, now: Duration, digit: Digit, form: Form) -> bool {
        let from = now.saturating_sub(Duration::from_millis(digit.duration_ms.into()));
        let form = 1 << form as u8;
        let twin = self.heard.iter_mut().rev().flatten().find(|heard| {
            let near = from <= heard.until + SLACK && heard.from <= now + SLACK;
            heard.event == digit.event && heard.forms & form == 0 && near
        });
        if let Some(twin) = twin {
            twin.forms |= form;
            return false;
        }
        self.heard.rotate_right(1);
        self.heard[0] = Some(Heard { event: digit.event, forms: form, from, until: now });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Form::{Event, Info, Tone};
    use super::*;

    /// Feed (ms, event, duration in ms, form); gives the indices of the digits that are new.
    fn new(rows: &[(u64, u8, u32, Form)]) -> Vec<usize> {
        let mut twins = Twins::default();
        let mut is_new = |&(now_ms, event, duration_ms, form): &(u64, u8, u32, Form)| {
            twins.is_new(Duration::from_millis(now_ms), Digit { event, duration_ms }, form)
        };
        rows.iter().enumerate().filter(|(_, row)| is_new(row)).map(|(index, _)| index).collect()
    }

    #[test]
    fn the_same_key_in_two_or_three_forms_is_one_digit() {
        assert_eq!(new(&[(100, 5, 100, Event), (130, 5, 160, Info)]), [0]);
        assert_eq!(new(&[(100, 5, 100, Info), (110, 5, 90, Event), (150, 5, 80, Tone)]), [0]);
    }

    #[test]
    fn a_key_pressed_twice_in_two_forms_is_two_digits() {
        let rows = [(100, 5, 100, Event), (110, 5, 100, Info), (300, 5, 100, Event), (310, 5, 100, Info)];
        assert_eq!(new(&rows), [0, 2]);
        let late = [(100, 5, 100, Event), (300, 5, 100, Event), (310, 5, 100, Info), (320, 5, 100, Info)];
        assert_eq!(new(&late), [0, 1]);
    }

    #[test]
    fn an_info_at_the_press_of_a_key_that_is_held_long_is_its_twin() {
        assert_eq!(new(&[(1000, 1, 160, Info), (9000, 1, 8000, Event)]), [0]);
    }

    #[test]
    fn other_keys_other_times_and_the_same_form_are_new() {
        assert_eq!(new(&[(100, 1, 100, Event), (110, 2, 100, Info)]), [0, 1]);
        assert_eq!(new(&[(100, 1, 100, Event), (2300, 1, 100, Info)]), [0, 1]);
        assert_eq!(new(&[(100, 1, 100, Info), (150, 1, 100, Info)]), [0, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let rows: Vec<_> = (0..1000).map(|n| (n, (n % 16) as u8, 40, Event)).collect();
        assert_eq!(new(&rows).len(), 1000);
    }
}

//! Digits that a leg sends, as events (RFC 4733) or as tones.

use std::time::Duration;

use super::{MAX_WAIT, Outbound, send};
use crate::dtmf::{Form, Generator};
use crate::keytones::KeyTones;
use crate::transport::Wire;

/// How long after our tones an echo of them may still arrive: two ways through a slow network, and a hybrid.
const ECHO: Duration = Duration::from_millis(400);

impl Outbound {
    /// Send digits in this form.
    pub fn set_digit_form(&mut self, form: Form) {
        self.digit_form = form;
    }

    /// The form of the digits that are sent.
    #[must_use]
    pub fn digit_form(&self) -> Form {
        self.digit_form
    }

    /// Queue a digit; false when the peer takes none, or too many wait.
    pub fn queue_digit(&mut self, now: Duration, event: u8, duration_ms: u32, gap_ms: u32) -> bool {
        // Digits that still go in the former form take this one along: tones amid the packets of an event would be neither.
        let goes_as_event = self.generator.as_ref().is_some_and(Generator::is_sending);
        if self.key_tones.is_some() || (self.digit_form == Form::Tone && !goes_as_event) {
            return self.queue_tone(now, event, duration_ms, gap_ms);
        }
        self.generator.as_mut().is_some_and(|generator| generator.push(event, duration_ms, gap_ms))
    }

    fn queue_tone(&mut self, now: Duration, event: u8, duration_ms: u32, gap_ms: u32) -> bool {
        let Some(format) = self.format else {
            return false;
        };
        if self.key_tones.is_none() {
            let start = self.stream.free_at().clamp(now, now + MAX_WAIT);
            let Ok(tones) = KeyTones::new(format, self.opus_complexity, start) else {
                return false;
            };
            self.take_over();
            self.key_tones = Some(Box::new(tones));
        }
        self.key_tones.as_mut().is_some_and(|tones| tones.push(event, duration_ms, gap_ms))
    }

    /// Whether tones in what the peer sends may be an echo of ours.
    #[must_use]
    pub fn may_echo(&self, now: Duration) -> bool {
        self.key_tones.is_some() || now < self.echoes_until
    }

    pub(super) fn is_sending_digits(&self) -> bool {
        self.key_tones.is_some() || self.generator.as_ref().is_some_and(Generator::is_sending)
    }

    /// Send the packets of digits that are due.
    pub fn send_digits(&mut self, now: Duration, wire: &mut Wire) {
        self.send_events(now, wire);
        if self.sending && wire.transport.rtp_path().is_some() {
            self.send_tones(now, wire);
        }
    }

    fn send_tones(&mut self, now: Duration, wire: &mut Wire) {
        let (Some(format), Some(tones)) = (self.format, self.key_tones.take()) else {
            return;
        };
        let fitting =
            if tones.fits(&format) { Ok(tones) } else { tones.refit(format, self.opus_complexity).map(Box::new) };
        let Outbound { stream, stats, .. } = self;
        let rest = fitting.and_then(|mut tones| {
            let goes_on = tones.take(now, &mut |payload, ticks, resumes| {
                if resumes {
                    stream.pause();
                }
                let place = stream.append(now, ticks);
                send(stream, place, format.payload_type, payload, stats, wire);
            })?;
            Ok(goes_on.then_some(tones))
        });
        self.errors += u64::from(rest.is_err());
        self.key_tones = rest.ok().flatten();
        if self.key_tones.is_none() {
            self.echoes_until = now + ECHO;
            self.give_back();
        }
    }

    fn send_events(&mut self, now: Duration, wire: &mut Wire) {
        let (true, Some(format), Some(generator)) = (self.sending, self.format, &mut self.generator) else {
            return;
        };
        let Some((payload_type, _)) = format.events[0].filter(|_| wire.transport.rtp_path().is_some()) else {
            return;
        };
        while let Some(packet) = generator.next(now, self.stream.clock(now)) {
            let place = self.stream.place_event(now, packet.timestamp);
            let header = self.stream.header(place, payload_type, packet.marker);
            if wire.rtp(&header, &packet.payload) {
                self.stats.on_packet(packet.payload.len());
            }
        }
    }
}

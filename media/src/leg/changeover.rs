//! A change of codec in mid-call that nobody hears.
//!
//! A browser speaks, and for certain understands, only the former codec until it has applied our answer (RFC 3264 §8.3.1):
//! what was agreed counts both ways from its first packet in the new one.

use std::time::Duration;

use super::Leg;
use crate::command::Format;
use crate::player::Play;
use crate::rtp::Pt;
use crate::sound::Cut;
use crate::transport::Transport;

/// A browser that has been silent for so long will speak what was agreed last; Opus with DTX speaks every 400 ms.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was agreed and is not spoken yet.
pub(super) struct Changeover {
    format: Format,
    /// The browser is silent if it has said nothing by then.
    until: Duration,
    /// What is to be played, where its packets are made for the new codec already.
    play: Option<Play>,
}

impl Leg {
    /// The peer agreed to this; a browser in the midst of another payload type has yet to hear of it.
    pub(super) fn agree(&mut self, now: Duration, format: Format) {
        let spoken = self.inbound.format().map(|spoken| spoken.payload_type);
        let is_browser = matches!(self.transport, Transport::Browser(_));
        self.change = None;
        if is_browser && spoken.is_some_and(|spoken| spoken != format.payload_type) {
            self.change = Some(Box::new(Changeover { format, until: now + PATIENCE, play: None }));
        } else {
            self.set_format(format);
        }
    }

    fn set_format(&mut self, format: Format) {
        self.inbound.set_format(format);
        self.outbound.set_format(format);
        self.tune_ear();
    }

    /// The peer sent a packet of this payload type: the first that only the new codec has completes a change.
    pub(super) fn follow_change(&mut self, now: Duration, payload_type: Pt) {
        let Some(change) = &mut self.change else {
            return;
        };
        change.until = now + PATIENCE;
        let is_former = self.inbound.format().is_some_and(|spoken| spoken.has(payload_type));
        if change.format.has(payload_type) && !is_former {
            self.complete_change(now);
        }
    }

    /// Complete a change of which a silent browser says nothing.
    pub(super) fn end_change(&mut self, now: Duration) {
        if self.change_deadline().is_some_and(|until| until <= now) {
            self.complete_change(now);
        }
    }

    /// When `end_change` is due.
    pub(super) fn change_deadline(&self) -> Option<Duration> {
        self.change.as_ref().map(|change| change.until)
    }

    fn complete_change(&mut self, now: Duration) {
        if let Some(change) = self.change.take() {
            self.set_format(change.format);
            if let Some(play) = change.play {
                self.outbound.play(now, play);
            }
        }
    }

    /// Play this; what is made for the codec that is not spoken yet, once it is.
    pub(super) fn play(&mut self, now: Duration, play: Play) {
        match &mut self.change {
            Some(change) if Cut::from(change.format) == play.frames.cut() => change.play = Some(play),
            _ => self.outbound.play(now, play),
        }
    }

    /// Play no more.
    pub(super) fn stop_playing(&mut self) {
        if let Some(change) = &mut self.change {
            change.play = None;
        }
        self.outbound.stop_playing(self.transport.rtp_path().is_some());
    }
}

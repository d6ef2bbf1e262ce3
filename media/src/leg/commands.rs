//! What a leg is told to do.

use std::time::Duration;

use super::Leg;
use crate::command::{Command, Remote};
use crate::counters::Dropped;
use crate::outbox::Outbox;
use crate::path::Path;
use crate::sdes::Change;
use crate::srtp::{Receiver, Sender};
use crate::transport::Transport;

impl Leg {
    /// Do what was asked. What [`Command::SetSource`] and [`Command::Hear`] mean is the relay's business.
    ///
    /// Returns the packets that came before the keys and can be read now.
    pub fn apply(&mut self, now: Duration, command: Command, out: &mut Outbox) -> Vec<(Path, Vec<u8>)> {
        match command {
            Command::SendDtls(record) => self.send_dtls(&record, out),
            Command::SetSrtp(keys) => return self.set_srtp(*keys),
            Command::SetSdes(change) => self.set_sdes(change.map(|change| *change)),
            Command::SetVoipMetrics(enabled) => self.reporter.sends_voip = enabled,
            Command::SetFormat(format) => self.agree(now, format),
            Command::SetRemote(remote) => self.set_remote(now, remote),
            Command::Answered => out.events.extend(self.meter.restart().map(|event| (self.id, event))),
            Command::SetSending(enabled) => {
                self.sending = enabled;
                self.outbound.set_sending(enabled);
                self.watch(now);
            }
            Command::SetReceiving(enabled) => {
                self.receiving = enabled;
                self.meter.interrupt();
                self.watch(now);
            }
            Command::RestartIce { ufrag, pwd } => self.restart_ice(&ufrag, &pwd),
            Command::Dtmf { events, duration_ms, gap_ms } => {
                self.queue_digits(now, &events, duration_ms, gap_ms, out);
            }
            Command::Play(play) => self.play(now, play),
            Command::StopPlaying => self.stop_playing(),
            Command::Tap(tap) => self.ears.add(tap),
            Command::SetDigits { form, listens } => {
                self.outbound.set_digit_form(form);
                self.listen(listens);
            }
            Command::SetSource(_) => self.interrupt(),
            Command::Hear(_) => {}
        }
        Vec::new()
    }

    /// The source pauses, resumes or changes: what comes next continues our numbers, not the source's.
    pub fn interrupt(&mut self) {
        self.outbound.interrupt();
    }

    fn send_dtls(&mut self, record: &[u8], out: &mut Outbox) {
        let Transport::Browser(browser) = &self.transport else {
            return;
        };
        let sent = browser.ice().path().is_some_and(|path| {
            out.packet(self.id, path, |buffer| {
                buffer.get_mut(..record.len())?.copy_from_slice(record);
                Some(record.len())
            })
        });
        if !sent {
            self.counters.drops.count(Dropped::Unsent);
        }
    }

    fn set_srtp(&mut self, (receiver, sender): (Receiver, Sender)) -> Vec<(Path, Vec<u8>)> {
        match &mut self.transport {
            Transport::Browser(browser) => browser.set_keys(receiver, sender),
            Transport::Port(_) => Vec::new(),
        }
    }

    fn set_sdes(&mut self, change: Option<Change>) {
        self.refused = 0;
        if let Transport::Port(port) = &mut self.transport {
            port.set_sdes(change);
        }
    }

    fn set_remote(&mut self, now: Duration, remote: Remote) {
        if let Transport::Port(port) = &mut self.transport {
            port.set_remote(remote);
            self.expected = true;
            if remote.reopen {
                self.liveness.await_media();
            }
            self.watch(now);
        }
    }

    /// On hold, an RTP peer may be silent for as long as it likes; a browser keeps checking (RFC 7675).
    fn watch(&mut self, now: Duration) {
        let flows = self.sending && self.receiving;
        let watching = self.expected && (flows || matches!(self.transport, Transport::Browser(_)));
        self.liveness.watch(now, watching);
    }

    fn restart_ice(&mut self, ufrag: &str, pwd: &str) {
        if let Transport::Browser(browser) = &mut self.transport {
            browser.restart_ice(ufrag, pwd);
        }
    }
}

//! A leg as its owner holds it: answers for its last figures after it is closed.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::codec::Codec;
use crate::command::{Command, Format, MOST_EVENT_TYPES, Remote};
use crate::counters::Figures;
use crate::dtmf::{self, Digit, Form};
use crate::engine::Engine;
use crate::error::Error;
use crate::leg::events_of;
use crate::path::LegId;
use crate::rtp::Pt;
use crate::sdes::Change;
use crate::srtp::{Profile, Receiver as SrtpReceiver, Sender as SrtpSender};
use crate::tap::{self, Tap};

/// Longest digit: what fits into one segment of RFC 4733 at any clock rate and nobody presses for longer.
const LONGEST_DIGIT_MS: u32 = 5000;
/// Longest pause between digits.
const LONGEST_GAP_MS: u32 = 5000;
/// Digits taken in one call.
const MAX_DIGITS: usize = 64;

/// Keys of ours in the life of one leg: a new one comes with a new cipher, and each costs a context.
const MAX_SDES_KEYS: usize = 16;

/// A master key and salt with the MKI that names it.
pub type NamedKey<'a> = (&'a [u8], &'a [u8]);

#[derive(PartialEq, Eq)]
struct SdesKey {
    profile: Profile,
    key: Vec<u8>,
    mki: Vec<u8>,
}

/// The keys of an RTP leg, by which the same key is known when it comes again.
#[derive(Default)]
struct SdesKeys {
    receive: Option<SdesKey>,
    send: Vec<SdesKey>,
}

/// How far a leg's life has come.
enum Life {
    Open,
    /// The last figures are on their way.
    Closing(Receiver<Figures>),
    Closed(Figures),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SdesKeys {
    fn change(&mut self, profile: Profile, receive: NamedKey<'_>, send: NamedKey<'_>) -> Result<Change, Error> {
        let named = |(key, mki): NamedKey<'_>| SdesKey { profile, key: key.to_vec(), mki: mki.to_vec() };
        let (receive_key, send_key) = (named(receive), named(send));
        let is_new = self.receive.as_ref() != Some(&receive_key);
        let known = self.send.iter().position(|key| *key == send_key);
        if known.is_none() && self.send.len() >= MAX_SDES_KEYS {
            return argument(format!("a leg takes at most {MAX_SDES_KEYS} SRTP keys to send with"));
        }
        let receiver = SrtpReceiver::with_mki(profile, receive.0, receive.1);
        let sender = SrtpSender::with_mki(profile, send.0, send.1);
        let (Ok(receiver), Ok(sender)) = (receiver, sender) else {
            let (wanted, lengths) = (profile.key_len() + profile.salt_len(), (receive.0.len(), send.0.len()));
            let name = profile.name();
            return argument(format!(
                "{name} needs {wanted} bytes of key and salt each way, not {lengths:?}, and an MKI has at most 128"
            ));
        };
        if known.is_none() {
            self.send.push(send_key);
        }
        self.receive = Some(receive_key);
        Ok(Change {
            receiver: is_new.then_some(receiver),
            sender: known.unwrap_or(self.send.len() - 1),
            new_sender: known.is_none().then_some(sender),
        })
    }
}

/// A leg of an engine.
pub struct Handle {
    engine: Arc<Engine>,
    id: LegId,
    address: Option<SocketAddr>,
    life: Mutex<Life>,
    takes_digits: Mutex<bool>,
    digit_form: Mutex<Form>,
    sdes: Mutex<SdesKeys>,
}

fn argument<T>(sentence: String) -> Result<T, Error> {
    Err(Error::Argument(sentence))
}

impl Handle {
    /// The handle of a new leg.
    #[must_use]
    pub fn new(engine: Arc<Engine>, id: LegId, address: Option<SocketAddr>) -> Handle {
        Handle {
            engine,
            id,
            address,
            life: Mutex::new(Life::Open),
            takes_digits: Mutex::new(false),
            digit_form: Mutex::new(Form::Event),
            sdes: Mutex::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> LegId {
        self.id
    }

    /// Where an RTP leg receives RTP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn is_browser(&self) -> bool {
        self.address.is_none()
    }

    /// Send one DTLS datagram.
    pub fn send_dtls(&self, record: &[u8]) {
        self.engine.command(self.id, Command::SendDtls(record.to_vec()));
    }

    /// Use these SRTP keys.
    ///
    /// # Errors
    /// An unknown profile, a wrong length, or not a browser leg.
    pub fn set_srtp(&self, profile: &str, receive: &[u8], send: &[u8]) -> Result<(), Error> {
        if !self.is_browser() {
            return argument("an RTP leg takes no DTLS-SRTP keys".to_owned());
        }
        let Some(kind) = Profile::from_name(profile) else {
            return argument(format!("unknown SRTP profile {profile:?}"));
        };
        let wanted = kind.key_len() + kind.salt_len();
        let lengths = (receive.len(), send.len());
        let (Ok(receiver), Ok(sender)) = (SrtpReceiver::new(kind, receive), SrtpSender::new(kind, send)) else {
            return argument(format!("{profile} needs {wanted} bytes of key and salt each way, not {lengths:?}"));
        };
        self.engine.command(self.id, Command::SetSrtp(Box::new((receiver, sender))));
        Ok(())
    }

    /// SRTP on an RTP leg, with keys from the SDP. A key that is in use already keeps its counters.
    ///
    /// # Errors
    /// An unknown profile, a wrong length, too many keys, or a browser leg.
    pub fn set_sdes(&self, profile: &str, receive: NamedKey<'_>, send: NamedKey<'_>) -> Result<(), Error> {
        if self.is_browser() {
            return argument("a browser leg gets its keys by DTLS, not by SDES".to_owned());
        }
        let Some(kind) = Profile::from_name(profile) else {
            return argument(format!("unknown SRTP profile {profile:?}"));
        };
        let mut keys = lock(&self.sdes);
        let change = keys.change(kind, receive, send)?;
        // Still under the lock: the order of commands must be that of the keys.
        self.engine.command(self.id, Command::SetSdes(Some(Box::new(change))));
        Ok(())
    }

    /// Plain RTP on an RTP leg.
    ///
    /// # Errors
    /// A browser leg.
    pub fn clear_sdes(&self) -> Result<(), Error> {
        if self.is_browser() {
            return argument("a browser leg is always encrypted".to_owned());
        }
        let _keys = lock(&self.sdes);
        self.engine.command(self.id, Command::SetSdes(None));
        Ok(())
    }

    /// Say what the peer speaks.
    ///
    /// # Errors
    /// An unknown codec, or a number out of its range.
    pub fn set_codec(
        &self,
        codec: &str,
        payload_type: u8,
        events: &[(u8, u32)],
        ptime_ms: u32,
        comfort_noise: Option<u8>,
        offered_as: Option<u8>,
    ) -> Result<(), Error> {
        let Some(kind) = Codec::from_name(codec) else {
            return argument(format!("unknown codec {codec:?}"));
        };
        let event_types = events.iter().map(|(number, _)| *number);
        let others = event_types.chain(comfort_noise).chain(offered_as);
        let types: Vec<u8> = std::iter::once(payload_type).chain(others).collect();
        if let Some(wrong) = types.iter().find(|number| **number > 127) {
            return argument(format!("payload type {wrong} is not 0 to 127"));
        }
        if let Some(at) = (1..types.len()).find(|&at| types[..at].contains(&types[at])) {
            return argument(format!("payload type {} is given twice: each format needs one of its own", types[at]));
        }
        if events.len() > MOST_EVENT_TYPES {
            return argument(format!("{} telephone-events: expected at most {MOST_EVENT_TYPES}", events.len()));
        }
        if comfort_noise.is_some() && !matches!(kind, Codec::Pcmu | Codec::Pcma) {
            return argument(format!("comfort noise goes beside PCMU and PCMA, not beside {codec}"));
        }
        if let Some((_, rate_hz)) = events.iter().find(|(_, rate_hz)| !(8000..=48_000).contains(rate_hz)) {
            return argument(format!("telephone-event at {rate_hz} Hz: expected 8000 to 48000"));
        }
        if ![10, 20, 30, 40, 60].contains(&ptime_ms) {
            return argument(format!("ptime of {ptime_ms} ms: expected 10, 20, 30, 40 or 60"));
        }
        *lock(&self.takes_digits) = !events.is_empty();
        let format = Format {
            codec: kind,
            payload_type: Pt(payload_type),
            offered_as: offered_as.map(Pt),
            events: std::array::from_fn(|at| events.get(at).map(|(number, rate_hz)| (Pt(*number), *rate_hz))),
            ptime_ms,
            comfort_noise: comfort_noise.map(Pt),
        };
        self.engine.set_format(self.id, format);
        Ok(())
    }

    /// Say where an RTP leg's peer is.
    ///
    /// # Errors
    /// A browser leg, a port 0, or another address family than ours.
    pub fn set_remote(&self, remote: Remote) -> Result<(), Error> {
        let Some(ours) = self.address else {
            return argument("a browser leg learns its peer by ICE, not by set_remote".to_owned());
        };
        for address in [Some(remote.rtp), remote.rtcp].into_iter().flatten() {
            if address.port() == 0 {
                return argument(format!("{address} has port 0: a rejected stream has no address"));
            }
            if address.is_ipv4() != ours.is_ipv4() {
                return argument(format!("{address} is not of the address family of this leg, {ours}"));
            }
        }
        self.engine.command(self.id, Command::SetRemote(remote));
        Ok(())
    }

    /// Send `VoIP` metrics with reports, or do not.
    pub fn set_voip_metrics(&self, enabled: bool) {
        self.engine.command(self.id, Command::SetVoipMetrics(enabled));
    }

    /// The call is answered: what is heard from now on is the peer.
    pub fn answered(&self) {
        self.engine.command(self.id, Command::Answered);
    }

    /// Send RTP to the peer, or do not.
    pub fn set_sending(&self, enabled: bool) {
        self.engine.command(self.id, Command::SetSending(enabled));
    }

    /// Use RTP from the peer, or drop it.
    pub fn set_receiving(&self, enabled: bool) {
        self.engine.command(self.id, Command::SetReceiving(enabled));
    }

    /// New ICE credentials.
    ///
    /// # Errors
    /// Too short, in use, or not a browser leg.
    pub fn restart_ice(&self, ufrag: &str, pwd: &str) -> Result<(), Error> {
        if !self.is_browser() {
            return argument("an RTP leg has no ICE".to_owned());
        }
        self.engine.restart_ice(self.id, ufrag, pwd)
    }

    /// Send digits.
    ///
    /// # Errors
    /// Not digits, durations out of range, or telephone-event is not negotiated.
    pub fn dtmf(&self, digits: &str, duration_ms: u32, gap_ms: u32) -> Result<(), Error> {
        if *lock(&self.digit_form) != Form::Tone && !*lock(&self.takes_digits) {
            return argument(
                "the peer of this leg did not negotiate telephone-event: send DTMF another way".to_owned(),
            );
        }
        if !(40..=LONGEST_DIGIT_MS).contains(&duration_ms) || !(20..=LONGEST_GAP_MS).contains(&gap_ms) {
            return argument(format!(
                "digits of {duration_ms} ms with gaps of {gap_ms} ms: expected 40 to {LONGEST_DIGIT_MS} and 20 to \
                 {LONGEST_GAP_MS}"
            ));
        }
        if digits.len() > MAX_DIGITS {
            return argument(format!("{} digits at once: expected at most {MAX_DIGITS}", digits.len()));
        }
        match events_of(digits) {
            Ok(events) => self.engine.command(self.id, Command::Dtmf { events, duration_ms, gap_ms }),
            Err(wrong) => return argument(format!("{wrong:?} is no DTMF digit: expected 0-9, *, #, A-D")),
        }
        Ok(())
    }

    /// Listen to what the peer says, from `start` on the engine's clock; `None`: from now.
    ///
    /// # Errors
    /// A sampling rate that no decoder has.
    pub fn tap(&self, rate_hz: u32, start: Option<Duration>) -> Result<Tap, Error> {
        if ![8000, 16_000].contains(&rate_hz) {
            return argument(format!("a tap at {rate_hz} Hz: expected 8000 or 16000"));
        }
        let (writer, tap) = tap::tap(rate_hz, start.unwrap_or_else(|| self.engine.clock()));
        self.engine.command(self.id, Command::Tap(writer));
        Ok(tap)
    }

    /// Choose the form of the digits that are sent, and whether tones in the peer's audio are digits.
    ///
    /// # Errors
    /// An unknown form.
    pub fn set_dtmf(&self, send: &str, listens: bool) -> Result<(), Error> {
        let Some(form) = Form::from_name(send) else {
            return argument(format!("unknown form of DTMF {send:?}: expected rfc4733, info or inband"));
        };
        *lock(&self.digit_form) = form;
        self.engine.command(self.id, Command::SetDigits { form, listens });
        Ok(())
    }

    /// The peer sent a digit by signalling.
    ///
    /// # Errors
    /// Not a digit.
    pub fn hear_dtmf(&self, digit: char, duration_ms: u32) -> Result<(), Error> {
        let Some(event) = dtmf::event_of(digit) else {
            return argument(format!("{digit:?} is no DTMF digit: expected 0-9, *, #, A-D"));
        };
        self.engine.command(self.id, Command::Hear(Digit { event, duration_ms }));
        Ok(())
    }

    /// Figures now, or the last ones of a closed leg.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut life = lock(&self.life);
        if let Life::Closing(figures) = &*life {
            // No answer when the engine ended first.
            *life = Life::Closed(figures.recv().unwrap_or_default());
        }
        match &*life {
            Life::Closed(figures) => figures.clone(),
            _ => self.engine.figures(self.id).unwrap_or_default(),
        }
    }

    /// End the leg. Twice is harmless.
    pub fn close(&self) {
        let mut life = lock(&self.life);
        if let (Life::Open, Some(figures)) = (&*life, self.engine.close_leg(self.id)) {
            *life = Life::Closing(figures);
        }
    }
}

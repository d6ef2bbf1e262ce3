//! One leg: our half of a call's media. Packets, commands and time come in; packets and events go to the outbox.

mod changeover;
mod commands;
mod digits;
mod figures;
mod quality;
mod reports;

use std::net::SocketAddr;
use std::time::Duration;

use changeover::Changeover;
use digits::Keys;
pub use digits::events_of;
pub use quality::Quality;

use crate::counters::{Counters, Dropped};
use crate::dtmf::{Digit, Form};
use crate::ear::Ears;
use crate::event::Event;
use crate::inbound::{Inbound, Media, Use};
use crate::level::Meter;
use crate::liveness::{Limits, Liveness, Presence};
use crate::outbound::Outbound;
use crate::outbox::{Outbox, PathChange};
use crate::path::{LegId, Path};
use crate::prefetch::prefetch;
use crate::report::Reporter;
use crate::rtcp;
use crate::rtp::{self, Kind, Ssrc};
use crate::stream::{Origin, Stream};
use crate::transport::{Transport, Wire};

/// Packets in a row that fail authentication until it is told: half a second of audio.
const UNDECRYPTABLE: u32 = 25;

/// What all legs have in common.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long silence is tolerated.
    pub limits: Limits,
    /// Effort of the Opus encoder, 0 to 10.
    pub opus_complexity: i32,
    /// Time since the Unix epoch at the relay's time zero.
    pub unix_origin: Duration,
}

/// Random numbers that a leg begins with (RFC 3550 §5.1, RFC 7022).
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// SSRC of what we send.
    pub ssrc: u32,
    /// First sequence number.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// CNAME.
    pub name: u64,
}

/// What a packet brings for the legs that this one is routed to.
#[derive(Default)]
pub struct Received<'a> {
    /// A packet of the stream.
    pub media: Option<Media<'a>>,
    /// Digits that ended.
    pub digits: [Option<Digit>; 4],
}

impl Received<'_> {
    fn add_digit(&mut self, digit: Digit) {
        if let Some(place) = self.digits.iter_mut().find(|place| place.is_none()) {
            *place = Some(digit);
        }
    }
}

/// A leg.
pub struct Leg {
    id: LegId,
    settings: Settings,
    transport: Transport,
    inbound: Inbound,
    outbound: Outbound,
    ears: Ears,
    liveness: Liveness,
    reporter: Reporter,
    counters: Counters,
    /// RTP packets that failed authentication since the last that did not.
    refused: u32,
    /// What was told last of where RTP goes instead of to the announced address.
    detour: Option<SocketAddr>,
    meter: Meter,
    keys: Keys,
    change: Option<Box<Changeover>>,
    receiving: bool,
    sending: bool,
    /// Whether the peer's address is known, so that its silence means something.
    expected: bool,
    /// The leg whose audio this one sends.
    pub source: Option<LegId>,
    /// The legs that send this one's audio.
    pub destinations: Vec<LegId>,
    /// The timer tick that is set for this leg.
    pub armed: Option<u64>,
}

impl Leg {
    /// A leg that begins at `now`.
    #[must_use]
    pub fn new(now: Duration, id: LegId, transport: Transport, seed: Seed, settings: Settings) -> Leg {
        let (presence, expected) = match transport {
            Transport::Browser(_) => (Presence::Checking, true),
            Transport::Port(_) => (Presence::Quiet, false),
        };
        Leg {
            id,
            settings,
            transport,
            inbound: Inbound::default(),
            outbound: Outbound::new(
                Stream::new(Ssrc(seed.ssrc), seed.sequence, seed.timestamp),
                settings.opus_complexity,
            ),
            ears: Ears::default(),
            liveness: Liveness::new(now, settings.limits, presence, expected),
            reporter: Reporter::new(now, seed.timestamp, seed.name),
            counters: Counters::default(),
            refused: 0,
            detour: None,
            meter: Meter::default(),
            keys: Keys::default(),
            change: None,
            receiving: true,
            sending: true,
            expected,
            source: None,
            destinations: Vec::new(),
            armed: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> LegId {
        self.id
    }

    /// Bring near what a packet to the peer touches.
    pub fn expect_to_send(&self) {
        prefetch(self);
        self.transport.expect_to_send();
    }

    /// Take a packet of any protocol.
    pub fn on_packet<'a>(&mut self, now: Duration, path: Path, data: &'a mut [u8], out: &mut Outbox) -> Received<'a> {
        let result = match rtp::classify(data) {
            Some(Kind::Rtp) => self.on_rtp(now, path, data, out),
            Some(Kind::Rtcp) => self.on_rtcp(now, path, data, out).map(|()| Received::default()),
            Some(Kind::Stun) => self.on_stun(now, path, data, out).map(|()| Received::default()),
            Some(Kind::Dtls) => self.on_dtls(path, data, out).map(|()| Received::default()),
            None => Err(Dropped::Malformed),
        };
        result.unwrap_or_else(|reason| {
            self.counters.drops.count(reason);
            Received::default()
        })
    }

    fn on_stun(&mut self, now: Duration, path: Path, message: &[u8], out: &mut Outbox) -> Result<(), Dropped> {
        let Transport::Browser(browser) = &mut self.transport else {
            return Err(Dropped::Malformed);
        };
        let answer = browser.on_stun(now, path, message).ok_or(Dropped::StunRefused)?;
        out.packet(self.id, path, |buffer| {
            buffer[..answer.len].copy_from_slice(&answer.response[..answer.len]);
            Some(answer.len)
        });
        let Some(change) = answer.change else {
            return Ok(());
        };
        self.counters.rx_stun += 1;
        self.show_life(now, out);
        out.paths.extend(change.removed.map(|path| PathChange::Removed(path, self.id)));
        out.paths.push(PathChange::Added(path, self.id));
        if let Some(path) = change.nominated {
            out.event(self.id, Event::Nominated(path.to_string()));
        }
        Ok(())
    }

    fn on_dtls(&mut self, path: Path, record: &[u8], out: &mut Outbox) -> Result<(), Dropped> {
        let Transport::Browser(browser) = &self.transport else {
            return Err(Dropped::Malformed);
        };
        if !browser.ice().is_valid(path) {
            return Err(Dropped::UnknownSource);
        }
        out.event(self.id, Event::Dtls(record.to_vec()));
        Ok(())
    }

    fn on_rtcp(&mut self, now: Duration, path: Path, packet: &mut [u8], out: &mut Outbox) -> Result<(), Dropped> {
        let plain = self.transport.open_rtcp(now, path, packet)?;
        let unix = self.settings.unix_origin + now;
        let ours = self.outbound.ssrc().0;
        let (reporter, inbound) = (&mut self.reporter, &mut self.inbound);
        let mut leaves = false;
        let parsed = rtcp::parse(plain, &mut |item| leaves |= reporter.on_item(now, unix, &item, inbound, ours));
        if leaves {
            out.event(self.id, Event::RtcpBye);
        }
        self.show_life(now, out);
        self.counters.rx_rtcp += 1;
        self.outbound.set_expected_loss(self.reporter.expected_loss());
        parsed.map_err(|_| Dropped::Malformed)
    }

    fn on_rtp<'a>(
        &mut self,
        now: Duration,
        path: Path,
        data: &'a mut [u8],
        out: &mut Outbox,
    ) -> Result<Received<'a>, Dropped> {
        let opened = self.transport.open_rtp(now, path, &mut *data).map(|(_, plain)| plain.len());
        self.refused = if opened.as_ref().is_err_and(|reason| *reason == Dropped::SrtpAuth) {
            self.refused.saturating_add(1)
        } else {
            0
        };
        if self.refused == UNDECRYPTABLE {
            out.event(self.id, Event::Undecryptable);
        }
        let plain = &mut data[..opened?];
        self.tell_detour(out);
        if let Some(format) = self.inbound.format() {
            rtp::rename(plain, format.offered_as, format.payload_type);
        }
        let packet = rtp::parse(plain).ok_or(Dropped::Malformed)?;
        self.follow_change(now, packet.header.payload_type);
        let mut received = Received::default();
        let (kind, restarts) = self.inbound.on_packet(now, &packet, &mut |digit| received.add_digit(digit))?;
        if restarts {
            self.keys.restart();
        }
        self.counters.rx_packets += 1;
        self.counters.rx_bytes += packet.payload.len() as u64;
        self.show_life(now, out);
        if let Some(event) = self.liveness.on_rtp(now) {
            out.event(self.id, event);
        }
        if matches!(kind, Use::ComfortNoise | Use::Nothing(Dropped::ComfortNoise)) {
            self.liveness.fall_silent();
        }
        if !self.receiving {
            return Err(Dropped::Muted);
        }
        let mut keys = Received::default();
        let len = self.hear_keys(now, plain, &mut |key| keys.add_digit(key));
        let packet = rtp::parse(&plain[..len]).ok_or(Dropped::Malformed)?;
        if let Use::Nothing(reason) = kind {
            self.counters.drops.count(reason);
        }
        if let (Use::Audio, Some(format)) = (kind, self.inbound.format()) {
            let told = self.meter.on_audio(now, format.codec, packet.payload);
            out.events.extend(told.map(|event| (self.id, event)));
        }
        received.digits = received.digits.map(|digit| self.hear(now, digit?, Form::Event, out));
        for key in keys.digits.into_iter().flatten().filter_map(|key| self.hear(now, key, Form::Tone, out)) {
            received.add_digit(key);
        }
        received.media = self.inbound.format().map(|format| Media {
            origin: Origin { leg: self.id, ssrc: packet.header.ssrc },
            codec: format.codec,
            audio: format.payload_type,
            noise: format.comfort_noise,
            packet,
        });
        if let Some(media) = &received.media {
            self.ears.hear(now, media);
        }
        Ok(received)
    }

    /// Audio that goes elsewhere than the SDP says may be a stranger's by now: that must be seen.
    fn tell_detour(&mut self, out: &mut Outbox) {
        let detour = self.transport.detour();
        if detour != self.detour {
            self.detour = detour;
            out.event(self.id, Event::Detour(detour));
        }
    }

    /// Something valid came.
    fn show_life(&mut self, now: Duration, out: &mut Outbox) {
        if let Some(event) = self.liveness.on_sign(now) {
            out.event(self.id, event);
        }
    }

    /// Split into what sends and the wire that it sends on.
    fn sending_half<'a>(&'a mut self, out: &'a mut Outbox) -> (&'a mut Outbound, Wire<'a>) {
        let wire = Wire { leg: self.id, transport: &mut self.transport, counters: &mut self.counters, out };
        (&mut self.outbound, wire)
    }

    /// Send what another leg received.
    pub fn forward(&mut self, now: Duration, media: &Media, out: &mut Outbox) {
        let (outbound, mut wire) = self.sending_half(out);
        outbound.forward(now, media, &mut wire);
    }

    /// Do what time demands; a digit whose end was lost, for the legs that this one is routed to.
    pub fn on_timer(&mut self, now: Duration, out: &mut Outbox) -> Option<Digit> {
        while let Some(event) = self.liveness.on_timer(now) {
            out.event(self.id, event);
        }
        if self.reporter.deadline() <= now {
            self.send_report(now, false, out);
        }
        self.end_change(now);
        let (outbound, mut wire) = self.sending_half(out);
        outbound.on_timer(now, &mut wire);
        self.ears.on_timer(now);
        let event = self.inbound.on_timer(now).map(|digit| (digit, Form::Event));
        let key = || self.keys.on_timer(now).map(|digit| (digit, Form::Tone));
        let (digit, form) = event.or_else(key)?;
        self.hear(now, digit, form, out)
    }

    /// When `on_timer` is due.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        let can_send = self.transport.rtp_path().is_some();
        let others = [
            self.liveness.deadline(),
            self.inbound.deadline(),
            self.outbound.deadline(can_send),
            self.ears.deadline(),
            self.keys.deadline(),
            self.change_deadline(),
        ];
        others.into_iter().flatten().fold(self.reporter.deadline(), Duration::min)
    }

    /// Say goodbye (RFC 3550 §6.6) and give up the paths.
    pub fn close(&mut self, now: Duration, out: &mut Outbox) {
        self.send_report(now, true, out);
        self.release_paths(out);
    }

    /// Give up the paths.
    pub fn release_paths(&self, out: &mut Outbox) {
        if let Transport::Browser(browser) = &self.transport {
            out.paths.extend(browser.ice().paths().map(|path| PathChange::Removed(path, self.id)));
        }
    }

    /// Change the effort of our Opus encoder, 0 to 10.
    pub fn set_complexity(&mut self, complexity: i32) {
        self.outbound.set_complexity(complexity);
    }

    /// Something of ours was dropped after it had left this leg.
    pub fn count_dropped(&mut self, reason: Dropped) {
        self.counters.drops.count(reason);
    }
}

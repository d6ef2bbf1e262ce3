//! What a leg sends: another leg's audio, passed on or transcoded, and digits.

mod digits;

use std::time::Duration;

use crate::command::Format;
use crate::counters::Dropped;
use crate::dtmf::{Form, Generator};
use crate::event::Event;
use crate::inbound::Media;
use crate::keytones::KeyTones;
use crate::player::{Due, Play, Player};
use crate::playout::Repairs;
use crate::playout::queue::Verdict;
use crate::route::{Key, Transcode};
use crate::rtcp::SenderStats;
use crate::rtp::{Pt, Ssrc};
use crate::sound::Cut;
use crate::stream::{Place, Stream};
use crate::transport::Wire;

/// The most that a sound waits for the end of what was sent before it.
const MAX_WAIT: Duration = Duration::from_millis(60);

/// The sending half of a leg.
pub struct Outbound {
    format: Option<Format>,
    sending: bool,
    stream: Stream,
    stats: SenderStats,
    digit_form: Form,
    generator: Option<Generator>,
    /// Digits that go as tones, in the place of the source.
    key_tones: Option<Box<KeyTones>>,
    /// Until then they may come back as an echo.
    echoes_until: Duration,
    route: Option<Box<Transcode>>,
    /// Plays a sound in the place of the source.
    player: Option<Box<Player>>,
    opus_complexity: i32,
    expected_loss: u8,
    errors: u64,
    /// Of routes that are gone.
    repairs: Repairs,
}

impl Outbound {
    /// A stream with random numbers, nothing to send yet.
    #[must_use]
    pub fn new(stream: Stream, opus_complexity: i32) -> Outbound {
        Outbound {
            format: None,
            sending: true,
            stream,
            stats: SenderStats::default(),
            digit_form: Form::Event,
            generator: None,
            key_tones: None,
            echoes_until: Duration::ZERO,
            route: None,
            player: None,
            opus_complexity,
            expected_loss: 0,
            errors: 0,
            repairs: Repairs::default(),
        }
    }

    /// The peer speaks this.
    pub fn set_format(&mut self, format: Format) {
        let rate_hz = format.codec.clock_rate_hz();
        let events = |format: &Format| (format.events[0], format.codec);
        if self.format.as_ref().map(events) != Some(events(&format)) {
            self.generator = format.events[0].map(|(_, event_rate_hz)| Generator::new(event_rate_hz, rate_hz));
        }
        if self.route.as_ref().is_some_and(|route| route.key().to != format) {
            self.drop_route();
        }
        self.stream.set_rate(rate_hz);
        self.format = Some(format);
        if self.player.as_ref().is_some_and(|player| player.is_stopped()) {
            self.end_playing();
        }
    }

    /// Send, or do not. What comes after a silence starts with fresh codecs.
    pub fn set_sending(&mut self, sending: bool) {
        self.sending = sending;
        self.interrupt();
    }

    /// The source pauses, resumes or changes: what comes next must not look like loss.
    pub fn interrupt(&mut self) {
        self.drop_route();
        self.stream.skip_source_packet();
    }

    fn drop_route(&mut self) {
        if let Some(route) = self.route.take() {
            self.errors += route.errors();
            self.repairs = self.repairs + route.repairs();
            self.stream.pause();
        }
    }

    /// The loss that the peer reports.
    pub fn set_expected_loss(&mut self, percent: u8) {
        let changed = std::mem::replace(&mut self.expected_loss, percent) != percent;
        if let Some(route) = self.route.as_mut().filter(|_| changed) {
            route.set_expected_loss(percent);
        }
    }

    /// Change the effort of the Opus encoder, 0 to 10.
    pub fn set_complexity(&mut self, complexity: i32) {
        self.opus_complexity = complexity;
        if let Some(route) = &mut self.route {
            route.set_complexity(complexity);
        }
    }

    /// SSRC of our stream.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.stream.ssrc()
    }

    /// What was sent.
    #[must_use]
    pub fn stats(&self) -> &SenderStats {
        &self.stats
    }

    /// The stream's timestamp at `now`.
    #[must_use]
    pub fn clock(&self, now: Duration) -> u32 {
        self.stream.clock(now)
    }

    /// Whether a transcoder is at work.
    #[must_use]
    pub fn is_transcoding(&self) -> bool {
        self.route.is_some()
    }

    /// Frames that could not be decoded or encoded.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors + self.route.as_ref().map_or(0, |route| route.errors()) + self.repairs().undecodable
    }

    /// What was done to keep the sources' lines whole.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.route.as_ref().map_or(self.repairs, |route| self.repairs + route.repairs())
    }

    /// How long the source's packets wait in the jitter buffer; a relayed call has none.
    #[must_use]
    pub fn buffer(&self) -> Option<Duration> {
        self.route.as_ref().map(|route| route.depth())
    }

    /// Send a sound in the place of the source, or go on with the one of this number.
    pub fn play(&mut self, now: Duration, play: Play) {
        if let Some(player) = self.player.as_mut().filter(|player| player.number() == play.number) {
            player.exchange(play);
            return;
        }
        let free_at = self.player.as_ref().map_or(self.stream.free_at(), |player| player.free_at());
        let start = free_at.clamp(now, now + MAX_WAIT);
        self.take_over();
        self.player = Some(Box::new(Player::new(play, start)));
    }

    /// Send the source again, from the end of the next packet of a sound on.
    pub fn stop_playing(&mut self, can_send: bool) {
        if self.can_play(can_send) {
            self.player.iter_mut().for_each(|player| player.stop());
        } else {
            self.end_playing();
        }
    }

    fn end_playing(&mut self) {
        if self.player.take().is_some() {
            self.give_back();
        }
    }

    /// Something else takes the place of the source.
    fn take_over(&mut self) {
        if let Some(route) = &mut self.route {
            route.mute(&self.stream);
        }
        self.stream.join();
    }

    /// The source is sent again, unless something else still takes its place.
    fn give_back(&mut self) {
        if self.player.is_some() || self.key_tones.is_some() {
            return;
        }
        match &mut self.route {
            Some(route) => route.unmute(&mut self.stream),
            None => self.stream.pause(),
        }
    }

    /// Let the route keep up with its source, of which nothing is sent now.
    fn overhear(&mut self, now: Duration, format: Format, media: &Media) {
        match &mut self.route {
            Some(route) if route.key() == Key::between(media, format) => route.overhear(now, media, &self.stream),
            _ => self.drop_route(),
        }
        self.stream.overhear(now, media.origin, &media.packet.header);
    }

    /// Send the packets of a sound that are due.
    fn play_on(&mut self, now: Duration, wire: &mut Wire) {
        if !self.can_play(wire.transport.rtp_path().is_some()) {
            return;
        }
        let sends_digits = self.is_sending_digits();
        let Outbound { format: Some(format), player: Some(player), stream, stats, .. } = self else {
            return;
        };
        let number = player.number();
        while let Some(due) = player.take(now) {
            match due {
                Due::Payload { .. } if sends_digits => {}
                Due::Payload { payload, ticks, resumes } => {
                    if resumes {
                        stream.pause();
                    }
                    let place = stream.append(now, ticks);
                    send(stream, place, format.payload_type, payload, stats, wire);
                }
                end @ (Due::End | Due::Stopped) => {
                    if end == Due::End {
                        wire.out.event(wire.leg, Event::Played(number));
                    }
                    self.end_playing();
                    return;
                }
            }
        }
    }

    /// Whether a sound is there and its packets are made for what the peer speaks now.
    fn can_play(&self, can_send: bool) -> bool {
        let cuts = self.player.as_ref().map(|player| player.cut()).zip(self.format.map(Cut::from));
        can_send && self.sending && cuts.is_some_and(|(made_for, wanted)| made_for == wanted)
    }

    /// Send a packet that another leg received, or what becomes of it.
    pub fn forward(&mut self, now: Duration, media: &Media, wire: &mut Wire) {
        let Some(format) = self.format else {
            return;
        };
        // A sound that is over by now must not take this packet's place only because its timer rings later.
        if self.player.is_some() {
            self.play_on(now, wire);
        }
        if !self.sending || wire.transport.rtp_path().is_none() {
            self.interrupt();
        } else if self.player.is_some() {
            self.overhear(now, format, media);
        } else if self.is_sending_digits() {
            self.overhear(now, format, media);
            self.stream.skip_source_packet();
        } else if media.codec == format.codec {
            self.drop_route();
            self.relay(now, format, media, wire);
        } else {
            self.transcode(now, format, media, wire);
        }
    }

    fn relay(&mut self, now: Duration, format: Format, media: &Media, wire: &mut Wire) {
        let Some(payload_type) = relayed_as(&format, media) else {
            if media.comfort_noise().is_some() {
                wire.counters.drops.count(Dropped::ComfortNoise);
            }
            self.stream.skip_source_packet();
            return;
        };
        let header = &media.packet.header;
        let duration = format.ptime_ms * (format.codec.clock_rate_hz() / 1000);
        let Some(place) = self.stream.relay(now, media.origin, header, duration) else {
            wire.counters.drops.count(Dropped::Late);
            return;
        };
        let header = self.stream.header(place, payload_type, header.marker);
        if wire.rtp(&header, media.packet.payload) {
            self.stats.on_packet(media.packet.payload.len());
        }
    }

    fn transcode(&mut self, now: Duration, format: Format, media: &Media, wire: &mut Wire) {
        if !self.prepare_route(Key::between(media, format)) {
            return;
        }
        let Outbound { route: Some(route), stream, stats, .. } = self else {
            return;
        };
        let verdict = route.push(now, media, stream, &mut |stream, place, payload_type, payload| {
            send(stream, place, payload_type, payload, stats, wire);
        });
        if verdict == Verdict::Late {
            wire.counters.drops.count(Dropped::Late);
        }
    }

    /// Make sure that the route is one for `key`.
    fn prepare_route(&mut self, key: Key) -> bool {
        if self.route.as_ref().is_none_or(|route| route.key() != key) {
            self.drop_route();
            match Transcode::new(key, self.opus_complexity) {
                Ok(mut route) => {
                    route.set_expected_loss(self.expected_loss);
                    self.route = Some(Box::new(route));
                }
                Err(_) => self.errors += 1,
            }
        }
        self.route.is_some()
    }

    /// Do what time demands.
    pub fn on_timer(&mut self, now: Duration, wire: &mut Wire) {
        self.send_digits(now, wire);
        self.play_on(now, wire);
        let sends_digits = self.is_sending_digits();
        let Outbound { route: Some(route), stream, stats, .. } = self else {
            return;
        };
        if sends_digits {
            // What the jitter buffer makes of a pause must not come amid the packets of an event.
            route.mute(stream);
        }
        route.on_timer(now, stream, &mut |stream, place, payload_type, payload| {
            send(stream, place, payload_type, payload, stats, wire);
        });
    }

    /// When `on_timer` is due; digits wait while nothing may be sent.
    #[must_use]
    pub fn deadline(&self, can_send: bool) -> Option<Duration> {
        let digits = self.generator.as_ref().filter(|_| can_send && self.sending).and_then(Generator::deadline);
        let tones = self.key_tones.as_ref().filter(|_| can_send && self.sending).map(|tones| tones.due());
        let route = self.route.as_ref().and_then(|route| route.deadline());
        let sound = self.player.as_ref().filter(|_| self.can_play(can_send)).map(|player| player.due());
        [digits, tones, route, sound].into_iter().flatten().min()
    }
}

/// The payload type under which a packet of the same codec is passed on, if it is.
fn relayed_as(format: &Format, media: &Media) -> Option<Pt> {
    if media.is_audio() {
        return Some(format.payload_type);
    }
    format.comfort_noise.filter(|_| media.is_agreed_noise())
}

/// Send what was made here.
fn send(stream: &Stream, place: Place, payload_type: Pt, payload: &[u8], stats: &mut SenderStats, wire: &mut Wire) {
    let header = stream.header(place, payload_type, false);
    if wire.rtp(&header, payload) {
        stats.on_packet(payload.len());
    }
}

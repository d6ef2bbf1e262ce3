//! One media thread: waits for packets, messages and timers, lets the relay decide, sends what it wants sent.

mod token;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::{Gauge, Meter};
use crate::counters::{Dropped, Figures};
use crate::directory::{Home, Paths, Ufrags};
use crate::effort::Effort;
use crate::mailbox::{Events, Mailbox, Message, Packets, Parcel, Totals, socket_id};
use crate::outbox::Outbox;
use crate::path::{LegId, Path, SocketId};
use crate::ports::Pair;
use crate::relay::{IdHasher, Relay};
use crate::rtp::{self, Kind};
use crate::socket::{Alarm, Epoll, Ready, ReceiveBatch, SendBatch};
use crate::stun;
use token::Token;

/// The thread that reads the shared port.
pub const READER: usize = 0;
/// Packets taken from a socket at once.
const BATCH: usize = 32;
/// Packets that are sent before more are handled, so that the first ones do not wait for the last.
const FLUSH: usize = 16;
/// A wait that ends sooner did not sleep: more waits than we have served.
const NO_SLEEP: Duration = Duration::from_micros(20);

/// What a thread shares with the others.
pub struct Common {
    /// Time zero.
    pub start: Instant,
    /// One per thread.
    pub mailboxes: Vec<Mailbox>,
    /// The most effort of the Opus encoders.
    pub opus_complexity: i32,
    /// How busy each thread is.
    pub gauges: Vec<Gauge>,
    /// Who is called what on the shared port.
    pub ufrags: Ufrags,
    /// For Python.
    pub events: Events,
}

/// One media thread's own.
pub struct Shard {
    epoll: Epoll,
    alarm: Alarm,
    incoming: ReceiveBatch,
    core: Core,
}

/// Everything but the receive buffers, which lend packets while this works.
struct Core {
    index: usize,
    common: Arc<Common>,
    relay: Relay,
    /// Who is where on the shared port, if this thread reads it.
    paths: Paths,
    out: Outbox,
    sender: SendBatch,
    sockets: HashMap<LegId, Pair, BuildHasherDefault<IdHasher>>,
    /// Packets for other threads.
    handing: Vec<Packets>,
    totals: Totals,
    /// Last figures of legs that broke, until they are closed.
    broken: HashMap<LegId, Figures>,
}

impl Shard {
    /// Thread `index`; it serves the shared port if it gets its sockets.
    ///
    /// # Errors
    /// Too many open files.
    pub fn new(index: usize, common: Arc<Common>, shared: &[SocketId]) -> std::io::Result<Shard> {
        let (epoll, alarm) = (Epoll::new()?, Alarm::new()?);
        epoll.add_alarm(&alarm, Token::Alarm.encode())?;
        epoll.add(common.mailboxes[index].as_raw_fd(), Token::Mailbox.encode())?;
        for socket in shared {
            epoll.add(socket.0, Token::Shared(socket.0).encode())?;
        }
        let handing = common.mailboxes.iter().map(|_| Packets::default()).collect();
        let core = Core {
            index,
            common,
            relay: Relay::default(),
            paths: Paths::default(),
            out: Outbox::default(),
            sender: SendBatch::default(),
            sockets: HashMap::default(),
            handing,
            totals: Totals::default(),
            broken: HashMap::new(),
        };
        Ok(Shard { epoll, alarm, incoming: ReceiveBatch::new(BATCH), core })
    }

    /// Serve until told to stop.
    pub fn run(mut self) {
        let mut meter = Meter::default();
        let mut ready = Ready::default();
        let mut effort = Effort::new(self.core.common.opus_complexity);
        let mut woke = self.core.now();
        loop {
            let now = self.core.now();
            let load = meter.worked(woke, now, &self.core.common.gauges[self.core.index]);
            if let Some(complexity) = load.and_then(|load| effort.on_load(load)) {
                self.core.relay.set_complexity(complexity);
            }
            if let Some(at) = self.core.relay.next_deadline() {
                self.alarm.set(now, at);
            }
            if self.epoll.wait(&mut ready).is_err() {
                // Only a closed or foreign descriptor gets here; then nothing is left to serve.
                return;
            }
            woke = self.core.now();
            if !self.serve_or_survive(woke, &ready, woke < now + NO_SLEEP) {
                return;
            }
        }
    }

    /// Serve, and go on after a panic that no leg could be blamed for: without this thread its calls would be silent, and
    /// whoever asks it something would wait for ever. What was in hand is lost.
    fn serve_or_survive(&mut self, woke: Duration, ready: &Ready, in_haste: bool) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.serve(woke, ready, in_haste))).unwrap_or_else(|_| {
            self.core.totals.failures += 1;
            self.core.drop_in_hand();
            true
        })
    }

    /// Serve what is ready; false when the thread must end. `in_haste`: packets come faster than we sleep.
    fn serve(&mut self, woke: Duration, ready: &Ready, in_haste: bool) -> bool {
        // Mail first, so that what was asked before a packet was sent is done before that packet is handled.
        // Tokens hold leg ids, which are never reused, so one that outlives its leg finds nothing.
        let has_mail = ready.tokens().any(|token| matches!(Token::decode(token), Token::Mailbox));
        if has_mail && !self.read_mail() {
            return false;
        }
        let in_haste = in_haste || ready.len() > 1;
        for token in ready.tokens() {
            let now = if in_haste { self.core.now() } else { woke };
            self.read(now, Token::decode(token), in_haste);
        }
        self.core.hand_over();
        self.core.ring(woke);
        self.core.flush();
        true
    }

    fn read(&mut self, now: Duration, token: Token, in_haste: bool) {
        match token {
            Token::Mailbox | Token::Alarm => {}
            Token::Shared(socket) => self.read_shared(now, socket, in_haste),
            Token::Rtp(leg) => self.read_leg(now, leg, |pair| pair.rtp.as_raw_fd()),
            Token::Rtcp(leg) => self.read_leg(now, leg, |pair| pair.rtcp.as_raw_fd()),
        }
    }

    fn read_shared(&mut self, now: Duration, socket: RawFd, in_haste: bool) {
        // One packet alone is the rule while there is time to sleep; if there are more, epoll says so again at once.
        let received = if in_haste { self.incoming.receive(socket) } else { self.incoming.receive_one(socket) };
        for index in 0..received.unwrap_or(0) {
            match self.incoming.datagram(index) {
                Some((peer, data)) => self.core.on_shared(now, Path { socket: SocketId(socket), peer }, data),
                None => self.core.totals.drops.count(Dropped::Malformed),
            }
        }
    }

    fn read_leg(&mut self, now: Duration, leg: LegId, choose: impl Fn(&Pair) -> RawFd) {
        // Memory answers while the system call is at work.
        self.core.relay.expect(leg);
        let Some(socket) = self.core.sockets.get(&leg).map(choose) else {
            return;
        };
        if !matches!(self.incoming.receive_one(socket), Ok(1)) {
            return;
        }
        match self.incoming.datagram(0) {
            Some((peer, data)) => self.core.on_own(now, leg, socket, peer, data),
            None => self.core.totals.drops.count(Dropped::Malformed),
        }
    }

    /// Do what the messages say; false when the thread must end.
    fn read_mail(&mut self) -> bool {
        let messages = self.core.common.mailboxes[self.core.index].take();
        for message in messages {
            match message {
                Message::Stop => return false,
                Message::Adopt(parcel) => self.adopt(parcel),
                Message::Release(leg, reply) => {
                    if let Some(parcel) = self.release(leg) {
                        // The asker waits; if it is gone, the leg goes with it.
                        let _ = reply.send(parcel);
                    }
                }
                Message::Close(leg, reply) => {
                    if let Some(figures) = self.close(leg) {
                        // Nobody has to be interested in the figures.
                        let _ = reply.send(figures);
                    }
                }
                message => self.core.on_message(message),
            }
            self.core.flush();
        }
        true
    }

    fn adopt(&mut self, parcel: Parcel) {
        let leg = parcel.leg.id();
        if let Some(pair) = parcel.sockets {
            let added = self.epoll.add(pair.rtp.as_raw_fd(), Token::Rtp(leg).encode());
            if added.and_then(|()| self.epoll.add(pair.rtcp.as_raw_fd(), Token::Rtcp(leg).encode())).is_err() {
                // Out of kernel memory: the leg stays deaf, and its silence will be told as such.
                self.core.totals.failures += 1;
            }
            self.core.sockets.insert(leg, pair);
        }
        self.core.relay.adopt(parcel.leg);
    }

    fn release(&mut self, leg: LegId) -> Option<Parcel> {
        let parcel = Parcel { leg: self.core.relay.release(leg)?, sockets: self.core.sockets.remove(&leg) };
        if let Some(pair) = &parcel.sockets {
            // They are in the set since `adopt`, so this cannot fail.
            let _ = self.epoll.remove(pair.rtp.as_raw_fd());
            let _ = self.epoll.remove(pair.rtcp.as_raw_fd());
        }
        Some(parcel)
    }

    fn close(&mut self, leg: LegId) -> Option<Figures> {
        let now = self.core.now();
        let figures = self.core.guarded(|core| core.relay.close(now, leg, &mut core.out)).flatten();
        self.core.flush();
        // Closing the descriptors takes them out of the epoll set.
        self.core.sockets.remove(&leg);
        figures.or_else(|| self.core.broken.remove(&leg))
    }
}

impl Core {
    fn now(&self) -> Duration {
        self.common.start.elapsed()
    }

    /// Work on the relay; if that panics, end the leg at fault instead of the process.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Core) -> T) -> Option<T> {
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            return Some(result);
        }
        self.totals.failures += 1;
        let leg = self.relay.busy()?;
        // Its figures may be what is broken.
        let relay = &self.relay;
        let figures = catch_unwind(AssertUnwindSafe(|| relay.figures(leg))).ok().flatten();
        self.broken.insert(leg, figures.unwrap_or_default());
        self.relay.kill(leg, &mut self.out);
        None
    }

    fn on_shared(&mut self, now: Duration, path: Path, data: &mut [u8]) {
        match self.home_of(path, data) {
            Ok(home) if home.shard == self.index => self.on_packet(now, home.leg, path, data),
            Ok(home) => match self.handing.get_mut(home.shard) {
                Some(packets) => packets.push(home.leg, path, data),
                None => self.totals.drops.count(Dropped::UnknownSource),
            },
            Err(reason) => self.totals.drops.count(reason),
        }
    }

    fn on_own(&mut self, now: Duration, leg: LegId, socket: RawFd, peer: SocketAddr, data: &mut [u8]) {
        self.on_packet(now, leg, Path { socket: SocketId(socket), peer }, data);
    }

    fn on_packet(&mut self, now: Duration, leg: LegId, path: Path, data: &mut [u8]) {
        let found = self.guarded(|core| core.relay.on_packet(now, leg, path, data, &mut core.out));
        if found == Some(false) {
            self.totals.drops.count(Dropped::UnknownSource);
        }
        self.note_paths();
        if self.out.entries().len() >= FLUSH {
            self.flush();
        }
    }

    /// Where a packet of the shared port belongs (RFC 7983): STUN by the ufrag it names, everything else by its path.
    fn home_of(&self, path: Path, data: &[u8]) -> Result<Home, Dropped> {
        match rtp::classify(data).ok_or(Dropped::Malformed)? {
            Kind::Stun => {
                let request = stun::parse(data).ok_or(Dropped::StunRefused)?;
                self.common.ufrags.home(request.local_ufrag).ok_or(Dropped::StunRefused)
            }
            Kind::Dtls | Kind::Rtp | Kind::Rtcp => self.paths.home(path).ok_or(Dropped::UnknownSource),
        }
    }

    /// Before anything is sent, because the answer to it may come over a new path.
    fn note_paths(&mut self) {
        if self.out.paths.is_empty() {
            return;
        }
        if self.index == READER {
            self.out.paths.drain(..).for_each(|change| self.paths.change(READER, change));
        } else {
            let changes = std::mem::take(&mut self.out.paths);
            self.common.mailboxes[READER].post(Message::Paths(self.index, changes));
        }
    }

    fn on_message(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Command(leg, command) => {
                self.guarded(|core| core.relay.on_command(now, leg, command, &mut core.out));
            }
            Message::Figures(leg, reply) => {
                if let Some(figures) = self.relay.figures(leg).or_else(|| self.broken.get(&leg).cloned()) {
                    // The asker may have given up.
                    let _ = reply.send(figures);
                }
            }
            Message::Totals(reply) => {
                (self.totals.legs, self.totals.paths) = (self.relay.len(), self.paths.len());
                // The asker may have given up.
                let _ = reply.send(self.totals);
            }
            Message::Packets(mut packets) => packets.visit(|leg, path, data| self.on_packet(now, leg, path, data)),
            Message::Paths(shard, changes) => {
                for change in changes {
                    self.paths.change(shard, change);
                }
            }
            Message::Moved(leg, shard) => self.paths.move_leg(leg, shard),
            Message::Adopt(_) | Message::Release(..) | Message::Close(..) | Message::Stop => {}
        }
        self.note_paths();
    }

    /// Forget the packets that wait to leave: a panic may have come from them. What was to be told is kept.
    fn drop_in_hand(&mut self) {
        self.out.clear_packets();
        self.handing = self.common.mailboxes.iter().map(|_| Packets::default()).collect();
    }

    fn hand_over(&mut self) {
        for (shard, packets) in self.handing.iter_mut().enumerate() {
            let count = packets.len();
            if count > 0 && !self.common.mailboxes[shard].post_packets(std::mem::take(packets)) {
                self.totals.drops.count_many(Dropped::Overflow, count as u64);
            }
        }
    }

    fn ring(&mut self, now: Duration) {
        self.guarded(|core| core.relay.on_timer(now, &mut core.out));
        self.note_paths();
    }

    /// Send what waits, tell what happened.
    fn flush(&mut self) {
        self.note_paths();
        if !self.out.entries().is_empty() {
            let relay = &mut self.relay;
            self.sender.send(&self.out, &mut |leg| relay.count_dropped(leg, Dropped::Unsent));
            self.out.clear_packets();
        }
        if !self.out.events.is_empty() {
            let relay = &mut self.relay;
            self.common.events.push(&mut self.out.events, &mut |leg| relay.count_dropped(leg, Dropped::Overflow));
        }
    }
}

/// Path of an RTP leg's sockets as the relay names them.
#[must_use]
pub fn socket_ids(pair: &Pair) -> (SocketId, SocketId) {
    (socket_id(&pair.rtp), socket_id(&pair.rtcp))
}

#[cfg(test)]
mod tests;

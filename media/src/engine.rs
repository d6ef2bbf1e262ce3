//! The engine: starts the media threads, makes legs, and knows on which thread each one lives. Both ends of a route live
//! on the same thread, and the thread that reads the shared port has its paths for itself: no media packet waits for a lock
//! that is written when other calls begin, move and end.

mod playing;

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::balance::{Balance, Gauge};
use crate::browser::Browser;
use crate::command::Command;
use crate::counters::{Drops, Figures};
use crate::directory::{Home, Ufrags};
use crate::error::Error;
use crate::event::Event;
use crate::leg::{Leg, Settings};
use crate::mailbox::{Events, Mailbox, Message, Parcel, Totals, lock, socket_id};
use crate::options::Options;
use crate::path::{LegId, SocketId};
use crate::port::Port;
use crate::ports;
use crate::random;
use crate::shard::{Common, READER, Shard, socket_ids};
use crate::sound::Cut;
use crate::transport::Transport;

use playing::Wish;

/// Events given to Python at once.
const MAX_EVENTS: usize = 1024;
/// Shortest password that ICE allows (RFC 8839 §5.4), and shortest ufrag.
const MIN_PWD: usize = 22;
const MIN_UFRAG: usize = 4;

/// Ids are never reused in a process, not even by another engine.
static NEXT_LEG: AtomicU64 = AtomicU64::new(1);

/// Where a leg lives, what it is connected to, what it speaks and plays.
struct Record {
    shard: usize,
    source: Option<LegId>,
    cut: Option<Cut>,
    wish: Option<Wish>,
}

/// What the callers of the engine share.
#[derive(Default)]
struct Control {
    records: HashMap<LegId, Record>,
    threads: Vec<JoinHandle<()>>,
    /// Shared-port sockets, open until the threads have ended.
    shared: Vec<UdpSocket>,
    balance: Option<Balance>,
    closed: bool,
}

/// The media engine of a process.
pub struct Engine {
    options: Options,
    settings: Settings,
    port: u16,
    common: Arc<Common>,
    control: Mutex<Control>,
}

fn system(purpose: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |cause| Error::System { purpose, cause }
}

impl Engine {
    /// Bind the shared port and start the threads.
    ///
    /// # Errors
    /// An argument makes no sense, a port is taken, or the system refuses.
    pub fn start(options: Options) -> Result<Engine, Error> {
        options.check()?;
        let shared = ports::bind_shared(&options.networks, options.browser_port, options.receive_buffer)?;
        let descriptor = system("an event descriptor");
        let mailboxes = (0..options.threads).map(|_| Mailbox::new()).collect::<Result<_, _>>().map_err(&descriptor)?;
        let common = Arc::new(Common {
            start: Instant::now(),
            opus_complexity: options.opus_complexity,
            mailboxes,
            gauges: (0..options.threads).map(|_| Gauge::default()).collect(),
            ufrags: Ufrags::default(),
            events: Events::new().map_err(&descriptor)?,
        });
        let unix_origin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let settings = Settings { limits: options.limits, opus_complexity: options.opus_complexity, unix_origin };
        let port = shared.first().map_or(0, ports::port_of);
        let engine = Engine { options, settings, port, common, control: Mutex::default() };
        engine.spawn(shared)?;
        Ok(engine)
    }

    fn spawn(&self, shared: Vec<UdpSocket>) -> Result<(), Error> {
        let sockets: Vec<SocketId> = shared.iter().map(socket_id).collect();
        lock(&self.control).shared = shared;
        for index in 0..self.options.threads {
            let serves: &[SocketId] = if index == READER { &sockets } else { &[] };
            let shard = Shard::new(index, self.common.clone(), serves).map_err(system("an epoll descriptor"))?;
            let builder = thread::Builder::new().name(format!("media-{index}"));
            let thread = builder.spawn(move || shard.run()).map_err(system("a media thread"))?;
            lock(&self.control).threads.push(thread);
        }
        Ok(())
    }

    /// The shared port.
    #[must_use]
    pub fn browser_port(&self) -> u16 {
        self.port
    }

    /// Time since the engine began.
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.common.start.elapsed()
    }

    /// A descriptor that is readable while events wait.
    #[must_use]
    pub fn event_descriptor(&self) -> RawFd {
        self.common.events.as_raw_fd()
    }

    /// Take waiting events.
    #[must_use]
    pub fn events(&self) -> Vec<(LegId, Event)> {
        self.common.events.take(MAX_EVENTS)
    }

    fn post(&self, shard: usize, message: Message) {
        self.common.mailboxes[shard].post(message);
    }

    /// Add an ICE-lite endpoint on the shared port.
    ///
    /// # Errors
    /// Credentials too short (RFC 8839 §5.4), or the ufrag is in use.
    pub fn browser_leg(&self, ufrag: &str, pwd: &str) -> Result<LegId, Error> {
        check_credentials(ufrag, pwd)?;
        let transport = Transport::Browser(Browser::new(ufrag, pwd));
        self.add_leg(transport, None, Some(ufrag))
    }

    /// Add an endpoint with ports of its own on the given network; its RTP address.
    ///
    /// # Errors
    /// No such network, or no free ports.
    pub fn rtp_leg(&self, network: usize) -> Result<(LegId, SocketAddr), Error> {
        let count = self.options.networks.len();
        let ip =
            *self.options.networks.get(network).ok_or_else(|| {
                Error::Argument(format!("network {network} does not exist: there are {count}, from 0"))
            })?;
        let pair = ports::bind_pair(ip, self.options.rtp_ports, self.options.receive_buffer)?;
        let address = SocketAddr::new(ip, ports::port_of(&pair.rtp));
        let (rtp, rtcp) = socket_ids(&pair);
        let leg = self.add_leg(Transport::Port(Port::new(rtp, rtcp)), Some(pair), None)?;
        Ok((leg, address))
    }

    fn add_leg(&self, transport: Transport, sockets: Option<ports::Pair>, ufrag: Option<&str>) -> Result<LegId, Error> {
        let mut control = lock(&self.control);
        control.check_open()?;
        let id = LegId(NEXT_LEG.fetch_add(1, Ordering::Relaxed));
        let shard = control.next_shard(&self.common.gauges);
        if let Some(ufrag) = ufrag.filter(|ufrag| !self.common.ufrags.name(ufrag, Home { shard, leg: id })) {
            return Err(Error::Argument(format!("ICE ufrag {ufrag:?} is already in use: draw another one")));
        }
        let now = self.clock();
        let leg = Box::new(Leg::new(now, id, transport, random::seed(), self.settings));
        control.records.insert(id, Record { shard, source: None, cut: None, wish: None });
        self.post(shard, Message::Adopt(Parcel { leg, sockets }));
        Ok(id)
    }

    /// Do something on a leg; nothing if it is closed.
    pub fn command(&self, leg: LegId, command: Command) {
        let control = lock(&self.control);
        if let Some(record) = control.records.get(&leg) {
            self.post(record.shard, Message::Command(leg, command));
        }
    }

    /// New ICE credentials for a leg.
    ///
    /// # Errors
    /// As [`Engine::browser_leg`].
    pub fn restart_ice(&self, leg: LegId, ufrag: &str, pwd: &str) -> Result<(), Error> {
        check_credentials(ufrag, pwd)?;
        let control = lock(&self.control);
        let Some(record) = control.records.get(&leg) else {
            return Ok(());
        };
        if !self.common.ufrags.name(ufrag, Home { shard: record.shard, leg }) {
            return Err(Error::Argument(format!("ICE ufrag {ufrag:?} is already in use: draw another one")));
        }
        let command = Command::RestartIce { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() };
        self.post(record.shard, Message::Command(leg, command));
        Ok(())
    }

    /// Send to the peer of `destination` what `source` receives, or nothing.
    pub fn route(&self, source: Option<LegId>, destination: LegId) {
        let mut control = lock(&self.control);
        if let Some(source) = source {
            self.bring_together(&mut control, source, destination);
        }
        let Some(record) = control.records.get_mut(&destination) else {
            return;
        };
        record.source = source;
        let shard = record.shard;
        self.post(shard, Message::Command(destination, Command::SetSource(source)));
    }

    /// Move one of two legs, and whatever it is connected to, onto the other's thread.
    fn bring_together(&self, control: &mut Control, source: LegId, destination: LegId) {
        let shard_of = |control: &Control, leg| control.records.get(&leg).map(|record| record.shard);
        let (Some(a), Some(b)) = (shard_of(control, source), shard_of(control, destination)) else {
            return;
        };
        if a == b {
            return;
        }
        let (here, there) = (control.connected(source), control.connected(destination));
        let (movers, from, to) = if here.len() < there.len() { (here, a, b) } else { (there, b, a) };
        for leg in movers {
            self.move_leg(control, leg, from, to);
        }
    }

    fn move_leg(&self, control: &mut Control, leg: LegId, from: usize, to: usize) {
        let (reply, parcel) = channel();
        self.post(from, Message::Release(leg, reply));
        // No answer: the leg broke and is gone.
        if let Ok(parcel) = parcel.recv() {
            self.post(to, Message::Adopt(parcel));
            self.common.ufrags.move_leg(leg, to);
            self.post(READER, Message::Moved(leg, to));
            if let Some(record) = control.records.get_mut(&leg) {
                record.shard = to;
            }
        }
    }

    /// End a leg; its last figures come later. `None` if it is already closed.
    pub fn close_leg(&self, leg: LegId) -> Option<Receiver<Figures>> {
        let record = lock(&self.control).remove(leg)?;
        self.common.ufrags.forget(leg);
        let (reply, figures) = channel();
        self.post(record.shard, Message::Close(leg, reply));
        Some(figures)
    }

    /// Figures of a leg; `None` if it is closed.
    #[must_use]
    pub fn figures(&self, leg: LegId) -> Option<Figures> {
        let (reply, figures) = channel();
        {
            let control = lock(&self.control);
            let record = control.records.get(&leg)?;
            self.post(record.shard, Message::Figures(leg, reply));
        }
        figures.recv().ok()
    }

    /// Figures of the whole engine: legs and threads alive, drops on the shared port by reason.
    #[must_use]
    pub fn totals(&self) -> Vec<(&'static str, u64)> {
        let totals = if lock(&self.control).closed { Vec::new() } else { self.ask_totals() };
        let mut drops = Drops::default();
        for totals in &totals {
            drops.add(&totals.drops);
        }
        let legs = totals.iter().map(|totals| totals.legs as u64).sum();
        let failures = totals.iter().map(|totals| totals.failures).sum();
        let paths: usize = totals.iter().map(|totals| totals.paths).sum();
        let counts = [
            ("legs", legs),
            ("threads", totals.len() as u64),
            ("failures", failures),
            ("ufrags", self.common.ufrags.len() as u64),
            ("paths", paths as u64),
        ];
        counts.into_iter().chain(drops.named()).collect()
    }

    fn ask_totals(&self) -> Vec<Totals> {
        let ask = |shard| {
            let (reply, totals) = channel();
            self.post(shard, Message::Totals(reply));
            totals
        };
        let answers: Vec<Receiver<Totals>> = (0..self.options.threads).map(ask).collect();
        answers.into_iter().filter_map(|totals| totals.recv_timeout(Duration::from_secs(5)).ok()).collect()
    }

    /// Say goodbye on all legs, end the threads, close everything. Twice is harmless.
    pub fn close(&self) {
        let (legs, threads, shared) = {
            let mut control = lock(&self.control);
            // From here on no leg is added, so none comes behind the message that stops the threads.
            control.closed = true;
            let legs: Vec<LegId> = control.records.keys().copied().collect();
            (legs, std::mem::take(&mut control.threads), std::mem::take(&mut control.shared))
        };
        for leg in legs {
            self.close_leg(leg);
        }
        for shard in 0..threads.len() {
            self.post(shard, Message::Stop);
        }
        for thread in threads {
            // A thread that panicked has ended, too.
            let _ = thread.join();
        }
        drop(shared);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn check_credentials(ufrag: &str, pwd: &str) -> Result<(), Error> {
    if ufrag.len() < MIN_UFRAG || ufrag.contains(':') {
        return Err(Error::Argument(format!("ICE ufrag must have {MIN_UFRAG} characters or more and no colon")));
    }
    if pwd.len() < MIN_PWD {
        return Err(Error::Argument(format!("ICE password must have {MIN_PWD} characters or more")));
    }
    Ok(())
}

impl Control {
    fn check_open(&self) -> Result<(), Error> {
        if self.closed { Err(Error::Closed) } else { Ok(()) }
    }

    /// The thread for a new leg.
    fn next_shard(&mut self, gauges: &[Gauge]) -> usize {
        let mut legs = vec![0_usize; gauges.len()];
        self.records.values().for_each(|record| legs[record.shard] += 1);
        self.balance.get_or_insert_with(|| Balance::new(gauges.len())).choose(gauges, &legs)
    }

    /// All legs that share a thread with this one because of routes.
    fn connected(&self, leg: LegId) -> HashSet<LegId> {
        let mut found = HashSet::from([leg]);
        let routes = || self.records.iter().filter_map(|(leg, record)| Some((*leg, record.source?)));
        loop {
            let before = found.len();
            for (a, b) in routes() {
                if found.contains(&a) || found.contains(&b) {
                    found.extend([a, b]);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    fn remove(&mut self, leg: LegId) -> Option<Record> {
        let record = self.records.remove(&leg)?;
        for other in self.records.values_mut().filter(|other| other.source == Some(leg)) {
            other.source = None;
        }
        Some(record)
    }
}

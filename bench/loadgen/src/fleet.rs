//! All peers and their loop: wait for lines and datagrams while nothing is to be sent, else keep to the schedule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::command::{self, Command, Id};
use crate::endpoint::{Endpoint, Heard, Stream};
use crate::impairment::{InFlight, Pattern};
use crate::kernel::{self, MAX_DATAGRAM, Poller};
use crate::lines::{Lines, to_hex};
use crate::report::Report;
use crate::speech::{PACKETS_PER_S, Speech};

const STDIN: u64 = u64::MAX;
/// What came is taken this often while we send: the kernel has stamped it, so nothing is gained by waking for it.
const COLLECT_EVERY_NS: u64 = 2_000_000;
/// How long after the last packet was sent something may still come out.
const DRAIN_NS: u64 = 300_000_000;
const IDLE_MS: i32 = 1000;

/// When each stream's next packet is due: one stream after the other, evenly spread over a packet's time.
struct Schedule {
    order: Vec<Id>,
    begun_ns: u64,
    turn: u64,
}

impl Schedule {
    fn due_ns(&self) -> u64 {
        self.begun_ns + self.turn * 1_000_000_000 / (PACKETS_PER_S * self.order.len() as u64)
    }

    fn take(&mut self) -> Id {
        #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits where this runs")]
        let id = self.order[self.turn as usize % self.order.len()];
        self.turn += 1;
        id
    }
}

/// The peers of all calls.
pub struct Fleet {
    speech: Speech,
    poller: Poller,
    lines: Lines,
    endpoints: BTreeMap<Id, Endpoint>,
    schedule: Option<Schedule>,
    in_flight: InFlight,
    mark_ns: u64,
    latest_ns: u64,
    report_at: Option<u64>,
    is_over: bool,
}

impl Fleet {
    /// No peers yet.
    pub fn new(speech: Speech) -> io::Result<Self> {
        let (poller, lines) = (Poller::new()?, Lines::default());
        poller.add(&lines, STDIN)?;
        kernel::wake_exactly()?;
        let endpoints = BTreeMap::new();
        Ok(Self {
            speech,
            poller,
            lines,
            endpoints,
            schedule: None,
            in_flight: InFlight::default(),
            mark_ns: 0,
            latest_ns: 0,
            report_at: None,
            is_over: false,
        })
    }

    /// Obey until standard input ends.
    pub fn run(mut self) -> io::Result<()> {
        let mut collected_ns = 0;
        while !self.is_over {
            if self.schedule.is_none() {
                self.collect(if self.report_at.is_some() { 5 } else { IDLE_MS })?;
            } else {
                self.speak();
                let now = kernel::now_ns();
                if now >= collected_ns + COLLECT_EVERY_NS {
                    self.collect(0)?;
                    collected_ns = now;
                }
            }
            if self.report_at.is_some_and(|at| kernel::now_ns() >= at) {
                self.report()?;
            }
        }
        Ok(())
    }

    /// Wait for the next packet that is due and send it with all that are.
    fn speak(&mut self) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        kernel::sleep_until(self.in_flight.next_ns().unwrap_or(u64::MAX).min(schedule.due_ns()));
        let now = kernel::now_ns();
        self.latest_ns = self.latest_ns.max(now.saturating_sub(schedule.due_ns()));
        while schedule.due_ns() <= now {
            let id = schedule.take();
            let delayed = self.endpoints.get_mut(&id).and_then(|endpoint| endpoint.speak(&self.speech));
            if let Some((at_ns, bytes)) = delayed {
                self.in_flight.add(at_ns, id, bytes);
            }
        }
        while let Some((id, bytes)) = self.in_flight.take(now) {
            if let Some(endpoint) = self.endpoints.get_mut(&id) {
                endpoint.send(&bytes);
            }
        }
    }

    fn collect(&mut self, timeout_ms: i32) -> io::Result<()> {
        let mut ready = Vec::new();
        self.poller.wait(timeout_ms, &mut ready)?;
        for token in ready {
            if token == STDIN {
                self.obey_lines()?;
            } else if let Ok(id) = Id::try_from(token) {
                self.hear(id)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, id: Id) -> io::Result<()> {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return Ok(());
        };
        let mut buffer = [0; MAX_DATAGRAM];
        while let Some(datagram) = kernel::receive(endpoint.socket(), &mut buffer)? {
            match endpoint.hear(&mut buffer, &datagram) {
                Heard::FirstRtp => say(&format!("heard {id}"))?,
                Heard::Signalling => say(&format!("up {id} {} {}", datagram.from, to_hex(&buffer[..datagram.len])))?,
                Heard::Rtp | Heard::Other => {}
            }
        }
        Ok(())
    }

    fn obey_lines(&mut self) -> io::Result<()> {
        let Some(lines) = self.lines.read()? else {
            self.is_over = true;
            return Ok(());
        };
        for line in lines {
            let command = command::parse(&line);
            let command = command.ok_or_else(|| io::Error::other(format!("not a command: {line}")))?;
            self.obey(command)?;
        }
        Ok(())
    }

    fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Open(id) => self.open(id)?,
            Command::Close(id) => drop(self.endpoints.remove(&id)),
            Command::Send(id, to, data) => {
                // A refused datagram of ICE or DTLS is repeated by its protocol.
                let _ = self.endpoint(id)?.socket().send_to(&data, to);
            }
            Command::Secure(id, profile, receive, send) => {
                self.endpoint(id)?.secure(profile, &receive, &send).map_err(io::Error::other)?;
            }
            Command::Stream(id, to, voice, offset, peer) => {
                let voice = self.speech.find(&voice)?;
                self.endpoint(id)?.stream = Some(Stream::new(id, to, voice, offset, peer));
            }
            Command::Impair(id, path) => {
                let stream = self.endpoint(id)?.stream.as_mut();
                stream.ok_or_else(|| io::Error::other(format!("{id} does not speak")))?.impair(Pattern::read(&path)?);
            }
            Command::Mishear(id, path) => {
                let pattern = Pattern::read(&path)?;
                self.endpoints
                    .get_mut(&id)
                    .and_then(|endpoint| endpoint.mishear(pattern, &self.speech))
                    .ok_or_else(|| io::Error::other(format!("{id} does not speak")))?;
            }
            Command::Keep(id, path) => self.endpoint(id)?.keep(path),
            Command::Run => self.begin(),
            Command::Mark => (self.mark_ns, self.latest_ns) = (kernel::now_ns(), 0),
            Command::Halt => {
                self.schedule = None;
                self.in_flight.clear();
                self.endpoints.values_mut().for_each(Endpoint::stop_keeping);
                self.report_at = Some(kernel::now_ns() + DRAIN_NS);
            }
        }
        Ok(())
    }

    fn endpoint(&mut self, id: Id) -> io::Result<&mut Endpoint> {
        self.endpoints.get_mut(&id).ok_or_else(|| io::Error::other(format!("there is no endpoint {id}")))
    }

    fn open(&mut self, id: Id) -> io::Result<()> {
        let endpoint = Endpoint::open()?;
        self.poller.add(endpoint.socket(), u64::from(id))?;
        let port = endpoint.socket().local_addr()?.port();
        self.endpoints.insert(id, endpoint);
        say(&format!("opened {id} {port}"))
    }

    fn begin(&mut self) {
        let order: Vec<Id> =
            self.endpoints.iter().filter(|(_, each)| each.stream.is_some()).map(|(&id, _)| id).collect();
        self.schedule = (!order.is_empty()).then(|| Schedule { order, begun_ns: kernel::now_ns(), turn: 0 });
    }

    fn report(&mut self) -> io::Result<()> {
        self.report_at = None;
        let report = Report::of(&self.endpoints, self.mark_ns, self.latest_ns);
        let begun: BTreeMap<Id, (usize, u64)> = self
            .endpoints
            .values()
            .filter_map(|endpoint| endpoint.stream.as_ref().map(|stream| (stream.peer, stream.beginning())))
            .collect();
        for (id, endpoint) in &mut self.endpoints {
            let (offset, begun_ns) = begun.get(id).copied().unwrap_or_default();
            endpoint.write_kept(offset, begun_ns)?;
            endpoint.arrivals.clear();
            if let Some(stream) = &mut endpoint.stream {
                stream.forget();
            }
        }
        say(&format!("report {}", report.json()))
    }
}

/// One line on standard output.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_turns_evenly_spread_over_a_packet() {
        let mut schedule = Schedule { order: vec![4, 5, 8, 9], begun_ns: 0, turn: 0 };
        let turns: Vec<(u64, Id)> = (0..5).map(|_| (schedule.due_ns(), schedule.take())).collect();
        assert_eq!(turns, [(0, 4), (5_000_000, 5), (10_000_000, 8), (15_000_000, 9), (20_000_000, 4)]);
    }
}

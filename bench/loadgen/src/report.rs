//! The figures of one measurement, over all calls.

use std::collections::BTreeMap;

use crate::command::Id;
use crate::endpoint::Endpoint;
use crate::tally::{Outcome, compare, quantile};

/// Streams with losses that are named one by one.
const MAX_NAMED: usize = 20;

/// All streams of one direction.
#[derive(Default)]
struct Direction {
    streams: usize,
    sent: usize,
    received: usize,
    reordered: usize,
    duplicates: usize,
    latencies: Vec<u64>,
}

impl Direction {
    fn add(&mut self, outcome: Outcome) {
        self.streams += 1;
        self.sent += outcome.sent;
        self.received += outcome.received;
        self.reordered += outcome.reordered;
        self.duplicates += outcome.duplicates;
        self.latencies.extend(outcome.latencies);
    }

    fn json(&mut self) -> String {
        self.latencies.sort_unstable();
        let us = |share| quantile(&self.latencies, share) / 1000;
        format!(
            r#"{{"streams":{},"sent":{},"received":{},"lost":{},"reordered":{},"duplicates":{},"latency_us":{{"p50":{},"p90":{},"p99":{},"max":{}}}}}"#,
            self.streams,
            self.sent,
            self.received,
            self.sent - self.received,
            self.reordered,
            self.duplicates,
            us(0.5),
            us(0.9),
            us(0.99),
            us(1.0),
        )
    }
}

/// What was measured since the mark.
#[derive(Default)]
pub struct Report {
    to_phone: Direction,
    to_browser: Direction,
    lossy: Vec<(Id, usize)>,
    unauthentic: u64,
    refused: u64,
    latest_ns: u64,
}

impl Report {
    /// Compare what each endpoint sent with what its peer heard.
    pub fn of(endpoints: &BTreeMap<Id, Endpoint>, mark_ns: u64, latest_ns: u64) -> Self {
        let mut report = Self { latest_ns, ..Self::default() };
        for (&id, endpoint) in endpoints {
            report.unauthentic += endpoint.unauthentic;
            let Some(stream) = &endpoint.stream else {
                continue;
            };
            report.refused += stream.refused;
            let arrivals = endpoints.get(&stream.peer).map_or(&[][..], |peer| &peer.arrivals[..]);
            let outcome = compare(&stream.sent, arrivals, mark_ns);
            if outcome.received < outcome.sent {
                report.lossy.push((id, outcome.sent - outcome.received));
            }
            if endpoint.is_secure() { report.to_phone.add(outcome) } else { report.to_browser.add(outcome) }
        }
        report
    }

    /// As one line of JSON.
    pub fn json(mut self) -> String {
        let lossy: Vec<String> = self.lossy.iter().take(MAX_NAMED).map(|(id, lost)| format!("[{id},{lost}]")).collect();
        format!(
            r#"{{"to_phone":{},"to_browser":{},"lossy":[{}],"unauthentic":{},"refused":{},"latest_send_us":{}}}"#,
            self.to_phone.json(),
            self.to_browser.json(),
            lossy.join(","),
            self.unauthentic,
            self.refused,
            self.latest_ns / 1000,
        )
    }
}

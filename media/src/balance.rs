//! Which thread a new leg goes to: the first that has room. A packet is cheapest where many come per wake-up, and the
//! first thread reads the shared port, so calls are spread only when there are enough of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A thread publishes its load this often.
const WINDOW: Duration = Duration::from_millis(250);
/// Share of a core up to which a thread takes new legs while another one is idle.
const FULL: f64 = 0.5;
/// What a leg is thought to add until the thread's next figure shows it: a transcoding leg at 8 kHz, rounded up.
const PER_LEG: f64 = 0.005;
const PERMILLE: f64 = 1000.0;

/// A thread's own measure of how busy it is.
#[derive(Default)]
pub struct Meter {
    began: Duration,
    busy: Duration,
}

impl Meter {
    /// The thread worked from `from` to `until`, then waits; when a window is over, its load is published and returned.
    pub fn worked(&mut self, from: Duration, until: Duration, gauge: &Gauge) -> Option<f64> {
        self.busy += until.saturating_sub(from);
        let elapsed = until.saturating_sub(self.began);
        if elapsed < WINDOW {
            return None;
        }
        let load = self.busy.as_secs_f64() / elapsed.as_secs_f64();
        gauge.publish(load);
        self.began = until;
        self.busy = Duration::ZERO;
        Some(load)
    }
}

/// Where a thread shows its load: a count of publications above, the load in thousandths below.
#[derive(Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share between 0 and 1")]
    fn publish(&self, load: f64) {
        let count = (self.0.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        let permille = (load.clamp(0.0, 1.0) * PERMILLE) as u64;
        self.0.store(count << 32 | permille, Ordering::Relaxed);
    }

    /// The publication's number, and the load as a share of a core.
    fn read(&self) -> (u64, f64) {
        let value = self.0.load(Ordering::Relaxed);
        let permille = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        (value >> 32, f64::from(permille) / PERMILLE)
    }
}

/// What is known of one thread.
#[derive(Clone, Copy, Default)]
struct Known {
    publication: u64,
    added: u32,
}

/// Chooses threads for legs.
pub struct Balance(Vec<Known>);

impl Balance {
    /// For so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Balance {
        Balance(vec![Known::default(); threads])
    }

    /// The thread for one more leg; `legs` says how many each one has.
    pub fn choose(&mut self, gauges: &[Gauge], legs: &[usize]) -> usize {
        let loads: Vec<f64> =
            self.0.iter_mut().zip(gauges).zip(legs).map(|((known, gauge), legs)| known.load(gauge, *legs)).collect();
        let roomy = loads.iter().position(|load| *load < FULL);
        let calmest = || (0..loads.len()).min_by(|a, b| loads[*a].total_cmp(&loads[*b])).unwrap_or(0);
        let chosen = roomy.unwrap_or_else(calmest);
        if let Some(known) = self.0.get_mut(chosen) {
            known.added += 1;
        }
        chosen
    }
}

impl Known {
    /// The load as published, and what came since; a thread without legs sleeps and publishes nothing.
    fn load(&mut self, gauge: &Gauge, legs: usize) -> f64 {
        let (publication, published) = gauge.read();
        if publication != self.publication {
            *self = Known { publication, added: 0 };
        }
        let lasting = if legs == 0 { 0.0 } else { published };
        lasting + f64::from(self.added) * PER_LEG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges(loads: &[f64]) -> Vec<Gauge> {
        loads
            .iter()
            .map(|load| {
                let gauge = Gauge::default();
                gauge.publish(*load);
                gauge
            })
            .collect()
    }

    #[test]
    fn the_first_thread_takes_legs_until_it_is_half_busy() {
        let mut balance = Balance::new(2);
        assert_eq!(balance.choose(&gauges(&[0.49, 0.0]), &[10, 0]), 0);
        let mut balance = Balance::new(2);
        assert_eq!(balance.choose(&gauges(&[0.5, 0.0]), &[10, 0]), 1);
    }

    #[test]
    fn when_all_are_half_busy_the_calmest_takes_them() {
        assert_eq!(Balance::new(3).choose(&gauges(&[0.9, 0.6, 0.7]), &[9, 9, 9]), 1);
    }

    #[test]
    fn a_burst_spreads_before_its_load_is_seen() {
        let mut balance = Balance::new(2);
        let idle = gauges(&[0.0, 0.0]);
        let chosen: Vec<usize> = (0..150).map(|_| balance.choose(&idle, &[1, 1])).collect();
        assert!(chosen[..99].iter().all(|thread| *thread == 0));
        assert!(chosen[101..].iter().all(|thread| *thread == 1));
    }

    #[test]
    fn a_new_figure_replaces_the_guess() {
        let mut balance = Balance::new(2);
        let gauges = gauges(&[0.0, 0.0]);
        (0..100).for_each(|_| {
            balance.choose(&gauges, &[1, 1]);
        });
        gauges[0].publish(0.1);
        assert_eq!(balance.choose(&gauges, &[100, 1]), 0);
    }

    #[test]
    fn a_thread_whose_legs_are_gone_is_idle_whatever_it_said_last() {
        assert_eq!(Balance::new(2).choose(&gauges(&[0.9, 0.9]), &[0, 5]), 0);
    }

    #[test]
    fn a_meter_publishes_its_share_of_each_window() {
        let (mut meter, gauge) = (Meter::default(), Gauge::default());
        meter.worked(Duration::from_millis(100), Duration::from_millis(150), &gauge);
        assert_eq!(gauge.read(), (0, 0.0));
        meter.worked(Duration::from_millis(450), Duration::from_millis(500), &gauge);
        assert_eq!(gauge.read(), (1, 0.2));
    }
}

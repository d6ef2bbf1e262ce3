//! Telephone-events: no bytes do harm; every digit sent is heard exactly once, also through loss and repetition.

use std::time::Duration;

use mediacore::dtmf::{self, Detector, Digit, Generator, Packet};
use mediacore::rtp::Ssrc;

use crate::script::Script;

/// How often the generator is asked; as coarse as a media thread's tick may become.
const TICK: Duration = Duration::from_millis(5);
/// No train may take longer than this in all.
const LONGEST: Duration = Duration::from_secs(200);

/// Hear hostile packets, then send digits over a bad line.
pub fn check(data: &[u8]) {
    let mut script = Script::new(data);
    if script.flag() {
        hear(&mut script);
    } else {
        send_and_hear(&mut script);
    }
}

fn hear(script: &mut Script) {
    let mut detector = Detector::default();
    let clocks = [script.choice([8000, 48_000, 0, u32::MAX]), 48_000];
    let mut now = Duration::ZERO;
    let (mut packets, mut digits) = (0_usize, 0_usize);
    while !script.is_over() {
        now += Duration::from_millis(u64::from(script.byte()));
        digits += usize::from(detector.on_tick(now).is_some());
        assert!(detector.deadline().is_none_or(|at| at > now), "a tick did not do its work");
        let (origin, timestamp) = (script.byte(), script.u32());
        let (ssrc, clock) = (Ssrc(u32::from(origin % 3)), clocks[usize::from(origin / 3 % 2)]);
        let payload = script.bytes();
        detector.on_packet(now, ssrc, timestamp, clock, payload, &mut |digit| {
            digits += 1;
            assert!(digit.event <= 15);
            assert_eq!(dtmf::event_of(digit.as_char()), Some(digit.event));
        });
        packets += usize::from(dtmf::parse(payload).is_some());
        assert!(digits <= packets, "a digit out of nothing");
    }
}

/// What was dialled: event code and length.
type Dialled = (u8, u32);

fn send_and_hear(script: &mut Script) {
    let rate_hz = script.choice([8000, 48_000]);
    let mut generator = Generator::new(rate_hz, rate_hz);
    let is_lossy = script.flag();
    let dialled = dial(script, &mut generator, if is_lossy { 1000 } else { 70_000 });
    let heard = transmit(script, generator, rate_hz, is_lossy);
    let events = |digits: &[Dialled]| digits.iter().map(|digit| digit.0).collect::<Vec<_>>();
    let heard: Vec<Dialled> = heard.into_iter().map(|digit| (digit.event, digit.duration_ms)).collect();
    assert_eq!(events(&heard), events(&dialled));
    if !is_lossy {
        assert_eq!(heard, dialled);
    }
}

fn dial(script: &mut Script, generator: &mut Generator, longest_ms: u32) -> Vec<Dialled> {
    let mut dialled = Vec::new();
    for _ in 0..script.byte() % 12 {
        let (event, duration_ms, gap_ms) =
            (script.byte() % 20, script.u32() % longest_ms, u32::from(script.u16()) % 2000);
        if generator.push(event, duration_ms, gap_ms) {
            assert!(event < 16, "{event} is no digit");
            dialled.push((event, duration_ms.clamp(40, 60_000)));
        }
    }
    dialled
}

/// Let time pass until all is sent; of each train at least the first packet arrives, on a lossless line every one.
fn transmit(script: &mut Script, mut generator: Generator, rate_hz: u32, is_lossy: bool) -> Vec<Digit> {
    let mut detector = Detector::default();
    let mut heard = Vec::new();
    let mut now = Duration::from_secs(1);
    while generator.is_sending() && now < LONGEST * 12 {
        let ticks = u32::try_from(now.as_millis() * u128::from(rate_hz) / 1000).expect("a short time");
        while let Some(Packet { marker, timestamp, payload }) = generator.next(now, ticks) {
            let copies = if is_lossy && !marker { script.byte() % 3 } else { 1 + script.byte() % 2 };
            for _ in 0..copies {
                detector.on_packet(now, Ssrc(1), timestamp, rate_hz, &payload, &mut |digit| heard.push(digit));
            }
        }
        now += TICK * u32::from(1 + script.byte() % if is_lossy { 8 } else { 2 });
        heard.extend(detector.on_tick(now));
    }
    assert!(!generator.is_sending(), "digits for ever");
    heard.extend(detector.on_tick(now + Duration::from_secs(1)));
    heard
}

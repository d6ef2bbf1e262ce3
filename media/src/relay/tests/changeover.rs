//! A browser's codec changes in mid-call: both sides are heard all the time, though it hears of the change later.

use super::*;
use crate::player::Play;
use crate::sound::Sound;

const FRAMES: u16 = 100;
/// The frame before which the leg is told of the new codec, and the first that the browser speaks in it.
const AGREED: u16 = 40;
const APPLIED: u16 = 50;

/// A browser and a phone that hear each other.
struct Scene {
    bench: Bench,
    browser: LegId,
    phone: LegId,
    sender: Sender,
}

fn scene(browser: Format, phone: Format) -> Scene {
    let mut bench = Bench::default();
    let (browser, phone) = (bench.browser(1, browser), bench.phone(2, phone));
    bench.set_keys(browser);
    bench.couple(browser, phone);
    Scene { bench, browser, phone, sender: Sender::new(Profile::AeadAes128Gcm, &KEY).unwrap() }
}

impl Scene {
    /// The browser says frame `n`.
    fn say(&mut self, format: Format, n: u16) {
        let ticks = u32::from(n) * 20 * format.codec.clock_rate_hz() / 1000;
        let payload = if format.codec == Codec::Opus { &[0x08][..] } else { &[0x55; 160] };
        let mut bytes = packet(format.payload_type.0, n, ticks, payload);
        let plain = bytes.len();
        bytes.resize(plain + crate::srtp::MAX_OVERHEAD, 0);
        let len = self.sender.protect_rtp(&mut bytes, plain).unwrap();
        bytes.truncate(len);
        self.bench.receive(self.browser, bytes);
    }

    /// Both talk, and the browser goes from one codec to the other; what was sent to browser and phone.
    fn change(&mut self, from: Format, to: Format, phone: Format) -> [Vec<Sent>; 2] {
        let mut sent = Vec::new();
        for n in 0..FRAMES {
            sent.extend(self.bench.pass(at(20 * u64::from(n))));
            if n == AGREED {
                self.bench.command(self.browser, Command::SetFormat(to));
            }
            self.say(if n < APPLIED { from } else { to }, n);
            self.bench.say(self.phone, phone.payload_type.0, n, &[0xd5; 160]);
            sent.extend(self.bench.take());
        }
        [self.browser, self.phone].map(|leg| {
            let path = Bench::peer(leg);
            rtp_only(sent.clone()).into_iter().filter(|packet| packet.path == path).collect()
        })
    }
}

/// At every time there was something to hear: no two packets are further apart than a frame and the jitter buffer.
fn assert_no_gap(sent: &[Sent]) {
    for pair in sent.windows(2) {
        let gap = pair[1].at.saturating_sub(pair[0].at);
        assert!(gap <= at(40), "{gap:?} without a packet at {:?}", pair[0].at);
        assert_eq!(pair[1].rtp().header.sequence, pair[0].rtp().header.sequence.plus(1));
    }
}

#[test]
fn both_sides_are_heard_without_a_gap_while_the_codec_changes() {
    for from in [PCMU, OPUS] {
        let mut scene = scene(from, PCMA);
        let [to_browser, to_phone] = scene.change(from, PCMA, PCMA);
        assert_no_gap(&to_browser);
        assert_no_gap(&to_phone);
        assert!(to_phone.len() >= usize::from(FRAMES) - 3, "{} packets", to_phone.len());
        assert!(to_browser.len() >= usize::from(FRAMES) - 3, "{} packets", to_browser.len());
        assert_eq!(scene.bench.count(scene.browser, "dropped_unknown_payload"), 0);
        assert_eq!(scene.bench.count(scene.browser, "transcoding"), 0);
        assert_eq!(scene.bench.count(scene.phone, "transcoding"), 0);
    }
}

#[test]
fn the_browser_hears_its_former_codec_until_it_speaks_the_new_one() {
    let mut scene = scene(PCMU, PCMA);
    let [to_browser, _] = scene.change(PCMU, PCMA, PCMA);
    let applied = at(20 * u64::from(APPLIED));
    for packet in to_browser {
        let expected = if packet.at < applied { PCMU.payload_type } else { PCMA.payload_type };
        assert_eq!(packet.rtp().header.payload_type, expected, "at {:?}", packet.at);
    }
}

#[test]
fn a_key_that_is_pressed_first_in_the_new_codec_is_heard() {
    let mut scene = scene(OPUS, PCMA);
    scene.say(OPUS, 0);
    scene.bench.command(scene.browser, Command::SetFormat(PCMU));
    let key = Format { payload_type: PCMU.events[0].unwrap().0, ..PCMU };
    scene.say(key, 1);
    assert_eq!(scene.bench.count(scene.browser, "dropped_unknown_payload"), 0);
    scene.say(PCMU, 2);
    assert_eq!(scene.bench.count(scene.browser, "payload_type"), 0);
}

#[test]
fn a_browser_that_says_nothing_is_spoken_to_in_the_new_codec_after_a_second() {
    let mut scene = scene(PCMU, PCMA);
    scene.say(PCMU, 0);
    scene.bench.command(scene.browser, Command::SetFormat(PCMA));
    scene.bench.pass(at(990));
    assert_eq!(scene.bench.count(scene.browser, "payload_type"), 0);
    scene.bench.pass(at(1010));
    assert_eq!(scene.bench.count(scene.browser, "payload_type"), 8);
}

#[test]
fn an_answer_that_takes_the_change_back_leaves_everything_as_it_was() {
    let mut scene = scene(PCMU, PCMA);
    scene.say(PCMU, 0);
    scene.bench.command(scene.browser, Command::SetFormat(PCMA));
    scene.bench.command(scene.browser, Command::SetFormat(PCMU));
    scene.bench.pass(at(5000));
    assert_eq!(scene.bench.count(scene.browser, "payload_type"), 0);
}

#[test]
fn a_sound_plays_on_while_the_codec_changes() {
    let mut scene = scene(PCMU, PCMA);
    let sound = Sound::new(vec![4000; 16_000], vec![4000; 32_000]).unwrap();
    let play = |format: Format| {
        Command::Play(Play { number: 1, frames: sound.frames(format.into()).unwrap(), repeats: false })
    };
    scene.bench.command(scene.browser, play(PCMU));
    let mut sent = Vec::new();
    for n in 0..FRAMES {
        sent.extend(scene.bench.pass(at(20 * u64::from(n))));
        if n == AGREED {
            scene.bench.command(scene.browser, Command::SetFormat(PCMA));
            scene.bench.command(scene.browser, play(PCMA));
        }
        scene.say(if n < APPLIED { PCMU } else { PCMA }, n);
        sent.extend(scene.bench.take());
    }
    sent.retain(|packet| packet.path == Bench::peer(scene.browser));
    let sent = rtp_only(sent);
    assert_no_gap(&sent);
    assert!(sent.len() >= usize::from(FRAMES) - 1);
    assert_eq!(sent.last().unwrap().rtp().header.payload_type, PCMA.payload_type);
}

#[test]
fn a_sound_that_is_stopped_while_the_codec_changes_is_not_heard_again() {
    let mut scene = scene(PCMU, PCMA);
    scene.say(PCMU, 0);
    scene.bench.command(scene.browser, Command::SetFormat(PCMA));
    let sound = Sound::new(vec![4000; 8000], vec![4000; 16_000]).unwrap();
    let play = Play { number: 1, frames: sound.frames(PCMA.into()).unwrap(), repeats: true };
    scene.bench.command(scene.browser, Command::Play(play));
    scene.bench.command(scene.browser, Command::StopPlaying);
    scene.say(PCMA, 1);
    let heard = rtp_only(scene.bench.pass(at(500))).iter().any(|packet| packet.path == Bench::peer(scene.browser));
    assert!(!heard);
}

/// Found by fuzzing.
#[test]
fn nothing_is_sent_in_the_former_codec_of_a_phone() {
    let (mut bench, browser, phone) = coupled(OPUS, PCMU);
    bench.say(browser, 111, 0, &[0x08]);
    assert!(!rtp_only(bench.pass(at(100))).is_empty(), "its silence goes on");
    bench.command(phone, Command::SetFormat(PCMA));
    assert_eq!(rtp_only(bench.pass(at(200))), []);
}

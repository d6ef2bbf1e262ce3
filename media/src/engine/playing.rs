//! Sounds on legs: who is to play what, and where its packets come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::Engine;
use crate::command::{Command, Format};
use crate::event::Event;
use crate::mailbox::{Message, lock};
use crate::path::LegId;
use crate::player::Play;
use crate::sound::{Frames, Sound};

static NEXT_PLAYING: AtomicU64 = AtomicU64::new(1);

/// A sound that a leg is to play.
#[derive(Clone)]
pub(super) struct Wish {
    number: u64,
    sound: Arc<Sound>,
    repeats: bool,
}

impl Engine {
    /// Say what the peer of a leg speaks; what it plays goes on in that.
    pub fn set_format(self: &Arc<Self>, leg: LegId, format: Format) {
        if let Some(record) = lock(&self.control).records.get_mut(&leg) {
            record.cut = Some(format.into());
        }
        self.command(leg, Command::SetFormat(format));
        self.serve(leg);
    }

    /// Send a sound to the peer of a leg in the place of its source, as soon as its packets are made; the number by
    /// which [`Event::Played`] tells its end.
    pub fn play(self: &Arc<Self>, leg: LegId, sound: &Arc<Sound>, repeats: bool) -> u64 {
        let number = NEXT_PLAYING.fetch_add(1, Ordering::Relaxed);
        if let Some(record) = lock(&self.control).records.get_mut(&leg) {
            record.wish = Some(Wish { number, sound: sound.clone(), repeats });
        }
        self.serve(leg);
        number
    }

    /// Send the source of a leg again.
    pub fn stop_playing(&self, leg: LegId) {
        if let Some(record) = lock(&self.control).records.get_mut(&leg) {
            record.wish = None;
        }
        self.command(leg, Command::StopPlaying);
    }

    /// Give a leg the packets of what it is to play; a thread makes them if they are the first of their kind.
    fn serve(self: &Arc<Self>, leg: LegId) {
        let Some((wish, cut)) =
            lock(&self.control).records.get(&leg).and_then(|record| record.wish.clone().zip(record.cut))
        else {
            return;
        };
        if let Some(frames) = wish.sound.ready(cut) {
            self.hand_frames(leg, wish.number, frames);
            return;
        }
        let engine = Arc::downgrade(self);
        let number = wish.number;
        let make = move || {
            let made = wish.sound.frames(cut);
            match (engine.upgrade(), made) {
                (Some(engine), Ok(frames)) => engine.hand_frames(leg, number, frames),
                (Some(engine), Err(_)) => engine.give_up(leg, number),
                (None, _) => {}
            }
        };
        if thread::Builder::new().name("sounds".to_owned()).spawn(make).is_err() {
            self.give_up(leg, number);
        }
    }

    /// Unless the leg is to play something else by now, or speaks something else.
    fn hand_frames(&self, leg: LegId, number: u64, frames: Arc<Frames>) {
        let control = lock(&self.control);
        let Some(record) = control.records.get(&leg).filter(|record| record.cut == Some(frames.cut())) else {
            return;
        };
        if let Some(wish) = record.wish.as_ref().filter(|wish| wish.number == number) {
            let play = Play { number, frames, repeats: wish.repeats };
            self.post(record.shard, Message::Command(leg, Command::Play(play)));
        }
    }

    /// The sound cannot be had in the leg's codec: it ends before it began.
    fn give_up(&self, leg: LegId, number: u64) {
        self.common.events.push(&mut vec![(leg, Event::Unplayable(number))], &mut |_| {});
    }
}

//! SRTP of a plain RTP leg, with keys from its SDP (RFC 4568), and the change of keys in mid-call.

use std::time::Duration;

use crate::srtp::{Profile, Receiver, Sender, SrtpError};

/// How long packets under the former key may still come once the new one is in use: what a network can reorder.
const OVERLAP: Duration = Duration::from_secs(2);

/// What a new offer and answer change.
pub struct Change {
    /// The peer's new key; `None` when it is the one that we have, whose rollover counter goes on.
    pub receiver: Option<Receiver>,
    /// Which of our keys to use, counted in the order in which they came.
    pub sender: usize,
    /// That key, when it is new.
    pub new_sender: Option<Sender>,
}

/// Which of the peer's keys a packet was under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// The one of the latest SDP, or the leg has no keys.
    Current,
    /// The one before.
    Former,
}

/// The peer's former key.
struct Former {
    receiver: Receiver,
    /// When it ends; `None` while the new key has not been heard.
    ends: Option<Duration>,
}

/// The contexts of one leg.
#[derive(Default)]
pub struct Sdes {
    receiver: Option<Receiver>,
    former: Option<Former>,
    /// Every key that we ever used: a second context under one of them would use its keystream twice.
    senders: Vec<Sender>,
    sender: usize,
}

impl Sdes {
    /// Use these keys from now on.
    pub fn change(&mut self, change: Change) {
        if let Some(new) = change.receiver {
            let old = self.receiver.replace(new);
            self.former = old.map(|receiver| Former { receiver, ends: None });
        }
        self.senders.extend(change.new_sender);
        self.sender = change.sender;
    }

    /// How the peer's packets are protected.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.receiver.as_ref().map(Receiver::profile)
    }

    /// Decrypt in place with `unprotect`: length, and whose key it was.
    ///
    /// The peer may use its former key until it has our answer, and the network may reorder the two (RFC 4568 §7.1.4).
    ///
    /// # Errors
    /// What the current key says.
    pub fn open(
        &mut self,
        now: Duration,
        packet: &mut [u8],
        unprotect: impl Fn(&mut Receiver, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<(usize, Epoch), SrtpError> {
        let receiver = self.receiver.as_mut().ok_or(SrtpError::Auth)?;
        match unprotect(receiver, packet) {
            Ok(len) => {
                if self.former.is_some() {
                    self.retire_former(now);
                }
                Ok((len, Epoch::Current))
            }
            Err(error) => {
                let former = self.former.as_mut().and_then(|old| unprotect(&mut old.receiver, packet).ok());
                former.map(|len| (len, Epoch::Former)).ok_or(error)
            }
        }
    }

    fn retire_former(&mut self, now: Duration) {
        let ends = self.former.as_ref().and_then(|old| old.ends).unwrap_or(now + OVERLAP);
        self.former = self.former.take().filter(|_| now < ends).map(|old| Former { ends: Some(ends), ..old });
    }

    /// Our context.
    pub fn sender(&mut self) -> Option<&mut Sender> {
        self.senders.get_mut(self.sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::MAX_OVERHEAD;

    const PROFILE: Profile = Profile::AesCm128HmacSha1_80;

    fn key(number: u8) -> Vec<u8> {
        vec![number; PROFILE.key_len() + PROFILE.salt_len()]
    }

    fn sender(number: u8) -> Sender {
        Sender::new(PROFILE, &key(number)).expect("right length")
    }

    fn peer_uses(number: u8) -> Change {
        let receiver = Receiver::new(PROFILE, &key(number)).expect("right length");
        Change { receiver: Some(receiver), sender: 0, new_sender: None }
    }

    fn packet(sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        [&[0x80, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 7][..], &[0x55; 160]].concat()
    }

    fn sealed(sender: &mut Sender, sequence: u16) -> Vec<u8> {
        let mut buffer = packet(sequence);
        let len = buffer.len();
        buffer.resize(len + MAX_OVERHEAD, 0);
        let len = sender.protect_rtp(&mut buffer, len).expect("protects");
        buffer.truncate(len);
        buffer
    }

    fn open(sdes: &mut Sdes, now_s: u64, wire: &[u8]) -> Result<Epoch, SrtpError> {
        let mut packet = wire.to_vec();
        let opened = sdes.open(Duration::from_secs(now_s), &mut packet, Receiver::unprotect_rtp);
        if opened.is_err() {
            assert_eq!(packet, wire, "a refused packet was changed");
        }
        opened.map(|(_, epoch)| epoch)
    }

    #[test]
    fn nothing_is_opened_without_a_key() {
        assert_eq!(open(&mut Sdes::default(), 0, &sealed(&mut sender(1), 1)), Err(SrtpError::Auth));
    }

    #[test]
    fn the_former_key_serves_until_the_new_one_is_heard_and_a_little_longer() {
        let mut sdes = Sdes::default();
        sdes.change(peer_uses(1));
        let (mut old, mut new) = (sender(1), sender(2));
        assert_eq!(open(&mut sdes, 0, &sealed(&mut old, 1)), Ok(Epoch::Current));
        sdes.change(peer_uses(2));
        assert_eq!(open(&mut sdes, 60, &sealed(&mut old, 2)), Ok(Epoch::Former));
        assert_eq!(open(&mut sdes, 60, &sealed(&mut new, 3)), Ok(Epoch::Current));
        assert_eq!(open(&mut sdes, 61, &sealed(&mut old, 4)), Ok(Epoch::Former));
        assert_eq!(open(&mut sdes, 62, &sealed(&mut new, 5)), Ok(Epoch::Current));
        assert_eq!(open(&mut sdes, 62, &sealed(&mut old, 6)), Err(SrtpError::Auth));
    }

    #[test]
    fn the_same_key_goes_on_counting_and_a_new_one_starts_again() {
        let mut sdes = Sdes::default();
        sdes.change(peer_uses(1));
        let mut peer = sender(1);
        for sequence in [0xfffe, 0xffff, 0, 1] {
            assert_eq!(open(&mut sdes, 0, &sealed(&mut peer, sequence)), Ok(Epoch::Current));
        }
        sdes.change(Change { receiver: None, sender: 0, new_sender: None });
        assert_eq!(open(&mut sdes, 1, &sealed(&mut peer, 2)), Ok(Epoch::Current));
        sdes.change(peer_uses(2));
        assert_eq!(open(&mut sdes, 1, &sealed(&mut sender(2), 3)), Ok(Epoch::Current));
    }

    #[test]
    fn a_key_of_ours_that_comes_back_goes_on_where_it_was() {
        let mut sdes = Sdes::default();
        sdes.change(Change { receiver: None, sender: 0, new_sender: Some(sender(1)) });
        let first = sealed(sdes.sender().expect("a key"), 1);
        sdes.change(Change { receiver: None, sender: 1, new_sender: Some(sender(2)) });
        assert_ne!(sealed(sdes.sender().expect("a key"), 1), first);
        sdes.change(Change { receiver: None, sender: 0, new_sender: None });
        let mut again = packet(1);
        again.resize(400, 0);
        assert_eq!(sdes.sender().expect("a key").protect_rtp(&mut again, 172), Err(SrtpError::Replay));
    }
}

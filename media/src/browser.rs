//! The transport of a browser leg: ICE-lite path, DTLS passed by, SRTP (RFC 8445, RFC 5764).

use std::time::Duration;

use crate::counters::Dropped;
use crate::ice::{Change, IceLite};
use crate::path::Path;
use crate::srtp::{Profile, Receiver, Sender, SrtpError};
use crate::stun::{self, MAX_RESPONSE};

/// Media packets kept until the keys are known: the browser sends them one round trip before we finish DTLS.
const MAX_EARLY: usize = 8;

struct Keys {
    receiver: Receiver,
    sender: Sender,
}

/// What a binding request leads to.
pub struct Answer {
    /// The response, `response[..len]`.
    pub response: [u8; MAX_RESPONSE],
    /// Its length.
    pub len: usize,
    /// What changed, if the check was valid.
    pub change: Option<Change>,
}

/// A browser's end.
pub struct Browser {
    ice: IceLite,
    keys: Option<Box<Keys>>,
    early: Vec<(Path, Vec<u8>)>,
}

impl Browser {
    /// An endpoint with these local ICE credentials.
    #[must_use]
    pub fn new(ufrag: &str, pwd: &str) -> Browser {
        Browser { ice: IceLite::new(ufrag, pwd), keys: None, early: Vec::new() }
    }

    /// The ICE state.
    #[must_use]
    pub fn ice(&self) -> &IceLite {
        &self.ice
    }

    /// New credentials (RFC 8445 §2.4); DTLS and SRTP go on.
    pub fn restart_ice(&mut self, ufrag: &str, pwd: &str) {
        self.ice.restart(ufrag, pwd);
    }

    /// Take a STUN message; `None` when it deserves no answer.
    pub fn on_stun(&mut self, now: Duration, path: Path, message: &[u8]) -> Option<Answer> {
        let request = stun::parse(message)?;
        let password = self.ice.password_for(request.local_ufrag)?;
        if !request.is_authentic(password) {
            return None;
        }
        let mut response = [0; MAX_RESPONSE];
        if request.peer_is_controlled {
            let len = stun::role_conflict(&request, password, &mut response);
            return Some(Answer { response, len, change: None });
        }
        if let Some(kind) = request.unknown_attribute {
            let len = stun::unknown_attribute(&request, kind, password, &mut response);
            return Some(Answer { response, len, change: None });
        }
        let len = stun::success(&request, path.peer, password, &mut response);
        let change = self.ice.on_check(now, path, request.use_candidate);
        Some(Answer { response, len, change: Some(change) })
    }

    /// Use these keys; the media that came before them.
    pub fn set_keys(&mut self, receiver: Receiver, sender: Sender) -> Vec<(Path, Vec<u8>)> {
        self.keys = Some(Box::new(Keys { receiver, sender }));
        std::mem::take(&mut self.early)
    }

    /// How the browser's packets are protected.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.keys.as_ref().map(|keys| keys.receiver.profile())
    }

    /// Bring near what sealing a packet touches beyond this.
    pub fn expect_to_send(&self) {
        if let Some(keys) = &self.keys {
            keys.sender.expect_rtp();
        }
    }

    /// Whether media can be sent.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.keys.as_ref().and_then(|_| self.ice.path())
    }

    /// Decrypt RTP in place; its length.
    ///
    /// # Errors
    /// Why the packet is dropped; [`Dropped::Early`] also when it is kept for later.
    pub fn open_rtp(&mut self, now: Duration, path: Path, packet: &mut [u8]) -> Result<usize, Dropped> {
        self.open(now, path, packet, Receiver::unprotect_rtp)
    }

    /// The same for RTCP.
    ///
    /// # Errors
    /// As [`Browser::open_rtp`].
    pub fn open_rtcp(&mut self, now: Duration, path: Path, packet: &mut [u8]) -> Result<usize, Dropped> {
        self.open(now, path, packet, Receiver::unprotect_rtcp)
    }

    fn open(
        &mut self,
        now: Duration,
        path: Path,
        packet: &mut [u8],
        unprotect: impl Fn(&mut Receiver, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<usize, Dropped> {
        if !self.ice.is_valid(path) {
            return Err(Dropped::UnknownSource);
        }
        let Some(keys) = &mut self.keys else {
            return Err(self.keep(path, packet));
        };
        let len = unprotect(&mut keys.receiver, packet)?;
        self.ice.heard_media(now, path);
        Ok(len)
    }

    fn keep(&mut self, path: Path, packet: &[u8]) -> Dropped {
        if self.early.len() < MAX_EARLY {
            self.early.push((path, packet.to_vec()));
        }
        Dropped::Early
    }

    /// Encrypt the RTP packet `buffer[..len]` in place.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        self.keys.as_mut()?.sender.protect_rtp(buffer, len).ok()
    }

    /// Encrypt the RTCP packet `buffer[..len]` in place.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        self.keys.as_mut()?.sender.protect_rtcp(buffer, len).ok()
    }
}

//! A leg's transport, browser or plain RTP, and the wire that packets leave on.

use std::net::SocketAddr;
use std::time::Duration;

use crate::browser::Browser;
use crate::counters::{Counters, Dropped};
use crate::outbox::Outbox;
use crate::path::{LegId, Path};
use crate::port::Port;
use crate::rtcp::voip::VoipMetrics;
use crate::rtcp::{self, Compound};
use crate::rtp::{self, HEADER_LEN, Header};
use crate::sdes::Epoch;
use crate::srtp::Profile;

/// How a leg reaches its peer.
pub enum Transport {
    /// ICE-lite, DTLS-SRTP, on the shared port.
    Browser(Browser),
    /// RTP/AVP or RTP/SAVP on ports of its own.
    Port(Port),
}

impl Transport {
    /// Bring near what sealing a packet for a browser touches beyond this.
    pub fn expect_to_send(&self) {
        if let Transport::Browser(browser) = self {
            browser.expect_to_send();
        }
    }

    /// The plain RTP packet inside `packet`, decrypted in place, if its source is to be believed.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn open_rtp<'a>(
        &mut self,
        now: Duration,
        path: Path,
        packet: &'a mut [u8],
    ) -> Result<(rtp::Packet<'a>, &'a [u8]), Dropped> {
        let (len, epoch) = match self {
            Transport::Browser(browser) => (browser.open_rtp(now, path, packet)?, Epoch::Current),
            Transport::Port(port) => port.open_rtp(now, path.peer, packet)?,
        };
        let plain = &packet[..len];
        let parsed = rtp::parse(plain).ok_or(Dropped::Malformed)?;
        if let Transport::Port(port) = self {
            port.accept(now, path.peer, &parsed.header, epoch)?;
        }
        Ok((parsed, plain))
    }

    /// The plain RTCP packet inside `packet`.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn open_rtcp<'a>(&mut self, now: Duration, path: Path, packet: &'a mut [u8]) -> Result<&'a [u8], Dropped> {
        let len = match self {
            Transport::Browser(browser) => browser.open_rtcp(now, path, packet)?,
            Transport::Port(port) => port.open_rtcp(now, path, packet)?,
        };
        Ok(&packet[..len])
    }

    /// Where RTP goes, once media can be sent.
    #[must_use]
    pub fn rtp_path(&self) -> Option<Path> {
        match self {
            Transport::Browser(browser) => browser.path(),
            Transport::Port(port) => port.rtp_path(),
        }
    }

    /// The learned source to which RTP goes instead of to the address in the SDP; a browser's path is ICE's alone.
    #[must_use]
    pub fn detour(&self) -> Option<SocketAddr> {
        match self {
            Transport::Browser(_) => None,
            Transport::Port(port) => port.detour(),
        }
    }

    /// How the peer's packets are protected, if they are.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        match self {
            Transport::Browser(browser) => browser.profile(),
            Transport::Port(port) => port.profile(),
        }
    }

    fn rtcp_path(&self) -> Option<Path> {
        match self {
            Transport::Browser(browser) => browser.path(),
            Transport::Port(port) => port.rtcp_path(),
        }
    }

    fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Transport::Browser(browser) => browser.seal_rtp(buffer, len),
            Transport::Port(port) => port.seal_rtp(buffer, len),
        }
    }

    fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Transport::Browser(browser) => browser.seal_rtcp(buffer, len),
            Transport::Port(port) => port.seal_rtcp(buffer, len),
        }
    }
}

/// The way out of one leg, while one packet, command or timer is handled.
pub struct Wire<'a> {
    /// Whose.
    pub leg: LegId,
    /// How.
    pub transport: &'a mut Transport,
    /// What is counted.
    pub counters: &'a mut Counters,
    /// Where to.
    pub out: &'a mut Outbox,
}

impl Wire<'_> {
    /// Send an RTP packet; false when there is no way to the peer.
    pub fn rtp(&mut self, header: &Header, payload: &[u8]) -> bool {
        let Some(path) = self.transport.rtp_path() else {
            return false;
        };
        let transport = &mut *self.transport;
        let sent = self.out.packet(self.leg, path, |buffer| {
            let len = HEADER_LEN + payload.len();
            buffer.get_mut(HEADER_LEN..len)?.copy_from_slice(payload);
            rtp::write_header(header, buffer.first_chunk_mut()?);
            transport.seal_rtp(buffer, len)
        });
        if sent {
            self.counters.tx_packets += 1;
            self.counters.tx_bytes += payload.len() as u64;
        } else {
            self.counters.drops.count(Dropped::Unsent);
        }
        sent
    }

    /// Send an RTCP packet, if there is a way to the peer, with these `VoIP` metrics behind it.
    pub fn rtcp(&mut self, compound: &Compound<'_>, voip: Option<&VoipMetrics>) {
        let Some(path) = self.transport.rtcp_path() else {
            return;
        };
        let transport = &mut *self.transport;
        let sent = self.out.packet(self.leg, path, |buffer| {
            let mut len = rtcp::build_compound(buffer, compound)?;
            if let Some(metrics) = voip {
                len = rtcp::voip::append(buffer, len, compound.ssrc, metrics)?;
            }
            transport.seal_rtcp(buffer, len)
        });
        self.counters.tx_rtcp += u64::from(sent);
    }
}

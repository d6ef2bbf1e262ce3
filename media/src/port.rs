//! The transport of an RTP leg: two ports of ours, a peer whose address is announced and learned, and perhaps SRTP.

use std::net::SocketAddr;
use std::time::Duration;

use crate::command::Remote;
use crate::counters::Dropped;
use crate::latch::Latch;
use crate::path::{Path, SocketId};
use crate::rtp::Header;
use crate::sdes::{Change, Epoch, Sdes};
use crate::srtp::{Profile, Receiver, SrtpError};

/// A trunk's or phone's end.
pub struct Port {
    rtp: SocketId,
    rtcp: SocketId,
    latch: Latch,
    announced_rtcp: Option<SocketAddr>,
    /// Where RTCP came from, on which socket.
    learned_rtcp: Option<Path>,
    rtcp_mux: bool,
    /// Contexts of all keys so far, kept while the peer speaks plain RTP between two of them.
    sdes: Option<Box<Sdes>>,
    secure: bool,
}

impl Port {
    /// An endpoint on an even port and the odd one above it.
    #[must_use]
    pub fn new(rtp: SocketId, rtcp: SocketId) -> Port {
        Port {
            rtp,
            rtcp,
            latch: Latch::default(),
            announced_rtcp: None,
            learned_rtcp: None,
            rtcp_mux: false,
            sdes: None,
            secure: false,
        }
    }

    /// The peer is here.
    pub fn set_remote(&mut self, remote: Remote) {
        self.latch.announce(remote.rtp, remote.reopen);
        self.announced_rtcp = remote.rtcp;
        self.learned_rtcp = None;
        self.rtcp_mux = remote.rtcp_mux;
    }

    /// SRTP with these keys; `None`: plain RTP.
    pub fn set_sdes(&mut self, change: Option<Change>) {
        self.secure = change.is_some();
        if let Some(change) = change {
            self.sdes.get_or_insert_default().change(change);
        }
    }

    /// How the peer's packets are protected.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.sdes.as_ref().filter(|_| self.secure).and_then(|sdes| sdes.profile())
    }

    /// Decrypt RTP in place: its length, and under which key it was.
    ///
    /// # Errors
    /// Why the packet is dropped.
    pub fn open_rtp(
        &mut self,
        now: Duration,
        source: SocketAddr,
        packet: &mut [u8],
    ) -> Result<(usize, Epoch), Dropped> {
        if !self.latch.is_announced() {
            return Err(Dropped::Early);
        }
        if !self.latch.admits(source) {
            return Err(Dropped::UnknownSource);
        }
        self.open(now, packet, Receiver::unprotect_rtp)
    }

    /// Whether the source of an RTP packet, opened by now, is to be believed. An address is not learned under a key
    /// that is going out of use.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&mut self, now: Duration, source: SocketAddr, header: &Header, epoch: Epoch) -> Result<(), Dropped> {
        let may_be_new = epoch == Epoch::Current;
        if (may_be_new || self.latch.is_known(source)) && self.latch.accept(now, source, header, self.secure) {
            Ok(())
        } else {
            Err(Dropped::UnknownSource)
        }
    }

    /// Decrypt RTCP in place, if its source is to be believed; answers go there.
    ///
    /// # Errors
    /// Why the packet is dropped.
    pub fn open_rtcp(&mut self, now: Duration, path: Path, packet: &mut [u8]) -> Result<usize, Dropped> {
        if !self.latch.accepts_control(path.peer) && self.announced_rtcp != Some(path.peer) {
            return Err(Dropped::UnknownSource);
        }
        let (len, _) = self.open(now, packet, Receiver::unprotect_rtcp)?;
        self.learned_rtcp.get_or_insert(path);
        Ok(len)
    }

    fn open(
        &mut self,
        now: Duration,
        packet: &mut [u8],
        unprotect: impl Fn(&mut Receiver, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<(usize, Epoch), Dropped> {
        match &mut self.sdes {
            Some(sdes) if self.secure => Ok(sdes.open(now, packet, unprotect)?),
            _ => Ok((packet.len(), Epoch::Current)),
        }
    }

    /// Encrypt the RTP packet `buffer[..len]` in place, if the peer speaks SRTP.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match &mut self.sdes {
            Some(sdes) if self.secure => sdes.sender()?.protect_rtp(buffer, len).ok(),
            _ => Some(len),
        }
    }

    /// The same for RTCP.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match &mut self.sdes {
            Some(sdes) if self.secure => sdes.sender()?.protect_rtcp(buffer, len).ok(),
            _ => Some(len),
        }
    }

    /// Where RTP goes.
    #[must_use]
    pub fn rtp_path(&self) -> Option<Path> {
        Some(Path { socket: self.rtp, peer: self.latch.destination()? })
    }

    /// Where RTP goes instead of to the address in the SDP.
    #[must_use]
    pub fn detour(&self) -> Option<SocketAddr> {
        self.latch.detour()
    }

    /// Where RTCP goes: with RTP if so negotiated, else where RTCP comes from, else where the SDP says
    /// (RFC 3605), else to the next port (RFC 3550 §11).
    #[must_use]
    pub fn rtcp_path(&self) -> Option<Path> {
        if self.rtcp_mux {
            return self.rtp_path();
        }
        let rtp = self.latch.destination()?;
        let next = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        let announced = self.announced_rtcp.filter(|_| self.latch.detour().is_none());
        let expected = Path { socket: self.rtcp, peer: announced.unwrap_or(next) };
        Some(self.learned_rtcp.filter(|path| path.peer.ip() == expected.peer.ip()).unwrap_or(expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: SocketId = SocketId(10);
    const RTCP: SocketId = SocketId(11);

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn port(rtcp: Option<SocketAddr>, rtcp_mux: bool) -> Port {
        let mut port = Port::new(RTP, RTCP);
        port.set_remote(Remote { rtp: address(1000), rtcp, rtcp_mux, reopen: true });
        port
    }

    #[test]
    fn rtcp_goes_to_the_next_port_or_where_the_sdp_says() {
        assert_eq!(port(None, false).rtcp_path(), Some(Path { socket: RTCP, peer: address(1001) }));
        let announced = port(Some(address(7)), false).rtcp_path();
        assert_eq!(announced, Some(Path { socket: RTCP, peer: address(7) }));
    }

    #[test]
    fn muxed_rtcp_goes_with_rtp() {
        assert_eq!(port(Some(address(7)), true).rtcp_path(), Some(Path { socket: RTP, peer: address(1000) }));
    }

    #[test]
    fn rtcp_is_answered_where_it_comes_from_but_not_on_another_host() {
        let mut port = port(None, false);
        let stranger = Path { socket: RTCP, peer: ([192, 0, 2, 9], 1001).into() };
        assert_eq!(port.open_rtcp(Duration::ZERO, stranger, &mut []), Err(Dropped::UnknownSource));
        let symmetric = Path { socket: RTCP, peer: address(5555) };
        assert_eq!(port.open_rtcp(Duration::ZERO, symmetric, &mut []), Ok(0));
        assert_eq!(port.rtcp_path(), Some(symmetric));
    }

    #[test]
    fn rtcp_may_be_announced_on_another_host() {
        let elsewhere = ([198, 51, 100, 1], 9).into();
        let mut port = port(Some(elsewhere), false);
        assert_eq!(port.open_rtcp(Duration::ZERO, Path { socket: RTCP, peer: elsewhere }, &mut []), Ok(0));
        assert_eq!(port.rtcp_path(), Some(Path { socket: RTCP, peer: elsewhere }));
    }

    #[test]
    fn nothing_is_sent_before_the_remote_is_known() {
        let port = Port::new(RTP, RTCP);
        assert_eq!((port.rtp_path(), port.rtcp_path()), (None, None));
    }
}

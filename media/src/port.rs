//! The transport of a plain RTP leg: two ports of ours, and a peer whose address is announced and learned.

use std::net::SocketAddr;

use crate::command::Remote;
use crate::counters::Dropped;
use crate::latch::Latch;
use crate::path::{Path, SocketId};
use crate::rtp::Header;

/// A trunk's or phone's end.
pub struct Port {
    rtp: SocketId,
    rtcp: SocketId,
    latch: Latch,
    announced_rtcp: Option<SocketAddr>,
    /// Where RTCP came from, on which socket.
    learned_rtcp: Option<Path>,
    rtcp_mux: bool,
}

impl Port {
    /// An endpoint on an even port and the odd one above it.
    #[must_use]
    pub fn new(rtp: SocketId, rtcp: SocketId) -> Port {
        Port { rtp, rtcp, latch: Latch::default(), announced_rtcp: None, learned_rtcp: None, rtcp_mux: false }
    }

    /// The peer is here.
    pub fn set_remote(&mut self, remote: Remote) {
        self.latch.announce(remote.rtp, remote.reopen);
        self.announced_rtcp = remote.rtcp;
        self.learned_rtcp = None;
        self.rtcp_mux = remote.rtcp_mux;
    }

    /// Whether the source of an RTP packet is to be believed.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&mut self, source: SocketAddr, header: &Header) -> Result<(), Dropped> {
        if !self.latch.is_announced() {
            return Err(Dropped::Early);
        }
        if self.latch.accept(source, header) { Ok(()) } else { Err(Dropped::UnknownSource) }
    }

    /// Whether the source of an RTCP packet is to be believed; answers go there.
    ///
    /// # Errors
    /// Why not.
    pub fn accept_rtcp(&mut self, path: Path) -> Result<(), Dropped> {
        if !self.latch.accepts_control(path.peer) && self.announced_rtcp != Some(path.peer) {
            return Err(Dropped::UnknownSource);
        }
        self.learned_rtcp.get_or_insert(path);
        Ok(())
    }

    /// Where RTP goes.
    #[must_use]
    pub fn rtp_path(&self) -> Option<Path> {
        Some(Path { socket: self.rtp, peer: self.latch.destination()? })
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
        let announced = self.announced_rtcp.filter(|_| self.latch.is_as_announced());
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
        assert_eq!(port.accept_rtcp(stranger), Err(Dropped::UnknownSource));
        let symmetric = Path { socket: RTCP, peer: address(5555) };
        assert_eq!(port.accept_rtcp(symmetric), Ok(()));
        assert_eq!(port.rtcp_path(), Some(symmetric));
    }

    #[test]
    fn rtcp_may_be_announced_on_another_host() {
        let elsewhere = ([198, 51, 100, 1], 9).into();
        let mut port = port(Some(elsewhere), false);
        assert_eq!(port.accept_rtcp(Path { socket: RTCP, peer: elsewhere }), Ok(()));
        assert_eq!(port.rtcp_path(), Some(Path { socket: RTCP, peer: elsewhere }));
    }

    #[test]
    fn nothing_is_sent_before_the_remote_is_known() {
        let port = Port::new(RTP, RTCP);
        assert_eq!((port.rtp_path(), port.rtcp_path()), (None, None));
    }
}

"""The typed face of the Rust media core: what Python may ask of it. Nothing here is called per packet."""

from collections.abc import Sequence
from typing import Self, final

from .types import Address, CodecName, DtmfForm, Event, SrtpProfile

__all__ = ["Leg", "Relay", "Sound", "Tap", "transcoded_codecs"]

def transcoded_codecs() -> list[str]:
    """The codecs that this build can decode and encode; G729 is among them when it was built with that feature."""

@final
class Leg:
    """Our half of a call's media: one endpoint that receives and sends RTP. Closing twice is harmless."""

    @property
    def id(self) -> int:
        """Generation-tagged handle, never reused within a process."""
    @property
    def address(self) -> Address | None:
        """Where an RTP leg receives RTP (even port); None for a browser leg."""
    def send_dtls(self, data: bytes) -> None:
        """Send one DTLS datagram on the validated path; dropped silently while there is none."""
    def set_srtp(self, profile: SrtpProfile, receive_key: bytes, send_key: bytes) -> None:
        """Give the master key || master salt of both directions (RFC 5764 §4.2). ValueError on a wrong length."""
    def set_sdes(
        self,
        profile: SrtpProfile,
        receive_key: bytes,
        send_key: bytes,
        *,
        receive_mki: bytes | None = None,
        send_mki: bytes | None = None,
    ) -> None:
        """SRTP on an RTP leg, by master key || master salt of the peer's a=crypto and of ours (RFC 4568).

        A key that is in use already keeps its roll-over counter. After a change, packets under the peer's former key
        are taken until the new one is heard, and 2 s longer. ValueError on a wrong length.
        """
    def clear_sdes(self) -> None:
        """Plain RTP on an RTP leg, as it begins."""
    def set_codec(
        self,
        codec: CodecName,
        payload_type: int,
        events: Sequence[tuple[int, int]] = (),
        ptime_ms: int = 20,
        comfort_noise: int | None = None,
        offered_as: int | None = None,
    ) -> None:
        """Say what the peer of this leg speaks, both ways. May be called again in mid-call.

        A browser leg then changes over with its peer's first packet of the new payload type, or after a second without
        any packet.

        `events` are the payload types of telephone-event that it has, four at most, with their clocks in Hz: digits are
        heard under any of them, and sent under the first.

        `comfort_noise` is its payload type beside PCMU or PCMA, if the peer takes it (RFC 3389): what is transcoded for
        this peer then goes without its silences.

        `offered_as` is the payload type that we offered the codec by, where the peer answered with another: it is heard
        under either, and spoken to under its own (RFC 3264 §6.1).
        """
    def set_remote(self, rtp: Address, rtcp: Address | None, *, rtcp_mux: bool = False, reopen: bool = True) -> None:
        """Where an RTP leg sends, from the remote SDP. `reopen` lets it learn the source once more."""
    def set_voip_metrics(self, enabled: bool) -> None:
        """Send the VoIP metrics of RTCP XR with reports (RFC 3611 §4.7): the peer's SDP asks for them."""
    def answered(self) -> None:
        """The call is answered: level and silence are judged anew, for what came before was ringback."""
    def set_sending(self, enabled: bool) -> None:
        """False while the SDP direction says that the peer must get no RTP (hold: sendonly/inactive of the peer)."""
    def set_receiving(self, enabled: bool) -> None:
        """False: RTP from this peer is counted and dropped, nothing is forwarded (hold, mute)."""
    def restart_ice(self, ufrag: str, pwd: str) -> None:
        """New local ICE credentials for a browser leg; the old ones are refused from now on."""
    def dtmf(self, digits: str, duration_ms: int = 120, gap_ms: int = 80) -> None:
        """Queue digits 0-9 * # A-D towards this leg's peer, in the form of `set_dtmf`. ValueError if it takes none."""
    def set_dtmf(self, send: DtmfForm = "rfc4733", *, detect_inband: bool = False) -> None:
        """The form of digits towards this leg's peer; "info": none in its media, the owner sends SIP INFO.

        `detect_inband`: tones in what the peer sends are digits, and are silenced on their way to the other side.
        """
    def hear_dtmf(self, digit: str, duration_ms: int) -> None:
        """The peer sent this digit by SIP INFO: passed on and told as if it had come in RTP, once if it did too."""
    def tap(self, rate_hz: int = 16000, start_ms: int | None = None) -> Tap:
        """Listen to what the peer says, at 8000 or 16000 Hz, from `start_ms` of `Relay.clock_ms` (None: now)."""
    def stats(self) -> dict[str, int | float | str | None]:
        """Counters since creation; keys in docs/architecture.md. Rates in Hz, times in ms, sizes in bytes."""
    def close(self) -> None:
        """Send RTCP BYE, close the sockets, free the port, drop the routes from and to this leg."""

@final
class Sound:
    """A sound that legs can play. Its packets are made once for each codec and ptime, and shared by all who hear it."""

    def __new__(cls, narrow: bytes, wide: bytes) -> Self:
        """The same sound at 8 and at 16 kHz: mono samples of 16 bits, native byte order. ValueError over 10 minutes."""
    @property
    def duration_ms(self) -> int: ...

@final
class Tap:
    """What the peer of a leg says, at its place in time; silence where nothing came. It outlives its leg."""

    def read(self, until_ms: int) -> bytes:
        """16-bit little-endian mono samples from where the last reading ended up to `until_ms`, at most a minute.

        Read some 300 ms (a live tee) to 1 s (a recording) behind `Relay.clock_ms`: what comes later is lost. Whoever is
        more than four seconds behind loses sound. Never blocks.
        """
    @property
    def dropped_ms(self) -> float:
        """Sound lost because the reader was too slow."""
    @property
    def late_ms(self) -> float:
        """Sound lost because its place had been read when it came."""
    def close(self) -> None:
        """Listen no more; the leg stops decoding if nobody else does."""

@final
class Relay:
    """The engine: its threads own every RTP socket from birth to close."""

    def __new__(
        cls,
        *,
        threads: int,
        networks: list[str],
        browser_port: int,
        rtp_ports: tuple[int, int],
        receive_buffer: int = 4194304,
        opus_complexity: int = 5,
        stall_ms: int = 3000,
        dead_ms: int = 30000,
        silent_ms: int = 8000,
    ) -> Self:
        """Bind `browser_port` on each bind address of `networks` (0: any port, the same on all). OSError on failure."""
    @property
    def browser_port(self) -> int: ...
    def browser_leg(self, ufrag: str, pwd: str) -> Leg:
        """An ICE-lite endpoint on the shared port (RFC 8445 §2.5), found by its local ufrag."""
    def rtp_leg(self, network: int = 0) -> Leg:
        """An endpoint with an own random even port and the odd one above it for RTCP. OSError when none is free."""
    def route(self, source: Leg, destination: Leg) -> None:
        """Send what `source` receives to the peer of `destination`, instead of its earlier source; two make a call."""
    def unroute(self, destination: Leg) -> None:
        """Send nothing more to the peer of `destination`."""
    def play(self, sound: Sound, destination: Leg, *, repeats: bool = False) -> int:
        """Send `sound` to the peer of `destination` in the place of its source, until it ends or `stop`.

        Packets are made off the media threads; the sound begins when they are there. Returns the number by which
        the event `played` tells that it has ended by itself. A later `play` takes its place.
        """
    def stop(self, destination: Leg) -> None:
        """Send the source of `destination` again, if it plays a sound."""
    def clock_ms(self) -> int:
        """Time since the engine began: the timeline of all taps."""
    def fileno(self) -> int:
        """A descriptor that is readable while events wait."""
    def events(self) -> list[Event]:
        """Take the waiting events, oldest first; at most 1024 a call."""
    def stats(self) -> dict[str, int]:
        """Process-wide counters: packets dropped on the shared port by reason, legs alive, threads."""
    def close(self) -> None:
        """Stop the threads and close everything."""

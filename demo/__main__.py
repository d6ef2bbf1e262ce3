"""Command line of the demo phone: `python -m demo --gateway 127.0.0.1:5060`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys

from call.errors import GatewayError
from demo.line import Place
from demo.numbers import NUMBERS
from demo.phone import Phone


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 when it cannot start."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s demo: %(message)s", datefmt="%H:%M:%S")
    try:
        return asyncio.run(_run(options))
    except GatewayError as error:
        print(f"demo phone: {error} {error.hint}".rstrip(), file=sys.stderr)
        return 1


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    phone = Phone(Place(options.bind, options.rtp_ports), options.sip_port, options.gateway)
    if options.once:
        phone.finished = stop
    if options.attached:
        loop.add_reader(sys.stdin, _stop_at_end_of_input, stop)
    await phone.run(stop)
    return 0


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        stop.set()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="A SIP phone for trying webtrunk out. It answers these numbers: " + ", ".join(NUMBERS) + ".",
    )
    parser.add_argument("--bind", type=_address, default="127.0.0.1", help="address for SIP and RTP (%(default)s)")
    parser.add_argument("--sip-port", type=int, default=5070, help="UDP port for SIP (%(default)s); 0: any")
    parser.add_argument(
        "--gateway", type=_host_and_port, default=("127.0.0.1", 5060), help="the one SIP peer (127.0.0.1:5060)"
    )
    parser.add_argument(
        "--rtp-ports", type=_port_range, default=range(16384, 17384), metavar="A-B", help="(16384-17383)"
    )
    parser.add_argument("--once", action="store_true", help="stop after the first call")
    parser.add_argument(
        "--attached", action="store_true", help="stop when standard input ends, as it does when our parent is killed"
    )
    return parser.parse_args()


def _address(text: str) -> str:
    address = ipaddress.ip_address(text)
    if address.is_unspecified:
        raise argparse.ArgumentTypeError("it stands in the SDP, so it must be one address, not all of them")
    return str(address)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _port_range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and 1024 <= int(first) < int(last) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not A-B with ports from 1024 to 65535")
    return range(int(first), int(last) + 1)


if __name__ == "__main__":
    sys.exit(main())

"""The SIP worker process: one thread, one event loop, pjsua2 and nothing else that could block.

Frozen commands arrive on a Unix socket, frozen events leave on it. pjsip's epoll descriptor is one
more reader of the loop, so callbacks run where everything else runs and no pjsua2 object is ever
seen by a second thread (pjproject #3125). Run as `python -m sip.worker --socket FD`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Final, NoReturn

from call.errors import PeerError, TransportError
from sip import messagelines, messages, succession
from sip.channel import Channel
from sip.stack import PjStack

HEARTBEAT_S: Final = 0.5


async def heartbeats(channel: Channel, stack: PjStack) -> None:
    """Tell the gateway that this loop turns."""
    while True:
        channel.send(messages.Heartbeat(0, stack.live_calls()))
        await asyncio.sleep(HEARTBEAT_S)


async def obey(channel: Channel, stack: PjStack, silence_s: float) -> bool:
    """Carry out commands until the gateway says stop, or False: is gone, or has said nothing for so long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(silence_s) as patience:
            async for line in channel.lines():
                patience.reschedule(loop.time() + silence_s)
                if not carry_out(messagelines.decode_command(line), channel, stack):
                    return True
    except TimeoutError:
        logging.error("the gateway has said nothing for %.0f s: its calls are ended", silence_s)
    return False


def carry_out(command: messages.Command, channel: Channel, stack: PjStack) -> bool:
    """Do what one command says; False: it was the last one."""
    match command:
        case messages.Stop():
            return False
        case messages.Ping(sequence):
            channel.send(messages.Heartbeat(sequence, stack.live_calls()))
        case messages.Farewell():
            stack.part(command)
        case messages.Start():
            raise PeerError("start comes once")
        case _:
            stack.legs.carry_out(command)
    return True


async def serve(end: socket.socket) -> int:
    """The worker's life; its exit status."""
    channel = await Channel.open(end)
    start = await channel.first_command()
    if not isinstance(start, messages.Start):
        raise PeerError("the first command must be start")
    async with asyncio.TaskGroup() as tasks:
        await succession.wait_for_predecessor(start)
        stack = PjStack(channel.send, tasks, start)
        try:
            stack.open()
        except TransportError as error:
            channel.send(messages.StartFailed(str(error)))
            await channel.close()
            return 1
        channel.send(stack.started())
        await work(channel, stack, tasks)
    return 0


async def work(channel: Channel, stack: PjStack, tasks: asyncio.TaskGroup) -> None:
    """Obey until the end, then say goodbye to everybody."""
    tasks.create_task(heartbeats(channel, stack))
    is_awaited = await obey(channel, stack, stack.settings.gateway_silence_s)
    with succession.announced(stack.settings.bind, stack.started().udp_port):
        if not is_awaited:  # a gateway that hung and wakes up shall see at once that this worker takes no more calls
            tasks.create_task(channel.close())
        await stack.close()
        if is_awaited:
            channel.send(messages.Stopped())
            await channel.close()
        exit_now(0)  # the tasks that still sleep have nothing to add


def exit_now(status: int) -> NoReturn:
    """End without pjsua's own farewell, which blocks for a second and has nothing left to do."""
    logging.shutdown()
    os._exit(status)


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="sip.worker")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the gateway's socket")
    end = socket.socket(fileno=parser.parse_args().socket)
    # Ctrl-C, and systemd's SIGTERM to all processes of a unit, are the gateway's business: it says stop, or is gone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    exit_now(asyncio.run(serve(end)))


if __name__ == "__main__":
    main()

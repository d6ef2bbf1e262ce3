"""Fixtures of the interop tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.interop.sip_peer import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A scripted SIP peer on a free port of loopback."""
    async with Peer.open() as made:
        yield made

import asyncio

from gateway.grace import Grace, Loss


def never() -> None:
    raise AssertionError("the grace ended")


async def test_end_comes_when_the_time_is_up() -> None:
    ended = asyncio.Event()
    assert Grace(0.0).begin(Loss.SILENT, ended.set)
    async with asyncio.timeout(10):
        await ended.wait()


async def test_further_loss_does_not_prolong_it() -> None:
    ended = asyncio.Event()
    grace = Grace(0.0)
    assert grace.begin(Loss.SILENT, ended.set)
    assert not grace.begin(Loss.CLOSED, never)
    async with asyncio.timeout(10):
        await ended.wait()


async def test_packet_is_the_return_of_a_silent_browser_only() -> None:
    grace = Grace(30.0)
    grace.begin(Loss.SILENT, never)
    assert grace.packet_came()
    assert not grace.packet_came()
    grace.begin(Loss.CLOSED, never)
    assert not grace.packet_came()
    assert grace.cancel()


async def test_silent_browser_that_then_closes_returns_only_with_an_offer() -> None:
    grace = Grace(30.0)
    grace.begin(Loss.SILENT, never)
    grace.begin(Loss.CLOSED, never)
    assert not grace.packet_came()
    assert grace.cancel()


async def test_grace_can_begin_again_after_a_return() -> None:
    grace = Grace(30.0)
    for _ in range(2):
        assert grace.begin(Loss.SILENT, never)
        assert grace.cancel()
    assert not grace.cancel()

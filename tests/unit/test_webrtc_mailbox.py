import asyncio

from webrtc.mailbox import Mailbox


async def test_items_come_in_order_to_a_reader_that_waits_and_to_one_that_comes_later() -> None:
    mailbox: Mailbox[int] = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    for number in range(3):
        mailbox.put_nowait(number)
    assert [await reader, await mailbox.get(), await mailbox.get()] == [0, 1, 2]
    assert mailbox.empty()


async def test_reader_that_was_cancelled_takes_nothing_with_it() -> None:
    mailbox: Mailbox[str] = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    mailbox.put_nowait("kept")
    assert await mailbox.get() == "kept"


async def test_reader_that_is_cancelled_after_it_was_woken_takes_nothing_with_it_either() -> None:
    mailbox: Mailbox[str] = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait("kept")
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert await mailbox.get() == "kept"


async def test_what_was_thrown_away_is_not_read() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put_nowait("old")
    mailbox.clear()
    mailbox.put_nowait("new")
    assert await mailbox.get() == "new"

"""The last words of a process: the end is kept, also where the loop cannot listen."""

import asyncio

from covey.limits import TOOL_STDERR_BYTES
from covey.tools.stderr import LastWords


async def test_only_the_end_is_kept():
    words = LastWords()
    for _ in range(20):
        words.file.write("x" * TOOL_STDERR_BYTES)
        words.file.flush()
        await asyncio.sleep(0)
        words.text()
    words.file.write("the end")
    words.file.flush()
    assert words.text().endswith("the end") and len(words.text()) == TOOL_STDERR_BYTES
    words.close()
    words.close()
    assert words.text().endswith("the end")


async def test_where_the_loop_cannot_listen_nothing_is_kept_and_nothing_breaks(monkeypatch):
    def cannot(*_):
        raise NotImplementedError

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(type(loop), "add_reader", cannot)
    monkeypatch.setattr(type(loop), "remove_reader", cannot)
    words = LastWords()
    words.file.write("lost")
    assert words.text() == ""
    words.close()

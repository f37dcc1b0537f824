"""The shell of shared state: writes share transactions, and each is answered by what the disk said."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from covey import core
from covey.proto import effects as fx
from covey.proto.state import wants
from covey.proto.state.replicas import StateOptions
from covey.proto.turn import Turn
from covey.runtime.state import SharedState, StateError

WHO = core.Identity("018f47a0-7b21-7abc-8def-00000000000a", "ann", b"a" * 32)


class Disk:
    """A store whose answers a test gives when it likes."""

    def __init__(self) -> None:
        self.rows: list[wants.Row] = []
        self.asked: list[tuple[Sequence[str], Sequence[wants.Row], Callable[[str | None], None]]] = []
        self.loads = 0

    def shared_load(self) -> Sequence[wants.Row]:
        self.loads += 1
        return list(self.rows)

    def shared_write(self, clear, rows, done) -> None:
        self.asked.append((clear, rows, done))

    def answer(self, trouble: str | None = None) -> None:
        clear, rows, done = self.asked.pop(0)
        if trouble is None:
            self.rows = [row for row in self.rows if row[0] not in clear] + list(rows)
        done(trouble)


class Host:
    """A host without peers."""

    def __init__(self) -> None:
        self.timers: dict[str, float] = {}

    def peers(self):
        return []

    def timer(self, whom, deadline):
        self.timers[whom] = deadline

    def wanted(self, whom):
        return self.timers.get(whom)

    def want(self, what, turn):
        turn.add(fx.Want("state", what))


def running(disk: Disk) -> SharedState:
    """Return a shell whose engine is fed by hand, as a node would."""
    shared = SharedState(WHO, StateOptions("den"), disk)
    shared.sync.attach(Host())
    return shared


def tell_to(shared: SharedState):
    def tell(what: object) -> None:
        turn = Turn(fx.Now(1_790_000_000_000, 1.0), bytes(32))
        shared.sync.told(what, turn)
        for effect in turn.effects():
            if isinstance(effect, fx.Want):
                shared.perform(effect.what)

    return tell


def test_writes_that_come_while_the_disk_is_busy_share_the_next_transaction():
    async def work() -> None:
        disk = Disk()
        shared = running(disk)
        await shared.start(tell_to(shared))
        seen: list[object] = []
        end = shared.watch(seen.append)
        writing = [asyncio.ensure_future(shared.set(f"k{number}", number)) for number in range(5)]
        await asyncio.sleep(0)
        assert len(disk.asked) == 1, "one is under way"
        disk.answer()
        assert len(disk.asked[0][1]) == 4, "the rest came together"
        assert shared.get("k4") == 4
        assert not writing[4].done(), "it is not durable"
        disk.answer()
        await asyncio.gather(*writing)
        assert [event["changed"] for event in seen][-1] == [{"kind": "register", "name": "k4"}]
        end()
        fresh = running(Disk())
        fresh._store.rows = disk.rows  # type: ignore[attr-defined]  # the test's own disk
        await fresh.start(tell_to(fresh))
        assert [fresh.get(f"k{number}") for number in range(5)] == list(range(5))

    asyncio.run(work())


def test_a_write_that_the_disk_refuses_comes_to_nothing_and_the_disk_is_read_again():
    async def work() -> None:
        disk = Disk()
        shared = running(disk)
        await shared.start(tell_to(shared))
        writing = asyncio.ensure_future(shared.set("x", 1))
        await asyncio.sleep(0)
        disk.answer("store_disk_full: no room")
        with pytest.raises(StateError) as raised:
            await writing
        assert raised.value.code == "store_failed"
        await asyncio.gather(*shared._background)
        assert disk.loads == 2
        assert shared.get("x") is None
        again = asyncio.ensure_future(shared.set("x", 2))
        await asyncio.sleep(0)
        disk.answer()
        await again
        assert shared.get("x") == 2
        await shared.stop()
        with pytest.raises(StateError):
            await shared.set("x", 3)

    asyncio.run(work())


def test_rows_that_cannot_be_read_make_their_scope_unwritable():
    async def work() -> None:
        disk = Disk()
        disk.rows = [("room:den", wants.DELTA, b"garbage")]
        shared = running(disk)
        await shared.start(tell_to(shared))
        with pytest.raises(StateError) as raised:
            await shared.set("x", 1)
        assert raised.value.code == "state_unreadable"
        assert list(shared.status()["unreadable"]) == ["room:den"]

    asyncio.run(work())

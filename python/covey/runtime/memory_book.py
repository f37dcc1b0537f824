"""What a peer's memory is made of, what goes and what stays: over its store, running or not.

Rules: every call blocks and belongs on a worker thread; work goes in slices, so that nobody waits for a
writer longer than for one of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits
from covey.errors import StoreError
from covey.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = dict[str, Any]
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long memory keeps what nobody stands behind; None is for ever. Days of this peer's own clock."""

    retention_days: float | None = None
    archive_after_days: float | None = limits.ARCHIVE_AFTER_DAYS


def stats(store: _core.Store, keeping: Keeping, now_ms: int) -> Result:
    """Return what memory holds, and what its rules would do now."""
    lifecycle, feedback, oldest, newest = store.memory.census()
    figures = store.stats()
    idle = keeping.archive_after_days
    return {
        "records": figures["records"],
        "own": figures["own"],
        "lifecycle": lifecycle,
        "feedback": feedback,
        "kernels": store.memory.kernels(),
        "oldest_ms": oldest,
        "newest_ms": newest,
        "recall_lag": figures["recall_lag"],
        "file_bytes": figures["file_bytes"],
        "log_bytes": figures["log_bytes"],
        "retention_days": keeping.retention_days,
        "archive_after_days": idle,
        "idle": 0 if idle is None else store.memory.idle(_before(now_ms, idle)),
    }


def purge(store: _core.Store, days: float, now_ms: int, *, dry_run: bool) -> Result:
    """Forget what is older and may go, or only count it. What this process read of texts goes, too.

    Returns:
        `{"older_than_days", "forgettable", "forgotten", "kept"}`; `kept` are old and stay: authority stands
        behind them, or something that stays descends from them or shows them.
    """
    before = _before(now_ms, days)
    total, found, gone = store.stats()["records"], 0, 0
    if dry_run:
        found = len(store.memory.forgettable(before))
    try:
        for old in () if dry_run else _passes(store, before):
            found, had = found + len(old), gone
            while not old.over:
                gone += old.forget()
            if gone == had:
                break  # what was found came to be needed meanwhile
    finally:
        if gone:
            _forget_texts()
    return {
        "older_than_days": days,
        "forgettable": found,
        "forgotten": gone,
        "kept": total - (found if dry_run else gone),
        "dry_run": dry_run,
    }


def _passes(store: _core.Store, before_ms: int) -> Iterator[_core.Forgetting]:
    """Yield one pass after another, each of which finds what the one before had no room for."""
    while True:
        old = store.memory.forgettable(before_ms, limits.FORGET_PASS)
        yield old
        if len(old) < limits.FORGET_PASS:
            return


def archive(store: _core.Store, days: float, now_ms: int, *, dry_run: bool) -> Result:
    """Archive what nothing came of for so long, or only count it. What is canonical never is."""
    before = _before(now_ms, days)
    idle = store.memory.idle(before)
    done = 0
    while not dry_run and (moved := store.memory.archive_idle(before)):
        done += moved
    return {"idle_days": days, "idle": idle, "archived": done, "dry_run": dry_run}


def keep(store: _core.Store, keeping: Keeping, now_ms: int) -> Result:
    """Do what the rules say now: archive first, then forget."""
    found: Result = {"archived": 0, "forgotten": 0}
    if keeping.archive_after_days is not None:
        found["archived"] = archive(store, keeping.archive_after_days, now_ms, dry_run=False)["archived"]
    if keeping.retention_days is not None:
        found["forgotten"] = purge(store, keeping.retention_days, now_ms, dry_run=False)["forgotten"]
    return found


def authors(store: _core.Store, own: tuple[str, bytes, str]) -> list[Result]:
    """Return the keys that records are verified by: this peer's own, and those bound here."""
    rows = [own, *((node_id, key, name) for node_id, key, name, _ in store.bindings())]
    return [{"node_id": node_id, "key": key.hex(), "name": name} for node_id, key, name in rows]


def page(store: _core.Store, after: int) -> Result:
    """Return records behind a place as they were signed, oldest first; `next` is None at the end."""
    blocks: list[Result] = []
    size = 0
    for place, raw, stored_ms, lifecycle in store.memory.carry_out(after, limits.CARRY_PAGE):
        size += len(raw)
        if blocks and size > limits.CARRY_PAGE_BYTES:
            break
        after = place
        blocks.append({"stored_ms": stored_ms, "lifecycle": lifecycle, "record": json.loads(raw)})
    return {"blocks": blocks, "next": after if blocks else None}


@dataclass(slots=True)
class Taken:
    """What became of the lines of a file."""

    stored: int = 0
    held: int = 0
    refused: int = 0
    strangers: int = 0
    """Refused because their author's key is not known here."""
    first_problem: str = ""


def _problem(error: Exception) -> str:
    """Return what is wrong with a line, for people."""
    match error:
        case _core.CoreError():
            return error.detail
        case json.JSONDecodeError():
            return f"not JSON: {error.msg}, at character {error.pos + 1}"
        case UnicodeDecodeError():
            return "not UTF-8"
        case KeyError():
            return f"{error.args[0]}: missing"
        case RecursionError():
            return "nested too deep"
    return str(error)


class Importer:
    """Takes records of a file into a store, each verified under its author's key as it is known here.

    Args:
        store: Whose memory; its peer does not run.
        own: nodeId and public key of its peer.
        now_ms: The time that everything is stored at.
        accept_keys: Take a key from the file for an author that is not known here; the first stays.
    """

    def __init__(
        self, store: _core.Store, own: tuple[str, bytes], now_ms: int, *, accept_keys: bool = False
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._accept_keys = accept_keys
        self._keys = {node_id: key for node_id, key, _, _ in store.bindings()}
        self._keys[own[0]] = own[1]
        self._waiting: list[_core.Record] = []
        self.taken = Taken()

    def line(self, number: int, text: bytes) -> None:
        """Take one line; what is wrong with it is counted and the others go on."""
        try:
            self._line(text)
        except (ValueError, TypeError, KeyError, RecursionError, _core.CoreError) as error:
            self.taken.refused += 1
            self.taken.first_problem = self.taken.first_problem or f"line {number}: {_problem(error)}"[:300]

    def finish(self) -> Taken:
        """Store what waits; return what became of everything.

        Raises:
            StoreError: The store cannot be written.
        """
        self._flush()
        return self.taken

    def _line(self, text: bytes) -> None:
        if len(text) > limits.CARRY_LINE_BYTES:
            raise ValueError(f"longer than {limits.CARRY_LINE_BYTES} bytes")
        value = json.loads(text)
        if not isinstance(value, dict):
            raise TypeError("expected an object")
        if "key" in value:
            self._author(value)
            return
        if "record" not in value:
            return  # the head of the file, and what a later covey may add
        raw = json.dumps(value["record"], ensure_ascii=False, separators=(",", ":")).encode()
        unverified = _core.Unverified.parse(raw)
        author = str(value["record"]["metadata"]["createdByNodeId"])
        key = self._keys.get(author)
        if key is None:
            self.taken.strangers += 1
            raise ValueError(f"its author is not known here: {author}")
        self._waiting.append(_core.verify(unverified, key))
        if len(self._waiting) >= limits.CARRY_PAGE:
            self._flush()

    def _author(self, value: Result) -> None:
        node_id, key = str(value["node_id"]), bytes.fromhex(value["key"])
        if not self._accept_keys or node_id in self._keys or len(self._keys) >= limits.CARRY_AUTHORS:
            return
        self._store.bind(node_id, key, str(value.get("name", ""))[:64], self._now_ms)
        self._keys[node_id] = key

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            fresh = self._store.memory.carry_in(waiting, self._now_ms)
        except _core.CoreError as error:
            raise StoreError(error.detail, code=error.reason) from error
        self.taken.stored += sum(fresh)
        self.taken.held += len(fresh) - sum(fresh)


def reading(read: Callable[[], Result]) -> Result:
    """Read, and say what a store says when it cannot.

    Raises:
        StoreError: It says why.
    """
    try:
        return read()
    except _core.CoreError as error:
        raise StoreError(error.detail, code=error.reason) from error


def _forget_texts() -> None:
    """Empty what keeps texts beside the store: those of what went would stay until others push them out."""
    from covey.cognition import terms  # here: a peer that only listens reads no texts, and loads neither
    from covey.memory import recents

    terms.forget()
    recents.forget()


def _before(now_ms: int, days: float) -> int:
    return max(0, now_ms - int(days * DAY_MS))

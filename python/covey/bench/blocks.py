"""The blocks that are measured with: seven categories of the size agents write, each number another one."""

from __future__ import annotations

from typing import Final

from covey import core

ROOM: Final = "bench"
CREATED_MS: Final = 1_760_000_000_000
SPEAKER: Final = "01997c00-0000-7000-8000-0000000000a1"
_SUBJECTS: Final = ("the parser", "the store", "the handshake", "the index", "the release", "the test run")
_EVENTS: Final = ("drops frames", "loses a row", "times out", "grows without bound", "is ready")
_PLACES: Final = ("under load", "after a restart", "on slow disks", "with two peers")


def hearer_id(number: int) -> str:
    """Return the nodeId of the hearer with this number."""
    return f"01997c00-0000-7000-8000-{0xB000 + number:012x}"


def speaker() -> core.Identity:
    """Return who speaks. Its key is no secret: it exists for the length of a measurement."""
    return core.Identity(SPEAKER, "speaker", bytes(range(32)))


def hearer(number: int) -> core.Identity:
    """Return who hears."""
    return core.Identity(hearer_id(number), f"hearer-{number}", bytes([*range(1, 31), *divmod(number, 256)]))


def categories(number: int) -> dict[str, str]:
    """Return the texts of one block."""
    subject, event = _SUBJECTS[number % 6], _EVENTS[number // 6 % 5]
    place = _PLACES[number // 30 % 4]
    return {
        "focus": f"{subject} {event} {place} (report {number})",
        "issue": f"{event} seen {number % 13 + 1} times, last {place}; the log shows no data lost",
        "intent": f"find out why {subject} {event}, and propose the smallest change that stops it",
        "motivation": "users wait for the release, and this one blocks it",
        "commitment": f"I will look at {subject} first and report what I find",
        "perspective": "maintainer of the runtime, reading logs from the field",
        "mood": "concerned but calm",
    }


def signed(number: int, identity: core.Identity) -> core.Record:
    """Return one signed block."""
    draft = core.Draft(
        categories(number),
        node_id=identity.node_id,
        author="speaker",
        created_ms=CREATED_MS + number,
        room=ROOM,
    )
    return core.sign(draft, identity)

"""What the benches work on: blocks as agents write them, one signer, a thousand different texts."""

from covey.core import Draft, Identity

ROOM = "bench"
CREATED_MS = 1_760_000_000_000
SEED = bytes(range(32))
NODE_ID = "01997c00-0000-7000-8000-000000000001"
OTHER_NODE_ID = "01997c00-0000-7000-8000-000000000002"
IDENTITY = Identity(NODE_ID, "writer", SEED)
OTHER = Identity(OTHER_NODE_ID, "reviewer", bytes(range(1, 33)))

SUBJECTS = (
    "the parser",
    "the store",
    "the handshake",
    "the scheduler",
    "the index",
    "the release",
    "the test run",
)
VERBS = (
    "drops frames",
    "loses a row",
    "times out",
    "starves",
    "grows without bound",
    "is ready",
    "fails on arm64",
)
PLACES = (
    "under load",
    "after a restart",
    "on slow disks",
    "with two peers",
    "when the clock steps",
    "at start-up",
)


def categories(number: int) -> dict[str, str]:
    """Return seven category texts of the size agents write; each number gives another block."""
    subject, verb = SUBJECTS[number % 7], VERBS[number // 7 % 7]
    place = PLACES[number // 49 % 6]
    return {
        "focus": f"{subject} {verb} {place} (report {number})",
        "issue": f"{verb} seen {number % 13 + 1} times, last {place}; the log shows no data lost",
        "intent": f"find out why {subject} {verb}, and propose the smallest change that stops it",
        "motivation": "users wait for the release, and this one blocks it",
        "commitment": f"I will look at {subject} first and report what I find",
        "perspective": "maintainer of the runtime, reading logs from the field",
        "mood": "concerned but calm",
    }


def draft(number: int) -> Draft:
    """Return an unsigned block."""
    return Draft(
        categories(number),
        node_id=NODE_ID,
        author="writer",
        created_ms=CREATED_MS + number,
        room=ROOM,
    )

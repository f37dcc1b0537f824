"""A line of the audit that is damaged is shown as what it is: it hides no other, and holds for nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
from types import SimpleNamespace
from typing import Any, cast

from covey import _core
from covey.ports import AgentStore, Clock
from covey.runtime.state import SharedState
from covey.runtime.syndication import AUDIT_KIND, Syndicator

ME = _core.Identity("018f47a0-7b21-7abc-8def-a77e57000001", "ann", b"\x51" * 32)
ENTRY = {"previous": "", "class": "session", "audience": "*", "node_id": "n", "frames": 1, "bytes": 9}


def audited(*entries: bytes) -> list[dict[str, Any]]:
    rows = [(at, 1_000, each, ME.sign_statement(AUDIT_KIND, each)) for at, each in enumerate(entries, 1)]
    store = SimpleNamespace(audit_page=lambda after, most: rows)
    desk = Syndicator(
        ME, cast("SharedState", SimpleNamespace(author="a")), cast("AgentStore", store), cast("Clock", None)
    )
    lines: list[dict[str, Any]] = asyncio.run(desk.audit())["lines"]
    return lines


def test_a_damaged_line_of_the_audit_is_shown_and_is_not_verified() -> None:
    first = json.dumps(ENTRY).encode()
    after = json.dumps({**ENTRY, "previous": hashlib.sha256(b"{}").hexdigest()}).encode()
    lines = audited(first, b"{}", after)
    assert [each["verified"] for each in lines] == [True, False, True]
    assert [each["damaged"] is None for each in lines] == [True, False, True]
    for wrong in (b"", b"[1]", json.dumps({**ENTRY, "bytes": "9"}).encode(), first[:-1] + b', "bytes": 1}'):
        (line,) = audited(wrong)
        assert line["damaged"] and not line["verified"]

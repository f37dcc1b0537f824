"""Shared state in JSON terms: what a request means as writes, and what a replica holds as plain values.

Rules: pure. Requests come from any program of this user and are checked here; what comes from peers is shown
as data, never trusted to be of some shape.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import UsageError

if TYPE_CHECKING:
    from covey._core import StateMap, StateValue

_MOST: Final = 2**53 - 1


def writes_of(op: str, arguments: Mapping[str, Any]) -> list[tuple[str, str, StateValue]]:
    """Return what a request writes.

    Args:
        op: set, delete, incr, add, remove, grant, spend or give.
        arguments: name, and value, by, element, issuer, to or amount as the operation needs them.

    Raises:
        UsageError: The operation is unknown, or an argument is missing or of another kind.
    """
    make = _WRITES.get(op)
    if make is None:
        raise UsageError(f"state: expected one of {', '.join(sorted(_WRITES))}, got {op[:64]}")
    return [make(_text(arguments, "name"), arguments)]


def value_of(state: StateMap, name: str) -> dict[str, Any] | None:
    """Return what a name holds: a register, a set, a counter or budgets; None where it holds nothing."""
    held = state.get(name)
    if held is not None:
        kind, data = held
        if kind == "json":
            return {"name": name, "kind": "register", "value": json.loads(data)}
        return {"name": name, "kind": "bytes", "base64": base64.b64encode(data).decode()}
    elements = state.elements(name)
    if elements:
        shown = [_element(data) for data in elements[: limits.STATE_LISTED_ELEMENTS]]
        return {"name": name, "kind": "set", "elements": shown, "whole": len(shown) == len(elements)}
    budgets = [budget_of(state, name, issuer) for named, issuer in state.budgets() if named == name]
    if budgets:
        return {"name": name, "kind": "budget", "budgets": budgets}
    counted = state.counter(name)
    return {"name": name, "kind": "counter", "value": counted} if counted else None


def budget_of(state: StateMap, name: str, issuer: str) -> dict[str, Any]:
    """Return a budget, with what is wrong in it: who took more than it had, as far as is known here."""
    granted, spent, rights = state.budget(name, issuer)
    return {
        "issuer": issuer,
        "granted": granted,
        "spent": spent,
        "rights": rights,
        "overspent": sorted(author for author, left in rights.items() if left < 0),
    }


def listed(state: StateMap, prefix: str, most: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the registers whose names begin with `prefix`, at most so many, and whether that is all."""
    names = [name for name in state.names() if name.startswith(prefix)]
    found: list[dict[str, Any]] = []
    size = 0
    for name in names[:most]:
        held = state.get(name)
        size += 0 if held is None else len(held[1])
        if found and size > limits.STATE_LISTED_BYTES:
            return found, False
        value = value_of(state, name)
        found += [] if value is None else [value]
    return found, len(names) <= most


def _put(name: str, arguments: Mapping[str, Any]) -> tuple[str, str, StateValue]:
    if "value" not in arguments:
        raise UsageError("value: missing")
    try:
        data = json.dumps(arguments["value"], ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return "put_json", name, data.encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"value: expected JSON: {error}") from error


def _count(name: str, arguments: Mapping[str, Any]) -> tuple[str, str, StateValue]:
    return "count", name, _whole(arguments, "by", -_MOST)


def _element_of(verb: str) -> Callable[[str, Mapping[str, Any]], tuple[str, str, StateValue]]:
    return lambda name, arguments: (verb, name, _text(arguments, "element").encode())


def _budget(verb: str) -> Callable[[str, Mapping[str, Any]], tuple[str, str, StateValue]]:
    def make(name: str, arguments: Mapping[str, Any]) -> tuple[str, str, StateValue]:
        issuer, amount = _text(arguments, "issuer"), _whole(arguments, "amount", 1)
        return verb, name, (issuer, _text(arguments, "to"), amount) if verb == "give" else (issuer, amount)

    return make


_WRITES: dict[str, Callable[[str, Mapping[str, Any]], tuple[str, str, StateValue]]] = {
    "set": _put,
    "delete": lambda name, _: ("delete", name, None),
    "incr": _count,
    "add": _element_of("add"),
    "remove": _element_of("remove"),
    "grant": _budget("grant"),
    "spend": _budget("spend"),
    "give": _budget("give"),
}
WRITES: Final[Sequence[str]] = tuple(_WRITES)
LEDGER: Final = "ledger/"
"""What names of accounts begin with: they are moved with an entry, never alone."""
BUDGETS: Final = ("grant", "spend", "give")
"""Those that move a budget."""


def _element(data: bytes) -> str:
    """Return an element as text; bytes that are none are shown as escapes."""
    return data.decode("utf-8", errors="backslashreplace")


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}: expected text")
    return value


def _whole(arguments: Mapping[str, Any], name: str, least: int) -> int:
    value = arguments.get(name)
    if type(value) is not int or not least <= value <= _MOST:
        raise UsageError(f"{name}: expected a whole number from {least} to {_MOST}")
    return value

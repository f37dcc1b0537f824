"""Accounts of agents: what each holds of a unit, and the signed journal of every movement, both sides of it.

What an agent holds are its rights in a budget of the room's shared state (docs/state.md): it can move no more
than it has, whoever is cut off from whom. Beside each movement, in the same signed flush, stands an entry:
one amount from one account to another, signed as a statement and chained to its author's entry before, with
the author's totals after it. Balances follow from the budget alone; entries say what each movement was for,
and `audit` holds the two against each other.

Rules: pure. An `Entry` that was read from a replica is verified.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal

from covey import _core, limits, typed
from covey.errors import CoveyError, UsageError
from covey.state import values
from covey.state.node_record import Signer
from covey.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from covey._core import StateMap, StateValue

KIND: Final = "covey-ledger-entry-v1"
PREFIX: Final = values.LEDGER
FIRST: Final = "0" * 64
Verb = Literal["grant", "pay", "spend"]
VERBS: Final = ("grant", "pay", "spend")
_UNIT: Final = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{limits.LEDGER_UNIT_CHARS - 1}}}")
_AUTHOR: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class LedgerError(CoveyError):
    """A movement that is not made, or an entry that does not hold."""

    default_code = "ledger"


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is counted, and who issued it: `tokens` of one agent are not those of another."""

    name: str
    issuer: str

    def __post_init__(self) -> None:
        if _UNIT.fullmatch(self.name) is None:
            raise UsageError(f"unit: expected a-z, 0-9, '.', '_', '-', at most 32, got {self.name[:64]!r}")
        if _AUTHOR.fullmatch(self.issuer) is None:
            raise UsageError(f"issuer: expected an author, got {self.issuer[:64]!r}")

    @property
    def budget(self) -> str:
        """Return the name of the budget that holds it."""
        return PREFIX + self.name

    def place(self, author: str, number: int) -> str:
        """Return the name of one author's entry."""
        return f"{PREFIX}{self.name}/{self.issuer}/{author}/{number:016d}"


@dataclass(frozen=True, slots=True)
class Totals:
    """All that an author granted, spent and paid of a unit; none of it ever shrinks."""

    granted: int = 0
    spent: int = 0
    paid: int = 0

    def after(self, verb: Verb, amount: int) -> Totals:
        """Return them after a movement."""
        if verb == "grant":
            return Totals(self.granted + amount, self.spent, self.paid)
        if verb == "spend":
            return Totals(self.granted, self.spent + amount, self.paid)
        return Totals(self.granted, self.spent, self.paid + amount)


@dataclass(frozen=True, slots=True)
class Head:
    """Where an author's journal of a unit stands: what its next entry continues."""

    number: int = 0
    digest: str = FIRST
    totals: Totals = Totals()


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement, as its author signed it."""

    scope: str
    unit: Unit
    author: str
    number: int
    verb: Verb
    to: str
    amount: int
    totals: Totals
    at_ms: int
    memo: str
    previous: str
    body: bytes
    key: bytes
    signature: bytes

    @property
    def head(self) -> Head:
        """Return what the next entry continues."""
        return Head(self.number, hashlib.sha256(self.body).hexdigest(), self.totals)

    @property
    def postings(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return both sides: the account that has less, and the one that has more; their sum is nothing."""
        source = f"issued:{self.author}" if self.verb == "grant" else self.author
        target = {"grant": self.author, "spend": f"spent:{self.author}", "pay": self.to}[self.verb]
        return (source, -self.amount), (target, self.amount)

    def to_json(self) -> bytes:
        """Return the register that holds it."""
        members = {"body": self.body.decode(), "key": _b64(self.key), "signature": _b64(self.signature)}
        return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def make(
    signer: Signer,
    scope: str,
    unit: Unit,
    before: Head,
    verb: Verb,
    to: str,
    amount: int,
    at_ms: int,
    memo: str,
) -> Entry:
    """Sign a movement that continues `before`.

    Raises:
        UsageError: The amount, the memo or the addressee is none.
    """
    author = _core.author_of(bytes(signer.public_key))
    if type(amount) is not int or not 1 <= amount <= limits.LEDGER_AMOUNT:
        raise UsageError(f"amount: expected a whole number from 1 to {limits.LEDGER_AMOUNT}")
    if len(memo.encode("utf-8", "surrogatepass")) > limits.LEDGER_MEMO_BYTES or not memo.isprintable():
        raise UsageError(f"memo: expected one line of at most {limits.LEDGER_MEMO_BYTES} bytes")
    if verb == "pay" and (_AUTHOR.fullmatch(to) is None or to == author):
        raise UsageError("pay: expected another author")
    facts = {
        "amount": amount,
        "at_ms": at_ms,
        "author": author,
        "issuer": unit.issuer,
        "memo": memo,
        "number": before.number + 1,
        "previous": before.digest,
        "scope": scope,
        "to": to if verb == "pay" else "",
        "totals": asdict(before.totals.after(verb, amount)),
        "unit": unit.name,
        "verb": verb,
    }
    body = _spelled(facts)
    return _entry(facts, body, bytes(signer.public_key), signer.sign_statement(KIND, body))


def writes(entry: Entry) -> list[tuple[str, str, StateValue]]:
    """Return what makes a movement and its entry stand, together or not at all."""
    budget, issuer = entry.unit.budget, entry.unit.issuer
    value: StateValue = (issuer, entry.to, entry.amount) if entry.verb == "pay" else (issuer, entry.amount)
    found: list[tuple[str, str, StateValue]] = [
        ({"pay": "give"}.get(entry.verb, entry.verb), budget, value),
        ("put_json", entry.unit.place(entry.author, entry.number), entry.to_json()),
    ]
    if entry.number > limits.LEDGER_ENTRIES:
        found.append(("delete", entry.unit.place(entry.author, entry.number - limits.LEDGER_ENTRIES), None))
    return found


def read(name: str, value: bytes, scope: str) -> Entry:
    """Read and verify the entry of a register.

    Raises:
        LedgerError: It is none, or stands in a place that is not its author's own.
    """
    try:
        entry = _held(value[: 2 * limits.LEDGER_ENTRY_BYTES])
        _core.verify_statement(KIND, entry.body, entry.signature, entry.key)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        CoveyError,
        _core.CoreError,
    ) as no:
        raise LedgerError(f"entry: {name}: {no}", code="ledger_entry") from no
    if (entry.unit.place(entry.author, entry.number), entry.scope) != (name, scope):
        raise LedgerError(f"entry: {name}: in another place than its own", code="ledger_entry")
    if _core.author_of(entry.key) != entry.author:
        raise LedgerError(f"entry: {name}: under another key than its author's", code="ledger_entry")
    return entry


def _held(value: bytes) -> Entry:
    held = typed.members(typed.loaded(value), "entry", {"body", "key", "signature"})
    body = typed.text(held["body"], "body", limits.LEDGER_ENTRY_BYTES).encode()
    key, signature = _unb64(held["key"], 32), _unb64(held["signature"], 64)
    return _entry(typed.loaded(body), body, key, signature)


def units(state: StateMap) -> list[Unit]:
    """Return every unit that somebody holds or held."""
    found = []
    for name, issuer in state.budgets():
        if name.startswith(PREFIX) and _UNIT.fullmatch(name.removeprefix(PREFIX)):
            found.append(Unit(name.removeprefix(PREFIX), issuer))
    return found


def totals(state: StateMap, unit: Unit, author: str) -> Totals:
    """Return what an author moved of a unit, as the budget says it; nobody but the author can have."""
    granted, spent, given = state.budget_rows(unit.budget, unit.issuer).get(author, (0, 0, {}))
    return Totals(granted, spent, sum(given.values()))


def statement(state: StateMap, unit: Unit) -> dict[str, Any]:
    """Return what is there of a unit: all that was granted and spent, and what every author holds."""
    granted, spent, rights = state.budget(unit.budget, unit.issuer)
    return {
        "unit": unit.name,
        "issuer": unit.issuer,
        "granted": granted,
        "spent": spent,
        "balances": rights,
        "overspent": sorted(author for author, left in rights.items() if left < 0),
    }


def entries(state: StateMap, scope: str, unit: Unit | None = None) -> Iterator[Entry | LedgerError]:
    """Give every entry here, those of one author in order; in place of one that does not hold, why not."""
    prefix = PREFIX if unit is None else f"{PREFIX}{unit.name}/{unit.issuer}/"
    for name in state.names():
        held = state.get(name) if name.startswith(prefix) else None
        if held is not None:
            try:
                yield read(name, held[1], scope)
            except LedgerError as error:
                yield error


def audit(state: StateMap, scope: str) -> dict[str, Any]:
    """Hold the journal against the budgets.

    Returns:
        `units`, the statement of each with how many entries hold, and `problems`: what does not fit, whose
        it is and why. A hole or a wrong entry is a fault of the journal; balances do not follow from it.
    """
    problems: list[dict[str, Any]] = []
    kept: dict[tuple[Unit, str], list[Entry]] = {}
    for found in entries(state, scope):
        if isinstance(found, Entry):
            kept.setdefault((found.unit, found.author), []).append(found)
        else:
            problems.append({"what": "forged", "detail": found.message})
    shown = [statement(state, unit) for unit in units(state)]
    for unit, each in zip(units(state), shown, strict=True):
        over = "moved more than it had: its row proves it"
        problems += [_problem("overspent", unit, author, over) for author in each["overspent"]]
        for author in state.budget_rows(unit.budget, unit.issuer):
            chain = kept.pop((unit, author), [])
            each["entries"] = each.get("entries", 0) + len(chain)
            for what, detail in _faults(chain, totals(state, unit, author)):
                problems.append(_problem(what, unit, author, detail))
        each["balanced"] = sum(each["balances"].values()) == each["granted"] - each["spent"]
    for unit, author in sorted(kept):
        problems.append(_problem("unbacked", unit, author, "entries without a movement"))
    return {"units": shown, "problems": problems}


def _faults(chain: list[Entry], row: Totals) -> Iterator[tuple[str, str]]:
    """Give what is wrong with one author's journal of a unit, beside what its row says."""
    for before, after in itertools.pairwise(chain):
        if after.number != before.number + 1:
            yield "missing", f"entries {before.number + 1} to {after.number - 1}"
        elif (after.previous, after.totals) != (
            before.head.digest,
            before.totals.after(after.verb, after.amount),
        ):
            yield "broken", f"entry {after.number} does not continue the one before"
    held = chain[-1].totals if chain else Totals()
    if held != row:
        moved = sum(asdict(row).values()) - sum(asdict(held).values())
        yield "unrecorded", f"{moved} moved without an entry that is here"


def _problem(what: str, unit: Unit, author: str, detail: str) -> dict[str, Any]:
    return {"what": what, "unit": unit.name, "issuer": unit.issuer, "author": author, "detail": detail}


def _entry(facts: dict[str, Any], body: bytes, key: bytes, signature: bytes) -> Entry:
    """Read the facts of a body; only its one spelling is read.

    Raises:
        ValueError: It is in another form.
    """
    sums = Totals(**facts["totals"])
    numbers = (facts["amount"], facts["at_ms"], facts["number"], sums.granted, sums.spent, sums.paid)
    if not all(type(number) is int and 0 <= number <= limits.LEDGER_AMOUNT for number in numbers):
        raise ValueError("numbers out of their bounds")
    if facts["verb"] not in VERBS or facts["amount"] < 1 or facts["number"] < 1 or _spelled(facts) != body:
        raise ValueError("not in its one form")
    if facts["verb"] == "grant" and facts["author"] != facts["issuer"]:
        raise ValueError("granted by another than the issuer")
    texts = [facts[name] for name in ("scope", "author", "to", "memo", "previous")]
    if len(facts) != 12 or not all(isinstance(text, str) for text in texts):
        raise ValueError("not in its one form")
    scope, author, to, memo, previous = texts
    unit = Unit(str(facts["unit"]), str(facts["issuer"]))
    return Entry(
        scope,
        unit,
        author,
        facts["number"],
        facts["verb"],
        to,
        facts["amount"],
        sums,
        facts["at_ms"],
        memo,
        previous,
        body,
        key,
        signature,
    )


def _spelled(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unb64(text: str, size: int) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != size or _b64(raw) != text:
        raise ValueError(f"expected {size} bytes in base64url")
    return raw

"""What an agent lets others have of its own state: a policy and what follows from it. By default nothing.

Rules: pure. Entries are filtered here, before anything is written into a scope that others may hold; what a
rule does not name never enters one, so it cannot leave. Of the diary there are facts (`DiaryFacts`): how many
entries and when; its text is another type that nothing here can take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from covey import limits, typed
from covey.errors import UsageError
from covey.proto.state.scopes import ANYBODY, agent_scope
from covey.values import dataclass

DIARY: Final = "diary"
CLASSES: Final = ("memory:<layer>", "ontology", "session", DIARY)
_LAYER: Final = re.compile(r"memory:[a-z0-9][a-z0-9._-]{0,63}")
_AS: Final = re.compile(r"as:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:")
"""What the classes of an agent begin with, where another peer goes on with it."""
_MEMBERS: Final = frozenset({"label", "to", "prefix", "without", "retracted"})
"""What a kept rule has."""
AUTHOR: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry that an agent keeps: its class, its name, its JSON bytes."""

    label: str
    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class DiaryFacts:
    """All that is known of a diary without its key."""

    entries: int
    first_ms: int | None
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One class for one author, or for the whole room (`*`).

    `prefix` narrows it to entries whose names begin so; `without` drops these members of JSON objects, at any
    depth. `retracted` takes back what was sent: nothing is shared, and what was is deleted at its holders.
    """

    label: str
    to: str
    prefix: str = ""
    without: tuple[str, ...] = ()
    retracted: bool = False

    def __post_init__(self) -> None:
        if not is_shareable(self.label):
            raise UsageError(f"class: expected one of {', '.join(CLASSES)}, got {self.label!r}")
        if self.to != ANYBODY and AUTHOR.fullmatch(self.to) is None:
            raise UsageError(f"to: expected an author or *, got {self.to!r}")
        most_bytes, most = limits.STATE_NAME_BYTES, limits.SYNDICATION_WITHOUT
        if max(map(_size, (self.prefix, *self.without))) > most_bytes or len(self.without) > most:
            raise UsageError(
                f"filter: a prefix and members of at most {most_bytes} bytes, at most {most} members left out"
            )


@dataclass(frozen=True, slots=True)
class Policy:
    """An agent's rules, one at most for each class and each audience."""

    rules: tuple[Rule, ...] = ()

    def allow(self, rule: Rule) -> Policy:
        """Return the policy with this rule in place of an earlier one for the same class and audience.

        Raises:
            UsageError: There are too many rules.
        """
        rest = self.deny(rule.label, rule.to).rules
        if len(rest) >= limits.SYNDICATION_RULES:
            raise UsageError(f"policy: {limits.SYNDICATION_RULES} rules fit; deny one first")
        return Policy(tuple(sorted((*rest, rule), key=lambda each: (each.label, each.to))))

    def deny(self, label: str, to: str) -> Policy:
        """Return the policy without a rule for this class and audience: nothing more is sent."""
        return Policy(tuple(rule for rule in self.rules if (rule.label, rule.to) != (label, to)))

    def retract(self, label: str, to: str) -> Policy:
        """Return the policy that shares nothing of this class with this audience, and takes back what was."""
        held = next((rule for rule in self.rules if (rule.label, rule.to) == (label, to)), Rule(label, to))
        return self.allow(replace(held, retracted=True))

    def scopes(self, owner: str) -> frozenset[str]:
        """Return the scopes that may be spoken of; the retracted too, so that deletions arrive."""
        return frozenset(agent_scope(owner, rule.to, rule.label).name for rule in self.rules)

    def to_json(self) -> bytes:
        """Return the bytes that are kept."""
        return json.dumps({"version": 1, "rules": [asdict(rule) for rule in self.rules]}).encode()

    @staticmethod
    def read(data: bytes) -> Policy:
        """Read what was kept.

        Raises:
            UsageError: It is not what `to_json` wrote.
        """
        try:
            found = typed.members(typed.loaded(data), "policy", {"version", "rules"})
            typed.whole(found["version"], "version", 1, 1)
            rows = typed.listed(found["rules"], "rules", limits.SYNDICATION_RULES)
            rules = tuple(_rule(row) for row in rows)
        except typed.WrongTypeError as error:
            raise UsageError(f"policy: not readable: {error}") from error
        if len({(rule.label, rule.to) for rule in rules}) != len(rules):
            raise UsageError("policy: not readable: two rules for one class and audience")
        return Policy(rules)


def is_shareable(label: str) -> bool:
    """Tell whether a class can be shared at all."""
    plain = plain_class(label)
    return plain in ("ontology", "session") or label == DIARY or _LAYER.fullmatch(plain) is not None


def plain_class(label: str) -> str:
    """Return a class without the agent it is held for, where it is another's."""
    return _AS.sub("", label, count=1)


def checked(label: str, name: str, value: object) -> Kept:
    """Return an entry that an agent may keep.

    Raises:
        UsageError: The class has no entries of its own, the value is no JSON, or a fact has no evidence.
    """
    if not is_shareable(label) or label == DIARY:
        raise UsageError(
            "class: expected memory:<layer>, ontology or session; the diary is written by itself"
        )
    if not 1 <= len(name.encode()) <= limits.STATE_NAME_BYTES:
        raise UsageError(f"name: expected 1 to {limits.STATE_NAME_BYTES} bytes")
    if plain_class(label) == "ontology" and not _is_fact(value):
        raise UsageError('ontology: expected {"value": …, "evidence": [references as text]}')
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError, TypeError) as error:
        raise UsageError(f"value: expected JSON: {error}") from error
    return Kept(label, name, data)


def desired(
    owner: str, policy: Policy, kept: Iterable[Kept], diary: DiaryFacts
) -> dict[str, dict[str, bytes]]:
    """Return what each scope should hold under a policy: by scope, by name, JSON bytes."""
    entries = list(kept)
    found: dict[str, dict[str, bytes]] = {}
    for rule in policy.rules:
        scope = agent_scope(owner, rule.to, rule.label).name
        found[scope] = {} if rule.retracted else _shared(rule, entries, diary)
    return found


def changes(holds: Mapping[str, bytes], should: Mapping[str, bytes]) -> list[tuple[str, str, bytes | None]]:
    """Return the writes that make what a scope holds what it should hold."""
    puts = [("put_json", name, value) for name, value in should.items() if holds.get(name) != value]
    gone = [("delete", name, None) for name in sorted(holds.keys() - should.keys())]
    return [*puts, *gone]


def flushes(
    writes: Sequence[tuple[str, str, bytes | None]],
    most: int = limits.SYNDICATION_FLUSH_ENTRIES,
    most_bytes: int = limits.SYNDICATION_FLUSH_BYTES,
) -> list[list[tuple[str, str, bytes | None]]]:
    """Cut writes into pieces that fit a flush each (4,096 operations, 393,216 bytes)."""
    pieces: list[list[tuple[str, str, bytes | None]]] = []
    size = most_bytes
    for write in writes:
        weight = len(write[1].encode()) + len(write[2] or b"") + 16
        if not pieces or len(pieces[-1]) >= most or size + weight > most_bytes:
            pieces.append([])
            size = 0
        pieces[-1].append(write)
        size += weight
    return pieces


def _rule(row: object) -> Rule:
    """Return a kept rule; another type is refused, since a filter read wrongly would let more out."""
    found = typed.members(row, "rule", _MEMBERS)
    most = limits.STATE_NAME_BYTES
    return Rule(
        typed.text(found["label"], "label", most),
        typed.text(found["to"], "to", most),
        typed.text(found["prefix"], "prefix", most),
        typed.texts(found["without"], "without", limits.SYNDICATION_WITHOUT, most),
        typed.flag(found["retracted"], "retracted"),
    )


def _size(text: str) -> int:
    """Return the bytes of a text; of one that came through JSON, which may say half a character."""
    return len(text.encode(errors="surrogatepass"))


def _shared(rule: Rule, entries: Iterable[Kept], diary: DiaryFacts) -> dict[str, bytes]:
    if rule.label == DIARY:
        return {
            "entries": _json(diary.entries),
            "first_ms": _json(diary.first_ms),
            "last_ms": _json(diary.last_ms),
        }
    mine = (each for each in entries if each.label == rule.label and each.name.startswith(rule.prefix))
    return {each.name: _json(_without(json.loads(each.value), frozenset(rule.without))) for each in mine}


def _without(value: Any, dropped: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, dropped) for name, inner in value.items() if name not in dropped}
    if isinstance(value, list):
        return [_without(inner, dropped) for inner in value]
    return value


def _is_fact(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() != {"value", "evidence"}:
        return False
    evidence = value["evidence"]
    return isinstance(evidence, list) and all(isinstance(each, str) for each in evidence)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

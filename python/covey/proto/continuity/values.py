"""What continuity rests on: signed texts, each read and verified in one place; one that exists holds.

A **plan** is an agent's own word, in advance: who may go on with it, who votes, up to which epoch. A
**term** says who holds the agent in one epoch; it counts with the votes of a majority of the plan's voters,
or as an operator's word where it says so. A **release** is a holder's word that one other may have it now.
No private key moves: a standby goes on under its own key, with the plan and the votes as its proof.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal, Protocol

from covey import _core, limits
from covey.values import dataclass

PLAN: Final = "covey-succession-v1"
TERM: Final = "covey-term-v1"
VOTE: Final = "covey-vote-v1"
RELEASE: Final = "covey-release-v1"
NONE: Final = "0" * 64
Role = Literal["owner", "standby", "witness"]
Why = Literal["failed", "released", "renewed", "forced", "closed"]
_WHYS: Final = ("failed", "released", "renewed", "forced", "closed")
Mark = tuple[int, int]
"""(epoch, write): how far a holder's writes of an epoch reach. Ascending; comparable between members."""


class ProofError(ValueError):
    """A signed text is malformed, or does not hold; the text says why."""


class Signer(Protocol):
    """Who can sign."""

    @property
    def author(self) -> str:
        """Return whose signature it is."""
        ...

    def sign_statement(self, kind: str, body: bytes) -> bytes:
        """Sign."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One who is named by a plan."""

    author: str
    node_id: str
    name: str
    key: bytes
    role: Role


@dataclass(frozen=True, slots=True)
class Plan:
    """An agent's succession, signed by it.

    Attributes:
        agent: The agent, as an author of shared state.
        number: 1 for the first; a later one counts once the one before was closed in its favour.
        members: The owner, then standbys in the order of preference, then witnesses.
        classes: The classes of state that are handed on.
        epochs: The highest epoch under this plan.
        previous: Digest of the plan before; zeros for the first.
    """

    agent: str
    number: int
    room: str
    members: tuple[Member, ...]
    classes: tuple[str, ...]
    epochs: int
    previous: str
    at_ms: int
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Return what terms name this plan by."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def owner(self) -> Member:
        """Return the agent's own peer."""
        return self.members[0]

    @property
    def majority(self) -> int:
        """Return how many votes decide."""
        return len(self.members) // 2 + 1

    @property
    def automatic(self) -> bool:
        """Tell whether a takeover without the owner can have a majority at all: three voters are needed."""
        return len(self.members) >= 3

    @property
    def keepers(self) -> tuple[Member, ...]:
        """Return who holds a replica: the owner and the standbys."""
        return tuple(member for member in self.members if member.role != "witness")

    def member(self, author: str) -> Member | None:
        """Return one member, or None."""
        return next((each for each in self.members if each.author == author), None)


@dataclass(frozen=True, slots=True)
class Term:
    """Who holds an agent in one epoch, signed by whoever asks for it (the holder).

    Attributes:
        why: failed, released, renewed (by the holder itself), forced (an operator's word, without votes), or
            closed (the plan `next` replaces this one).
        mark: How far the writes of the holder before had come here; (0, 0) where nothing was held.
        source: Whose writes those were.
        heads: Of the source's state, by class: how many operations had come.
    """

    agent: str
    plan: str
    epoch: int
    holder: str
    why: Why
    next: str
    mark: Mark
    source: str
    heads: Mapping[str, int]
    at_ms: int
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    votes: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """Return what votes name it by."""
        return hashlib.sha256(self.body).hexdigest()

    def vote_body(self) -> bytes:
        """Return what a voter signs: one term of one epoch of one agent."""
        return written({"agent": self.agent, "epoch": self.epoch, "term": self.digest})


@dataclass(frozen=True, slots=True)
class Release:
    """A holder's word that `to` may hold the agent next; what it wrote ends at `mark`."""

    agent: str
    plan: str
    epoch: int
    by: str
    to: str
    mark: Mark
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)


# --- making -------------------------------------------------------------------------------------------


def make_plan(
    signer: Signer,
    room: str,
    members: Sequence[Member],
    classes: Sequence[str],
    epochs: int,
    at_ms: int,
    before: Plan | None = None,
) -> Plan:
    """Return a plan signed by its agent.

    Raises:
        ProofError: It would not hold.
    """
    facts = {
        "agent": signer.author,
        "at_ms": at_ms,
        "classes": list(classes),
        "epochs": epochs,
        "members": [
            {"author": m.author, "key": b64(m.key), "name": m.name, "node_id": m.node_id, "role": m.role}
            for m in members
        ],
        "number": 1 if before is None else before.number + 1,
        "previous": NONE if before is None else before.digest,
        "room": room,
    }
    body = written(facts)
    return read_plan(body, signer.sign_statement(PLAN, body))


def make_term(
    signer: Signer,
    plan: Plan,
    epoch: int,
    why: Why,
    at_ms: int,
    *,
    mark: Mark = (0, 0),
    source: str = "",
    heads: Mapping[str, int] | None = None,
    following: Plan | None = None,
) -> Term:
    """Return a term that its signer holds, without votes yet."""
    facts = {
        "agent": plan.agent,
        "at_ms": at_ms,
        "epoch": epoch,
        "heads": dict(heads or {}),
        "holder": signer.author,
        "mark": list(mark),
        "next": NONE if following is None else following.digest,
        "plan": plan.digest,
        "source": source or plan.agent,
        "why": why,
    }
    body = written(facts)
    return read_term(body, signer.sign_statement(TERM, body), {}, plan)


def make_release(signer: Signer, plan: Plan, epoch: int, to: str, mark: Mark) -> Release:
    """Return a holder's release to another member."""
    facts = {"agent": plan.agent, "by": signer.author, "epoch": epoch, "mark": list(mark)}
    body = written({**facts, "plan": plan.digest, "to": to})
    return read_release(body, signer.sign_statement(RELEASE, body), plan)


# --- reading ------------------------------------------------------------------------------------------


def read_plan(body: bytes, signature: bytes) -> Plan:
    """Read and verify a plan.

    Raises:
        ProofError: It is none, or its agent did not sign it.
    """
    facts = _facts(
        body, "plan", {"agent", "at_ms", "classes", "epochs", "members", "number", "previous", "room"}
    )
    try:
        members = tuple(_member(each) for each in _list(facts["members"]))
        classes = tuple(_text(each, 128) for each in _list(facts["classes"]))
        plan = Plan(
            _text(facts["agent"], 36),
            _number(facts["number"], 1, limits.CONTINUITY_PLANS),
            _text(facts["room"], 128),
            members,
            classes,
            _number(facts["epochs"], 1, limits.CONTINUITY_EPOCHS),
            _text(facts["previous"], 64),
            _number(facts["at_ms"], 0, limits.JSON_INTEGER),
            body,
            signature,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProofError("plan: not in its form") from error
    _check_members(plan)
    _verify(PLAN, body, signature, plan.owner.key, "plan")
    return plan


def read_term(body: bytes, signature: bytes, votes: Mapping[str, bytes], plan: Plan) -> Term:
    """Read a term under its plan, and verify it and every vote it comes with; count them with `certified`.

    Raises:
        ProofError: It is none, or a signature does not hold.
    """
    members = {"agent", "at_ms", "epoch", "heads", "holder", "mark", "next", "plan", "source", "why"}
    facts = _facts(body, "term", members)
    try:
        heads = {_text(name, 128): _number(n, 0, limits.JSON_INTEGER) for name, n in facts["heads"].items()}
        if len(heads) > limits.CONTINUITY_CLASSES or facts["why"] not in _WHYS:
            raise ProofError("term: not in its form")
        term = Term(
            _text(facts["agent"], 36),
            _text(facts["plan"], 64),
            _number(facts["epoch"], 2, plan.epochs),
            _text(facts["holder"], 36),
            facts["why"],
            _text(facts["next"], 64),
            _mark(facts["mark"]),
            _text(facts["source"], 36),
            heads,
            _number(facts["at_ms"], 0, limits.JSON_INTEGER),
            body,
            signature,
            dict(votes),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProofError("term: not in its form, or past the plan's last epoch") from error
    holder = plan.member(term.holder)
    if (term.agent, term.plan) != (plan.agent, plan.digest) or holder is None or holder.role == "witness":
        raise ProofError("term: its plan does not know its holder")
    if (term.why == "closed") != (term.next != NONE) or (term.next != NONE and holder.role != "owner"):
        raise ProofError("term: only its owner closes a plan")
    _verify(TERM, body, signature, holder.key, "term")
    for author, vote in votes.items():
        check_vote(term, plan, author, vote)
    return term


def read_release(body: bytes, signature: bytes, plan: Plan) -> Release:
    """Read and verify a release under its plan.

    Raises:
        ProofError: It is none, or its signature does not hold.
    """
    facts = _facts(body, "release", {"agent", "by", "epoch", "mark", "plan", "to"})
    try:
        release = Release(
            _text(facts["agent"], 36),
            _text(facts["plan"], 64),
            _number(facts["epoch"], 1, plan.epochs),
            _text(facts["by"], 36),
            _text(facts["to"], 36),
            _mark(facts["mark"]),
            body,
            signature,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProofError("release: not in its form") from error
    by = plan.member(release.by)
    if (release.agent, release.plan) != (plan.agent, plan.digest) or by is None:
        raise ProofError("release: its plan does not know its holder")
    _verify(RELEASE, body, signature, by.key, "release")
    return release


def check_vote(term: Term, plan: Plan, author: str, signature: bytes) -> None:
    """Verify one vote.

    Raises:
        ProofError: Its voter has none, or its signature does not hold.
    """
    voter = plan.member(author)
    if voter is None:
        raise ProofError("vote: not of a voter")
    _verify(VOTE, term.vote_body(), signature, voter.key, "vote")


def certified(term: Term, plan: Plan) -> bool:
    """Tell whether a majority of the plan's voters stands behind a term."""
    return len(term.votes) >= plan.majority


# --- bytes --------------------------------------------------------------------------------------------


def written(facts: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a signed text: JSON, members sorted, no spaces."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(raw: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64(text: object, size: int) -> bytes:
    """Read base64url without padding.

    Raises:
        ProofError: It is none, or of another size.
    """
    if isinstance(text, str) and text.isascii() and len(text) <= 4 * size:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise ProofError("expected base64url") from error
        if len(raw) == size and b64(raw) == text:
            return raw
    raise ProofError(f"expected {size} bytes in base64url")


def _facts(body: bytes, what: str, members: set[str]) -> dict[str, Any]:
    if len(body) > limits.CONTINUITY_BODY_BYTES:
        raise ProofError(f"{what}: more than {limits.CONTINUITY_BODY_BYTES} bytes")
    try:
        facts = json.loads(body)
        same = isinstance(facts, dict) and facts.keys() == members and written(facts) == body
    except (ValueError, RecursionError, TypeError) as error:
        raise ProofError(f"{what}: not JSON") from error
    if not same:
        raise ProofError(f"{what}: not in its one spelling")
    found: dict[str, Any] = facts
    return found


def _member(facts: object) -> Member:
    if not isinstance(facts, dict) or facts.keys() != {"author", "key", "name", "node_id", "role"}:
        raise ProofError("member: not in its form")
    key = unb64(facts["key"], 32)
    if facts["role"] not in ("owner", "standby", "witness"):
        raise ProofError("member: no such role")
    author = _text(facts["author"], 36)
    try:
        if _core.author_of(key) != author:
            raise ProofError("member: its author does not follow from its key")
    except _core.CoreError as error:
        raise ProofError("member: its key is none") from error
    name = _text(facts["name"], limits.CONTINUITY_NAME_CHARS)
    return Member(author, _text(facts["node_id"], 36), name, key, facts["role"])


def _check_members(plan: Plan) -> None:
    roles = [member.role for member in plan.members]
    standbys, witnesses = roles.count("standby"), roles.count("witness")
    ordered = roles == ["owner", *["standby"] * standbys, *["witness"] * witnesses]
    if not ordered or plan.owner.author != plan.agent:
        raise ProofError("plan: expected its agent, then standbys, then witnesses")
    if not 1 <= standbys <= limits.CONTINUITY_STANDBYS or witnesses > limits.CONTINUITY_WITNESSES:
        raise ProofError(
            f"plan: expected 1 to {limits.CONTINUITY_STANDBYS} standbys, "
            f"at most {limits.CONTINUITY_WITNESSES} witnesses"
        )
    if len({m.author for m in plan.members}) != len(roles) or len({m.node_id for m in plan.members}) != len(
        roles
    ):
        raise ProofError("plan: somebody is named twice")
    if not 1 <= len(plan.classes) <= limits.CONTINUITY_CLASSES or list(plan.classes) != sorted(
        set(plan.classes)
    ):
        raise ProofError(f"plan: expected 1 to {limits.CONTINUITY_CLASSES} classes, ascending, each once")


def _verify(kind: str, body: bytes, signature: bytes, key: bytes, what: str) -> None:
    try:
        _core.verify_statement(kind, body, signature, key)
    except _core.CoreError as error:
        raise ProofError(f"{what}: its signature does not hold") from error


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise ProofError(f"expected text of 1 to {most} characters")
    return value


def _number(value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ProofError(f"expected a whole number from {least} to {most}")
    return value


def _mark(value: object) -> Mark:
    if not isinstance(value, list) or len(value) != 2:
        raise ProofError("mark: expected two numbers")
    return _number(value[0], 0, limits.CONTINUITY_EPOCHS), _number(value[1], 0, limits.JSON_INTEGER)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ProofError("expected a list")
    return value

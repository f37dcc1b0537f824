"""The node record: which agents a host runs, signed by each of them; a new set is a new record.

The id of a node follows from the public keys of its first agents. Each later record names the one before by
its hash, is signed by every agent in it, and by at least one of the record before. A claim on an agent
without that agent's signature is no record. Rules: pure; a chain that exists as a value was verified.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from covey import _core, limits, typed
from covey.errors import IdentityError
from covey.values import dataclass

KIND: Final = "covey-node-record-v1"
_ID_TAG: Final = b"covey-node-v1\n"
_NONE: Final = "0" * 64
PREFIX: Final = "node/"
"""What names of published chains begin with, in the room's shared state: `node/<id>/<author>`."""


class Signer(Protocol):
    """Who can sign for one agent."""

    @property
    def public_key(self) -> bytes:
        """Return the key."""
        ...

    def sign_statement(self, kind: str, body: bytes) -> bytes:
        """Sign."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Agent:
    """One agent of a node: its key, nodeId and name."""

    key: bytes
    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as it was signed."""

    node: str
    sequence: int
    previous: str
    at_ms: int
    agents: tuple[Agent, ...]
    body: bytes
    signatures: Mapping[bytes, bytes]

    @property
    def digest(self) -> str:
        """Return what the next record names as the one before."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """The verified records of one node, the first one first."""

    records: tuple[Record, ...]

    @property
    def last(self) -> Record:
        """Return the record that holds now."""
        return self.records[-1]

    @property
    def node(self) -> str:
        """Return the node's id; no later record changes it."""
        return self.last.node

    def to_json(self) -> bytes:
        """Return the chain as files and shared state hold it."""
        rows = [
            {
                "body": record.body.decode(),
                "signatures": {_b64(key): _b64(sig) for key, sig in sorted(record.signatures.items())},
            }
            for record in self.records
        ]
        return json.dumps({"version": 1, "records": rows}, separators=(",", ":")).encode()

    def holds(self, public_key: bytes) -> bool:
        """Tell whether the node has the agent of this key now."""
        return any(agent.key == public_key for agent in self.last.agents)


def begin(agents: Iterable[Agent], signers: Sequence[Signer], at_ms: int) -> Chain:
    """Return the first record of a node.

    Raises:
        IdentityError: There is no agent, or one of them does not sign.
    """
    listed = _listed(agents)
    return _grown((), node_id(agent.key for agent in listed), _NONE, listed, signers, at_ms)


def change(chain: Chain, agents: Iterable[Agent], signers: Sequence[Signer], at_ms: int) -> Chain:
    """Return the chain with a further record that names these agents.

    Raises:
        IdentityError: One of them does not sign, or none of the record before does.
    """
    if len(chain.records) >= limits.NODE_RECORDS:
        raise IdentityError(f"node record: {limits.NODE_RECORDS} records fit; make a new node")
    return _grown(chain.records, chain.node, chain.last.digest, _listed(agents), signers, at_ms)


def node_id(keys: Iterable[bytes]) -> str:
    """Return the id of the node whose first agents have these public keys."""
    return "node-" + hashlib.sha256(_ID_TAG + b"".join(sorted(keys))).hexdigest()


def read(data: bytes) -> Chain:
    """Read and verify a chain.

    Raises:
        IdentityError: It is none, or any part of it does not hold.
    """
    if len(data) > limits.NODE_CHAIN_BYTES:
        raise IdentityError(f"node record: more than {limits.NODE_CHAIN_BYTES} bytes")
    try:
        found = typed.members(typed.loaded(data), "chain", {"version", "records"})
        typed.whole(found["version"], "version", 1, 1)
        rows = [_row(each) for each in typed.listed(found["records"], "records", limits.NODE_RECORDS)]
    except ValueError as error:
        raise IdentityError(f"node record: not readable: {error}") from error
    if not rows:
        raise IdentityError(f"node record: expected 1 to {limits.NODE_RECORDS} records, got none")
    records: tuple[Record, ...] = ()
    for body, signatures in rows:
        records = (*records, _checked(_record(body, signatures), records[-1] if records else None))
    return Chain(records)


def newest(chains: Iterable[Chain]) -> tuple[dict[str, Chain], frozenset[str]]:
    """Return of each node the longest chain, and the nodes of which two chains contradict each other."""
    best: dict[str, Chain] = {}
    split: set[str] = set()
    for chain in chains:
        held = best.get(chain.node)
        if held is not None:
            shared = min(len(held.records), len(chain.records)) - 1
            if held.records[shared].digest != chain.records[shared].digest:
                split.add(chain.node)
        if held is None or len(chain.records) > len(held.records):
            best[chain.node] = chain
    return best, frozenset(split)


def _grown(
    before: tuple[Record, ...],
    node: str,
    previous: str,
    agents: tuple[Agent, ...],
    signers: Sequence[Signer],
    at_ms: int,
) -> Chain:
    listed = [{"key": _b64(a.key), "name": a.name, "node_id": a.node_id} for a in agents]
    facts = {
        "agents": listed,
        "at_ms": at_ms,
        "node": node,
        "previous": previous,
        "sequence": len(before) + 1,
    }
    body = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signatures = {bytes(signer.public_key): signer.sign_statement(KIND, body) for signer in signers}
    record = _checked(_record(body, signatures), before[-1] if before else None)
    return Chain((*before, record))


def _record(body: bytes, signatures: Mapping[bytes, bytes]) -> Record:
    """Read a body; only its one spelling is read."""
    try:
        facts = typed.members(
            typed.loaded(body), "record", {"agents", "at_ms", "node", "previous", "sequence"}
        )
        agents = tuple(_agent(each) for each in typed.listed(facts["agents"], "agents", limits.NODE_AGENTS))
        record = Record(
            typed.text(facts["node"], "node", 128),
            typed.whole(facts["sequence"], "sequence", limits.NODE_RECORDS),
            typed.text(facts["previous"], "previous", 64),
            typed.whole(facts["at_ms"], "at_ms"),
            agents,
            body,
            signatures,
        )
        whole = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == body
    except ValueError as error:
        raise IdentityError(f"node record: not readable: {error}") from error
    if not whole or _listed(agents) != agents:
        raise IdentityError("node record: not in its one form")
    return record


def _checked(record: Record, before: Record | None) -> Record:
    """Verify a record against the one before it.

    Raises:
        IdentityError: It does not hold, and why.
    """
    for key, signature in record.signatures.items():
        try:
            _core.verify_statement(KIND, record.body, signature, key)
        except _core.CoreError as error:
            raise IdentityError("node record: a signature does not hold", code="bad_signature") from error
    unsigned = [agent.name for agent in record.agents if agent.key not in record.signatures]
    if unsigned:
        raise IdentityError(f"node record: not signed by {unsigned[0]}", code="unsigned_agent")
    if before is None:
        first = (record.sequence, record.previous) == (1, _NONE)
        if not first or record.node != node_id(agent.key for agent in record.agents):
            raise IdentityError(
                "node record: its id does not follow from its first agents", code="wrong_node"
            )
        return record
    linked = (record.node, record.sequence, record.previous) == (
        before.node,
        before.sequence + 1,
        before.digest,
    )
    if not linked:
        raise IdentityError("node record: does not continue the one before", code="wrong_node")
    if not any(agent.key in record.signatures for agent in before.agents):
        raise IdentityError("node record: signed by no agent of the record before", code="unsigned_agent")
    return record


def _listed(agents: Iterable[Agent]) -> tuple[Agent, ...]:
    found = tuple(sorted(agents))
    if not 1 <= len(found) <= limits.NODE_AGENTS or len({agent.key for agent in found}) != len(found):
        raise IdentityError(f"node record: expected 1 to {limits.NODE_AGENTS} agents, each once")
    return found


def _row(value: object) -> tuple[bytes, dict[bytes, bytes]]:
    row = typed.members(value, "record", {"body", "signatures"})
    body = typed.text(row["body"], "body", limits.NODE_CHAIN_BYTES).encode()
    signatures = row["signatures"]
    if not isinstance(signatures, dict):
        raise typed.WrongTypeError("signatures: expected an object")
    return body, {_unb64(key): _unb64(signature, 64) for key, signature in signatures.items()}


def _agent(value: object) -> Agent:
    row = typed.members(value, "agent", {"key", "name", "node_id"})
    most = limits.NODE_CHAIN_BYTES
    return Agent(
        _unb64(row["key"]), typed.text(row["node_id"], "node_id", 36), typed.text(row["name"], "name", most)
    )


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unb64(text: object, size: int = 32) -> bytes:
    if not isinstance(text, str):
        raise typed.WrongTypeError(f"expected {size} bytes in base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != size or _b64(raw) != text:
        raise ValueError(f"expected {size} bytes in base64url")
    return raw

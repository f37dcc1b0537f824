"""More fuzz targets: what a proven peer says in control frames, and files that are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from covey import _core, limits
from covey.agent import reply
from covey.cli.join import _read as read_invite
from covey.errors import IdentityError, StoreError, UsageError
from covey.inference import reading
from covey.model import ModelReply, Usage
from covey.proto import effects as fx
from covey.proto import inviting
from covey.proto.attest import words as attest_words
from covey.proto.attest.engine import AttestExtension
from covey.proto.authority import words as authority_words
from covey.proto.authority.engine import AuthorityExtension
from covey.proto.bus.engine import BusEngine
from covey.proto.continuity import wants as continuity_wants
from covey.proto.continuity.case import Case
from covey.proto.continuity.engine import Continuity
from covey.proto.continuity.line import begun
from covey.proto.continuity.values import Member, Plan, make_plan
from covey.proto.door import words as door_words
from covey.proto.door.engine import DoorCalls
from covey.proto.extension import Extension
from covey.proto.forward.engine import Forwarding
from covey.proto.gossip import Gossip
from covey.proto.membership.engine import Membership
from covey.proto.mood import Moods
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions
from covey.proto.paths import Own, Paths
from covey.proto.state import wants as state_wants
from covey.proto.state.replicas import StateOptions
from covey.proto.state.sync import StateSync
from covey.proto.substrate import BundleOffer, Offering, PullWish, SubstrateExchange
from covey.settings.tokens import tokens_of_file, tokens_of_variable
from covey.state import node_record
from covey.state.ledger import LedgerError
from covey.state.ledger_book import Book
from covey.state.syndication import Policy
from covey.substrate import bundle
from covey.substrate.values import BundleError
from covey.system import anchor, identity
from covey.system.invites import InviteFile
from tests.laws import fuzz_files, fuzz_targets
from tests.laws.fuzz_targets import NODE, NOW, OTHER, WHO, Property, entropy

PEER: Final = _core.Identity(OTHER, "other", b"\x08" * 32)
MOST_EFFECTS: Final = 4_096
"""What one frame may make the engine want: a page of statements, a window of directed blocks."""


def plan_of(owner: _core.Identity, standby: _core.Identity) -> Plan:
    """Return a plan of two: each may hear of it from the other."""
    people = ((owner, "owner"), (standby, "standby"))
    members = [Member(who.author, who.node_id, who.name, who.public_key, role) for who, role in people]
    return make_plan(owner, "default", members, ("session",), 9, 1_000)


def _continuity() -> tuple[Continuity, object]:
    """Return the engine of a peer whose own agent has a plan, which agreed to take others'."""
    engine = Continuity(WHO, "default", seen=lambda _: 0, served=lambda _: True, look=lambda _: "alive")
    engine.book.cases[WHO.author] = Case(begun(plan_of(WHO, PEER)))
    engine.book.consents.add("*")
    return engine, continuity_wants.Restored(engine.book.to_json())


def _extensions() -> tuple[tuple[Extension, ...], tuple[tuple[str, object], ...]]:
    """Return every conversation beside records, and what readies those that wait for their disk."""
    pin = _core.AnchorPin(1, [(PEER.public_key, None)])
    paths = Paths(NODE, "default")
    continuity, kept = _continuity()
    made: tuple[Any, ...] = (
        AttestExtension(WHO, "default"),
        AuthorityExtension(WHO, pin),
        BusEngine(),
        continuity,
        DoorCalls(),
        Forwarding(NODE, hands_on=True),
        Gossip(NODE, paths.ask),
        inviting.Inviting(),
        Membership(WHO),
        Moods(),
        paths,
        StateSync(WHO, StateOptions("default")),
        SubstrateExchange(),
    )
    ready = (
        ("attest", attest_words.Restored()),
        ("authority", authority_words.Restored(frozenset())),
        ("continuity", kept),
        ("door", door_words.Open(True)),
        ("invite", inviting.Restored()),
        ("paths", Own((("10.0.0.1", 7000),), ("10.0.0.0/8",))),
        ("state", state_wants.Restored(())),
        ("substrate", Offering([(BundleOffer("ab" * 32, "ada", 100_000), frozenset({OTHER}))])),
    )
    names = {each.name for each in made}
    assert {name for name, _ in ready} <= names, names
    return made, ready


class _Met:
    """An engine with every conversation, and a peer that has proved itself to it."""

    def __init__(self) -> None:
        made, ready = _extensions()
        self.engine = NodeEngine(WHO, NodeOptions(), made)
        self.seconds = 10.0
        tokens = [each.token for each in made if each.token] + ["x-covey-delivery-v1", "x-covey-credit-v1"]
        self.session = _core.Session.client(
            PEER, room="default", extensions=tokens, entropy=entropy(128)[64:], expect_node_id=NODE
        )
        self.feed(fx.Watch(True))
        self.feed(fx.Started())
        for name, what in ready:
            self.feed(fx.Told(name, what, entropy(32)))
        self.feed(fx.LinkOpened(1000, True, "192.0.2.1:1", False, entropy(64)))
        for _ in range(2):
            self.hear(self.session.take_output())
        assert [view.name for view in self.engine.peers()] == ["other"]
        self.feed(fx.Told("substrate", PullWish(1, OTHER, "cd" * 32), entropy(32)))

    def feed(self, event: fx.Event) -> None:
        effects = self.engine.handle(event, fx.Now(NOW.wall_ms + int(self.seconds * 1000), self.seconds))
        assert len(effects) <= MOST_EFFECTS
        for effect in effects:
            if isinstance(effect, fx.Write):
                self.session.receive(effect.data)

    def hear(self, data: bytes) -> None:
        self.feed(fx.LinkData(1000, data, entropy(32)))


def controls(data: bytes, _: Path) -> None:
    """Every line is a control frame that a proven peer seals; time passes, and the engine still stands."""
    met, lines = _Met(), data.split(b"\n")
    if not lines[0].startswith(b'{"type":"cmb-anchors"'):
        met.session.send_anchors([])  # the first thing a session says: without it nothing else is sealed
    for line in lines:
        if not line:
            met.seconds += 1.0
            met.feed(fx.Timer(entropy(32)))
            continue
        if met.session.state != "open":
            return
        try:
            met.session.send_control(line)
        except (_core.CoreError, ValueError):
            continue  # nothing that a session can seal
        met.hear(met.session.take_output())
    met.seconds += 120.0
    met.feed(fx.Timer(entropy(32)))


def invite_line(data: bytes, _: Path) -> None:
    try:
        found = read_invite(data.decode("utf-8", "replace"))
    except UsageError as error:
        assert error.message
        return
    assert found.room


def invite_book(data: bytes, folder: Path) -> None:
    path = folder / "invites.json"
    path.write_bytes(data)
    file = InviteFile(path, folder / "trust.json")
    try:
        kept = file.load()
    except StoreError:
        return
    file.save(kept)
    assert file.load() == kept


def anchor_file(data: bytes, folder: Path) -> None:
    path = folder / "anchor.json"
    path.write_bytes(data)
    try:
        found = anchor.load(path)
        if found is not None:
            found.native()
    except (StoreError, IdentityError):
        return


def identity_file(data: bytes, folder: Path) -> None:
    path = folder / "identity.json"
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        identity.load(path)
    except IdentityError as error:
        assert error.message


def relay_tokens(data: bytes, _: Path) -> None:
    text = data.decode("utf-8", "replace")
    for read in (tokens_of_file, tokens_of_variable):
        try:
            assert 0 < len(read(text, "tokens")) <= limits.RELAY_TOKENS
        except UsageError as error:
            assert error.message


def record_of_node(data: bytes, _: Path) -> None:
    """What peers share of the agents of their hosts."""
    try:
        chain = node_record.read(data)
    except IdentityError as error:
        assert error.message
        return
    assert chain.records


def kept_state(data: bytes, _: Path) -> None:
    """What syndication and the ledger keep between runs."""
    try:
        Policy.read(data)
    except UsageError as error:
        assert error.message
    try:
        Book.read(data)
    except (StoreError, UsageError, LedgerError) as error:
        assert error.message


def substrate_bundle(data: bytes, _: Path) -> None:
    """A bundle that somebody gave: what is read is within every bound, and is what covey would write."""
    try:
        found = bundle.read(data)
    except BundleError as error:
        assert error.message and error.code
        return
    assert len(data) <= limits.BUNDLE_BYTES and not found.manifest.contributor.startswith("_")
    for link in found.substrate.links:
        assert 0 < link.count <= limits.COUNT and 0 <= link.confidence <= limits.CONFIDENCE


def door_request(data: bytes, _: Path) -> None:
    """What a peer asks a shared model, and what a backend answers, in pieces: counted, and handed on."""
    try:
        reading.asked_of(reading.body_of(data), "/chat/completions", "m")
    except reading.BadRequestError as error:
        assert str(error)
    for hide in (True, False):
        tally = reading.Tally(len(data), stream=True, hide=hide)
        out = b"".join(tally.feed(data[at : at + 7]) for at in range(0, len(data), 7)) + tally.finish()
        assert hide or out == data
        assert 0 <= tally.used().total <= 2 * limits.JSON_INTEGER


def model_reply(data: bytes, _: Path) -> None:
    """What a model answers: it may say what peers talked it into."""
    text = data.decode("utf-8", "replace")
    for as_json in (False, True):
        found = reply.read(ModelReply(text, (), Usage(), "stop", "fuzz"), as_json=as_json)
        assert isinstance(found, reply.Answer | reply.Silent | reply.Unreadable)


TARGETS: Final[dict[str, Property]] = {
    **fuzz_files.TARGETS,
    **fuzz_targets.TARGETS,
    "door_request": door_request,
    "anchor": anchor_file,
    "controls": controls,
    "identity": identity_file,
    "invite_line": invite_line,
    "invites": invite_book,
    "kept_state": kept_state,
    "model_reply": model_reply,
    "node_record": record_of_node,
    "relay_tokens": relay_tokens,
    "substrate_bundle": substrate_bundle,
}

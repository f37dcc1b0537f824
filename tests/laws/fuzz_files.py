"""More fuzz targets: rows, books and documents that are read back, and answers of those who are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

from covey import _core, limits
from covey.agent import waiting
from covey.bench import report
from covey.cli.leader import book as leader_book
from covey.cli.mcp import edit
from covey.cli.migrate.source import Source, Unusable
from covey.cli.share import books
from covey.cognition.ask import contributing, synthesis
from covey.cognition.ask.values import Claim
from covey.errors import IdentityError, StoreError, UsageError
from covey.fleet import auction_record, packs, signed_word, solve_record, vote_record
from covey.fleet.auction_record import AuctionError
from covey.fleet.message import Message, MessageError
from covey.fleet.profile import AgentProfile, ProfileError
from covey.fleet.solve import SolveError
from covey.fleet.vote import VoteError
from covey.fleet.work import entry, task
from covey.model import ModelReply, Usage
from covey.models import wire
from covey.models.anthropic import AnthropicModel
from covey.models.compatible import CompatibleModel
from covey.models.folds import AnthropicFold, ChatFold, OllamaFold
from covey.models.incoming import Incoming
from covey.models.ollama import OllamaModel
from covey.models.prices import Quote
from covey.proto import effects as fx
from covey.proto.continuity import book as continuity_book
from covey.safety.budget import WakeBudget
from covey.safety.cost import CostGuard
from covey.safety.cycle import CycleGuard
from covey.safety.ledger import Ledger
from covey.safety.loops import LoopGuard
from covey.safety.quarantine import Quarantine
from covey.safety.state import Moment
from covey.settings import Price
from covey.state import continuity as moves
from covey.state import ledger, node_record
from covey.system import diary_seal, substrate_shelf
from covey.system.sealing import Passphrase
from tests.laws.fuzz_targets import NOW, OTHER, WHO, Property

OWN: Final = _core.Identity(OTHER, "other", b"\x08" * 32)
_MOMENT: Final = Moment(1_000.0, NOW.wall_ms, "boot")


def task_row(data: bytes, _: Path) -> None:
    """A task of an earlier run: what is read can be shown, and is written as it was."""
    try:
        found = entry.entry_of(data, fx.Now(1_000, 1.0), 30.0)
    except task.TaskError as error:
        assert str(error)
        return
    found.whole()
    again = entry.entry_of(entry.row_of(found), fx.Now(1_000, 1.0), 30.0)
    assert again.whole() == found.whole()


def continuity_kept(data: bytes, _: Path) -> None:
    try:
        continuity_book._kept(data)
    except ValueError as error:
        assert str(error)


def agent_payload(data: bytes, _: Path) -> None:
    """What an agent that moves signed, whatever it signed."""
    said = {"body": data.decode("utf-8", "replace")}
    signature = WHO.sign_statement(moves.PAYLOAD, said["body"].encode())
    for whole in ({**said, "signature": signature.hex()}, _object(data)):
        try:
            found = moves.check_payload(whole, WHO.public_key, WHO.author, OTHER, {})
        except UsageError as error:
            assert error.message
            continue
        assert found is None or len(found.encode()) <= 4 * limits.CONTINUITY_CONFIG_BYTES


def signed_bodies(data: bytes, _: Path) -> None:
    """A body of the journal, and of a node's record, that its author signed, whatever it says."""
    body, b64 = data.decode("utf-8", "replace"), ledger._b64
    sums = {"key": b64(WHO.public_key), "body": body}
    sums["signature"] = b64(WHO.sign_statement(ledger.KIND, body.encode()))
    signed = {b64(OWN.public_key): b64(OWN.sign_statement(node_record.KIND, body.encode()))}
    chain = {"version": 1, "records": [{"body": body, "signatures": signed}]}
    for value in (json.dumps(sums).encode(), data):
        try:
            ledger.read("ledger/x", value, "room")
        except ledger.LedgerError as error:
            assert error.message
    try:
        node_record.read(json.dumps(chain).encode())
    except IdentityError as error:
        assert error.message


def restart_state(data: bytes, _: Path) -> None:
    """What a peer's safety keeps over a restart; what is taken over can be written again."""
    cycle, counts, loops = CycleGuard(OTHER, depth=2, max_hops=8, max_calls=4), Ledger(), LoopGuard(4)
    held, cost, budget = Quarantine(60.0), CostGuard(1.0, 2.0, 3.0), WakeBudget(1, 2, 3)
    restores: tuple[Callable[[], object], ...] = (
        lambda: (cycle.restore(data), cycle.export()),
        lambda: (counts.restore(data), counts.export()),
        lambda: (loops.restore(data, _MOMENT), loops.export(_MOMENT)),
        lambda: (held.restore(data, _MOMENT), held.export(_MOMENT)),
        lambda: (cost.restore(data, _MOMENT), cost.export(_MOMENT)),
        lambda: (budget.restore(data, _MOMENT), budget.export(_MOMENT)),
        lambda: waiting.unpack(data, lambda _: None, _MOMENT),
    )
    for restore in restores:
        try:
            restore()
        except StoreError as error:
            assert error.message


def bench_report(data: bytes, _: Path) -> None:
    try:
        found = report.read(data, "run.json")
    except UsageError as error:
        assert error.message
        return
    found.against(found)
    json.dumps(found.as_json())


def pack(data: bytes, _: Path) -> None:
    found = packs.read("reading", data)
    assert found is None or packs.read("reading", found.to_json()) == found


def coordination(data: bytes, _: Path) -> None:
    """What agents say to each other, and the records of what they decided."""
    value = _object(data)
    keys = {each.node_id: bytes(each.public_key) for each in (WHO, OWN)}
    readers: tuple[tuple[Callable[[Any], object], type[Exception]], ...] = (
        (Message.from_dict, MessageError),
        (AgentProfile.from_dict, ProfileError),
        (task.read_award, task.TaskError),
        (task.read_said, task.TaskError),
        (task.read_revoked, task.TaskError),
        (signed_word.read, signed_word.WordError),
        (lambda said: vote_record.check(vote_record.read_record(said), keys.get), VoteError),
        (lambda said: auction_record.check(auction_record.read_record(said), keys.get), AuctionError),
        (lambda said: solve_record.check(solve_record.read_record(said), keys.get), SolveError),
        (auction_record.read_lot, AuctionError),
        (vote_record.read_question, VoteError),
    )
    for read, refused in readers:
        try:
            read(value)
        except refused as error:
            assert str(error)


def diary_export(data: bytes, _: Path) -> None:
    """An export of a diary whose passphrase is another one: deriving a key from it takes seconds."""
    with mock.patch.object(diary_seal, "unseal", return_value=None):
        try:
            diary_seal.read_export(data, Passphrase(b"fuzz"))
        except (StoreError, IdentityError) as error:
            assert error.message


def small_books(data: bytes, folder: Path) -> None:
    """A door's keys and state, a leader's address, what was learned and is offered."""
    path = folder / "book.json"
    path.write_bytes(data)
    for book in (
        books.KEYS,
        books.STATE,
        leader_book._BOOK,
        substrate_shelf._JOURNAL,
        substrate_shelf._OFFERS,
    ):
        try:
            book.load(path, None)  # type: ignore[arg-type]  # five kinds of books, of which none is absent
        except StoreError as error:
            assert error.message


def old_files(data: bytes, folder: Path) -> None:
    """The files of the Node product, which `covey migrate` reads."""
    for place in ("keys/a.json", "state/a.json", "trusted-keys/g/a.json", "mesh/nodes/a/identity.json"):
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    source = Source(folder, folder / "mesh")
    for read in (source.totals, source.mesh_key, lambda _: list(source.trusted("g"))):
        try:
            read("a")
        except Unusable as error:
            assert str(error)


def tool_config(data: bytes, _: Path) -> None:
    """The configuration of another program, into which `covey mcp install` writes one entry."""
    text = data.decode("utf-8", "replace")
    for form in ("json", "toml"):
        try:
            after = edit.changed(text, form, "mcpServers", "covey", {"command": "covey"})
        except UsageError as error:
            assert error.message
            continue
        assert after.encode() and edit.entry_of(edit.read(after, form), "mcpServers", "covey")


def asked(data: bytes, _: Path) -> None:
    """What comes with a contribution, and what a model makes of several."""
    found = contributing.unpacked(data)
    assert found is None or len(found[1]) <= limits.ASK_SOURCES
    claims = [Claim(1, "the pump leaks", ("k" * 40,), WHO.author, OTHER)]
    reply = ModelReply(data.decode("utf-8", "replace"), (), Usage(), "stop", "fuzz")
    answer = synthesis.composed("what leaks?", claims, reply)
    synthesis.crystal("what leaks?", "q" * 40, answer)


def model_answer(data: bytes, _: Path) -> None:
    """What the API of a model answers, whole and as events; what is taken of it can be sent on."""
    quote = Quote("m", Price(2.0, 10.0), known=True, source="fuzz")
    anthropic = AnthropicModel("m", "key", quote)
    chat = CompatibleModel("compatible", "m", "http://127.0.0.1:1/v1", quote)
    ollama = OllamaModel("m", "http://127.0.0.1:1", quote, window_tokens=9_000)
    said = (wire.UnreadableError, wire.OversizeError, wire.BrokenOffError, wire.SaidError)
    for model, fold in ((anthropic, AnthropicFold), (chat, ChatFold), (ollama, OllamaFold)):
        for kind in ("application/json", "text/event-stream", "application/x-ndjson"):
            incoming = Incoming(fold())
            try:
                incoming.start(kind)
                incoming.feed(data)
                found = model._reply(incoming.finish())
            except said:
                continue
            assert found.text.encode() is not None and len(found.tool_calls) <= limits.MODEL_TOOL_CALLS
            for call in found.tool_calls:
                assert (call.id + call.name + call.raw_arguments).encode() is not None
                json.dumps(call.arguments, ensure_ascii=False).encode()
            assert 0 <= found.usage.input_tokens <= 4 * limits.JSON_INTEGER


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


TARGETS: Final[dict[str, Property]] = {
    "agent_payload": agent_payload,
    "asked": asked,
    "bench_report": bench_report,
    "continuity_kept": continuity_kept,
    "coordination": coordination,
    "diary_export": diary_export,
    "model_answer": model_answer,
    "old_files": old_files,
    "pack": pack,
    "restart_state": restart_state,
    "signed_bodies": signed_bodies,
    "small_books": small_books,
    "task_row": task_row,
    "tool_config": tool_config,
}

"""Tapes: answers in the vendors' documented shapes, written by hand, read without a key, a network or an SDK.

The same tapes also go through the real SDKs, from a server on loopback: both ways must read the same.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.errors import ModelError, ModelErrorKind
from covey.model import ModelReply
from covey.models.factory import PricedModel, build, check
from covey.models.folds import AnthropicFold, ChatFold, OllamaFold
from covey.models.incoming import Incoming
from covey.models.tape import Player, Recorder
from covey.models.wire import BrokenOffError, OversizeError, SaidError, UnreadableError
from covey.settings import parse
from tests.unit.models.adapters import ALL, KEY, Make, anthropic, failure, reply
from tests.unit.models.vendor_server import Raw, Vendor, vendor_server

TAPES = Path(__file__).parent / "tapes"
FOLDS = {"anthropic": AnthropicFold, "openai": ChatFold, "compatible": ChatFold, "ollama": OllamaFold}
EACH = pytest.mark.parametrize("make", ALL, ids=[make.__name__ for make in ALL])


def tape(make: Make, *names: str) -> list[dict[str, Any]]:
    folder = TAPES / make.__name__
    paths = [next(folder.glob(f"{name}*")) for name in names] if names else sorted(folder.glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


def body(call: dict[str, Any]) -> bytes:
    return "\n".join(call["answer"]["lines"]).encode()


def only(make: Make, name: str, folder: Path) -> PricedModel:
    """Return an adapter whose line plays one call."""
    (source,) = (TAPES / make.__name__).glob(f"{name}*")
    (folder / source.name).write_bytes(source.read_bytes())
    return make(Vendor(), line=Player("test", folder, make.__name__))


def seen(answer: ModelReply) -> tuple[Any, ...]:
    calls = [(call.name, call.arguments) for call in answer.tool_calls]
    return (answer.text, calls, answer.usage, answer.stop_reason, answer.model)


@EACH
def test_every_tape_reads_as_the_vendor_means_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    whole = reply(only(make, "1", tmp_path / "1"))
    assert (whole.text, whole.usage.output_tokens) == ("It is not my turn: the draft is missing.", 14)
    assert whole.usage.input_tokens == 2012
    (tmp_path / "2").mkdir()
    text = reply(only(make, "2", tmp_path / "2"))
    assert (text.text, text.usage.input_tokens) == ("It is not my turn: naïve ✓", 1948)
    cached = 1536 if make.__name__ in ("anthropic", "openai") else 0
    assert (text.usage.cached_tokens, text.usage.output_tokens) == (cached, 14)
    (tmp_path / "3").mkdir()
    used = reply(only(make, "3", tmp_path / "3"))
    (call,) = used.tool_calls
    assert (call.name, call.arguments) == ("emit_cmb", {"focus": "the draft has no bound"})
    assert used.usage.output_tokens == 89
    (tmp_path / "4").mkdir()
    error = failure(only(make, "4", tmp_path / "4"))
    assert (error.kind, error.transient) == (ModelErrorKind.OVERLOADED, True)


@EACH
def test_the_real_sdk_reads_a_tape_as_its_player_does(make: Make, tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        folder = tmp_path / name
        folder.mkdir()
        (call,) = tape(make, name)
        with vendor_server() as vendor:
            raw = body(call)
            pieces = tuple(raw[at : at + 37] for at in range(0, len(raw), 37))
            vendor.will(Raw(pieces, kind=call["answer"]["type"]))
            assert seen(reply(make(vendor))) == seen(reply(only(make, name, folder)))


@EACH
def test_a_call_is_recorded_and_plays_the_same(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    (call,) = tape(make, "3")
    with vendor_server() as vendor:
        vendor.will(Raw((body(call),), kind=call["answer"]["type"]))
        vendor.will({"error": {"message": f"not with {KEY}"}}, 429, retry_after="7")
        first = reply(make(vendor, line=Recorder(make(vendor).line, folder, make.__name__, KEY)))
        refused = failure_of(make(vendor, line=Recorder(make(vendor).line, folder, make.__name__, KEY)))
    kept = sorted(folder.iterdir())
    assert [path.name for path in kept] == [f"0000{n}-{make.__name__}.json" for n in (1, 2)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert KEY not in "".join(path.read_text() for path in kept)
    assert json.loads(kept[0].read_text())["answer"]["lines"] == call["answer"]["lines"]
    player = make(Vendor(), line=Player("test", folder, make.__name__))
    assert seen(reply(player)) == seen(first)
    again = failure_of(player)
    assert (again.kind, again.transient, again.retry_after_s, again.status) == (
        refused.kind,
        refused.transient,
        7.0,
        429,
    )


def failure_of(model: PricedModel) -> ModelError:
    with pytest.raises(ModelError) as caught:
        reply(model)
    return caught.value


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no recorded calls"),
        ("{", "not JSON"),
        ('{"adapter": "openai"}', "recorded with openai"),
    ],
)
def test_a_tape_that_cannot_be_played_says_why(content: str | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "1.json").write_text(content)
    error = failure_of(anthropic(Vendor(), line=Player("test", tmp_path, "anthropic")))
    assert (error.kind, error.transient) == (ModelErrorKind.UNAVAILABLE, False)
    assert says in error.message and "\n" not in error.message


def test_a_tape_ends(tmp_path: Path) -> None:
    model = only(anthropic, "2", tmp_path)
    reply(model)
    assert "its last call is played" in failure_of(model).message


def test_agent_toml_plays_a_tape_without_a_key_and_without_an_sdk(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    source = next((TAPES / "anthropic").glob("2*"))
    (tmp_path / "calls" / "1.json").write_bytes(source.read_bytes())
    text = '[identity]\nname="a"\nrole="writer"\n[model]\nadapter="anthropic"\nreplay="calls"\n'
    settings = parse(text, base=tmp_path)
    assert check(settings.model, {}) == "anthropic claude-haiku-5-5 (replays 1 recorded calls)"
    assert reply(build(settings, {})).text == "It is not my turn: naïve ✓"


CALLS = [(make.__name__, call) for make in ALL for call in tape(make)]


@given(st.sampled_from(CALLS), st.data())
def test_however_a_stream_is_cut_it_reads_the_same_or_is_broken_off(
    named: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    name, call = named
    raw = body(call)
    end = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
    cuts = sorted(data.draw(st.lists(st.integers(0, end), max_size=8)))

    def read(*at: int) -> Any:
        incoming = Incoming(FOLDS[name]())
        incoming.start(call["answer"]["type"])
        try:
            for begin, stop in zip((0, *at), (*at, end), strict=True):
                incoming.feed(raw[begin:stop])
            return incoming.finish()
        except SaidError as error:
            return error.kind
        except (BrokenOffError, UnreadableError):
            return "broken"

    assert read(*cuts) == read()


@given(
    st.sampled_from(list(FOLDS)),
    st.sampled_from(["text/event-stream", "application/x-ndjson", ""]),
    st.binary(),
)
def test_garbage_is_a_value_or_a_named_refusal(name: str, kind: str, raw: bytes) -> None:
    incoming = Incoming(FOLDS[name]())
    incoming.start(kind)
    try:
        incoming.feed(raw)
        assert isinstance(incoming.finish(), dict)
    except (BrokenOffError, UnreadableError, SaidError, OversizeError):
        pass

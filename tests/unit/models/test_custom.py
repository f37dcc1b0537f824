"""Adapters of other distributions: found, chosen, refused, and held to covey's own price and time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey import settings
from covey.errors import ConfigError, ModelError, ModelErrorKind
from covey.model import ModelReply, ModelRequest
from covey.models import build, check, custom, factory, others
from covey.settings import Settings

MODULE = """
import asyncio
from covey.model import ModelReply, Usage

class Parrot:
    def __init__(self, options):
        self.options = options
    async def warm(self):
        if self.options.model_name == "cold":
            raise OSError("no such weights")
    async def close(self): ...
    async def call(self, request):
        name = self.options.model_name
        if name == "slow":
            await asyncio.Event().wait()
        if name == "faulty":
            raise KeyError("choices")
        if name == "odd":
            return {"text": "hi"}
        counts = {"silent": (0, 0), "negative": (-5, 1)}.get(name, (100, 10))
        return ModelReply(request.user, (), Usage(*counts, cost_usd=0.0), "stop", name)

def make(options):
    if options.model_name == "unmade":
        raise RuntimeError("needs a GPU")
    return object() if options.model_name == "nothing" else Parrot(options)

number = 7
"""


def distribution(folder: Path, name: str, *points: str) -> None:
    """Write what an installer leaves of a distribution."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("\n".join(["[covey.models]", *points, ""]))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "parrot_models.py").write_text(MODULE)
    (tmp_path / "broken_models.py").write_text("import no_such_module_anywhere\n")
    distribution(
        tmp_path,
        "parrots",
        "parrot = parrot_models:make",
        "broken = broken_models:make",
        "absent = parrot_models:nothing_here",
        "number = parrot_models:number",
        "openai = parrot_models:make",
        "Not A Name = parrot_models:make",
        "twice = parrot_models:make",
    )
    distribution(tmp_path, "copycats", "twice = parrot_models:make")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("parrot_models", "broken_models"):
        sys.modules.pop(name, None)


def configured(adapter: str, model: str = "m", more: str = "") -> Settings:
    text = (
        f'[identity]\nname = "w"\nrole = "writer"\n[model]\nadapter = "{adapter}"\nmodel_name = "{model}"\n'
    )
    return settings.parse(text + more, others=others)


def refused(adapter: str, model: str = "m") -> ModelError:
    with pytest.raises(ModelError) as error:
        build(configured(adapter, model), {})
    assert error.value.kind is ModelErrorKind.UNAVAILABLE
    assert error.value.hint
    return error.value


def call(model: str, more: str = "") -> ModelReply:
    made = build(configured("parrot", model, more), {})
    return asyncio.run(made.call(ModelRequest("s", "hello", timeout_seconds=0.05)))


def test_an_offered_adapter_is_named_checked_and_built(installed: Path) -> None:
    made = configured("parrot", more='base_url = "http://127.0.0.1:1"\napi_key_env = "MINE"\n')
    assert check(made.model, {"MINE": "k"}) == "parrot m (parrot_models:make of parrots 1.2)"
    model = build(made, {"MINE": "secret-key"})
    assert (model.label, model.quote.known) == ("parrot/m", False)
    options = model._model.options  # type: ignore[attr-defined]  # what the factory was given
    assert (options.base_url, options.api_key, options.timeout_seconds) == (
        "http://127.0.0.1:1",
        "secret-key",
        60,
    )
    assert "secret-key" not in repr(options)
    with pytest.raises(ModelError, match="MINE is not set"):
        check(made.model, {})


def test_covey_prices_and_reserves_its_calls_whatever_it_says(installed: Path) -> None:
    request = ModelRequest("s", "u", max_tokens=100)
    unknown = build(configured("parrot"), {})
    assert unknown.reserve_usd(request) == pytest.approx((601 * 15 + 100 * 60) / 1e6)
    assert call("m").usage.cost_usd is None, "it says 0, and nobody knows its price"
    price = '[model.prices]\n"{0}" = {{ input = 1000.0, output = 10000.0 }}\n'
    assert call("m", price.format("m")).usage.cost_usd == pytest.approx(0.2)
    assert call("silent", price.format("silent")).usage.cost_usd is None, "what counts nothing is not free"


@pytest.mark.parametrize(
    ("model", "kind", "says"),
    [
        ("slow", ModelErrorKind.TIMEOUT, "no answer in 0.05 s"),
        ("faulty", ModelErrorKind.PROTOCOL, "failed: KeyError: 'choices'"),
        ("odd", ModelErrorKind.PROTOCOL, "gave dict in place of a ModelReply"),
        ("negative", ModelErrorKind.PROTOCOL, "counted tokens that are no whole numbers"),
    ],
)
def test_a_fault_of_its_is_a_model_error_that_may_have_cost(
    installed: Path, model: str, kind: ModelErrorKind, says: str
) -> None:
    with pytest.raises(ModelError) as error:
        call(model)
    assert (error.value.kind, error.value.may_have_cost) == (kind, True)
    assert error.value.message.startswith(f"parrot/{model}: ") and says in error.value.message


@pytest.mark.parametrize(
    ("adapter", "model", "says"),
    [
        ("broken", "m", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("absent", "m", "cannot be loaded: AttributeError"),
        ("number", "m", "no function that makes a model"),
        ("twice", "m", "offered by "),
        ("parrot", "unmade", "made no model: RuntimeError: needs a GPU"),
        ("parrot", "nothing", "has no warm, call, close"),
    ],
)
def test_what_cannot_be_used_says_whose_it_is_and_why(
    installed: Path, adapter: str, model: str, says: str
) -> None:
    error = refused(adapter, model)
    assert says in error.message
    assert "parrots 1.2" in error.message
    assert "\n" not in error.message


def test_one_that_is_not_ready_says_so_early(installed: Path) -> None:
    with pytest.raises(ModelError, match="parrot/cold: not ready: OSError: no such weights"):
        asyncio.run(build(configured("parrot", "cold"), {}).warm())


def test_coveys_own_names_are_not_taken(installed: Path) -> None:
    complaints = {offer.name: offer.complaint for offer in custom.offers()}
    assert complaints["parrot"] is None
    assert "covey has an adapter of this name" in (complaints["openai"] or "")
    assert "a name of up to 63" in (complaints["Not A Name"] or "")
    assert "parrots 1.2 and by" in (complaints["twice"] or "") or "copycats 1.2" in (
        complaints["twice"] or ""
    )
    assert "openai" not in custom.names() and "parrot" in custom.names()
    assert build(configured("openai"), {"OPENAI_API_KEY": "k"}).label == "openai/m"
    assert "parrot_models" not in sys.modules, "looking imports nothing"


def test_an_unknown_name_gets_the_nearest_and_needs_the_shell_to_look(installed: Path) -> None:
    with pytest.raises(ConfigError) as error:
        configured("parot")
    (problem,) = error.value.problems
    assert (problem.key, problem.line, problem.hint) == ("model.adapter", 5, "did you mean 'parrot'?")
    assert "parrot" in problem.expected and "anthropic" in problem.expected
    with pytest.raises(ConfigError):
        settings.parse(
            '[identity]\nname = "w"\nrole = "writer"\n[model]\nadapter = "parrot"\nmodel_name = "m"\n'
        )
    with pytest.raises(ConfigError) as taped:
        configured("parrot", more='record = "calls"\n')
    assert [each.key for each in taped.value.problems] == ["model.record"]


def test_for_an_adapter_of_coveys_own_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(**_: object) -> None:
        raise AssertionError("entry points were read")

    monkeypatch.setattr(custom.metadata, "entry_points", looked)
    assert factory.build(configured("openai"), {"OPENAI_API_KEY": "k"}).label == "openai/m"
    with pytest.raises(ModelError, match="cannot be read: AssertionError"):
        custom.offers()

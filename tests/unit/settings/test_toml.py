"""What is written as TOML reads back as it was, whatever is in it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import settings
from covey.settings import toml
from covey.settings.scaffold import SCHEMA_LINE, Choice, scaffold, weights_of

ANY = st.text(st.characters(blacklist_categories=("Cs",)))
VALUES = st.recursive(
    ANY | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=8,
)


@given(ANY)
def test_a_string_reads_back_and_stays_on_its_line(text: str) -> None:
    written = toml.quoted(text)
    assert tomllib.loads(f"a = {written}") == {"a": text}
    assert len(written.splitlines()) == 1
    assert all(char == " " or char.isprintable() for char in written)


@given(st.dictionaries(ANY, VALUES, max_size=4))
def test_a_document_reads_back(tables: dict[str, object]) -> None:
    assert tomllib.loads(toml.document(tables)) == tables


def test_what_toml_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        toml.quoted("\udc80")
    with pytest.raises(TypeError, match="NoneType"):
        toml.value(None)


@given(role=st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=200))
def test_defect_init_pastes_names_into_toml(role: str) -> None:
    """The Node product put names between quotes as they were; a quote in one made further keys."""
    read = settings.parse(scaffold(Choice("x", role, "default", "ollama", model=role)))
    assert (read.identity.role, read.model.name, read.safety.approval_gates) == (role, role, "default")


@pytest.mark.parametrize("role", [*settings.PRESETS, "Auditor", "gardener"])
@pytest.mark.parametrize("adapter", sorted(settings.ADAPTERS))
def test_every_preset_with_every_adapter_is_a_valid_configuration(role: str, adapter: str) -> None:
    model, url = ("m", "http://127.0.0.1:8000/v1") if adapter == "compatible" else ("", "")
    text = scaffold(Choice("a", role, "lab", adapter, model, url, cost_cap=0.5, lan=True))
    assert text.splitlines()[0] == SCHEMA_LINE == "#:schema ./agent.schema.json"
    read = settings.parse(text)
    assert read.role_weights.as_dict() == weights_of(role)
    assert settings.too_light(role, read.role_weights.as_dict()) in (None, ())
    assert (read.mesh.room, read.mesh.lan, read.model.adapter) == ("lab", True, adapter)
    budget = read.budget
    caps = (budget.max_cost_usd_per_hour, budget.max_cost_usd_per_run, budget.max_cost_usd_per_day)
    assert caps == (0.25, 0.5, 1.0)
    assert read.prompt.system


def test_a_tiny_cap_does_not_become_none() -> None:
    """The Node product wrote caps with two decimals: half a cent became nothing."""
    budget = settings.parse(scaffold(Choice("a", "writer", "lab", "openai", cost_cap=0.005))).budget
    assert (budget.max_cost_usd_per_hour, budget.max_cost_usd_per_run) == (0.0025, 0.005)

"""The fifteen scenarios say what their table says; the numbers are those of the Node product."""

from __future__ import annotations

import pytest

from covey import settings
from covey.models.prices import quote
from tests.tidy import tree

FOLDER = tree.ROOT / "examples/scenarios"
TRIO = (5, 50, 200, 0.5, 2.0, 2.0, 3, 5, 10, 8_000, 1_024)
LOCAL = (5, 50, 500, 999.0, 999.0, 999.0, 3, 5, 10, 4_000)
MIXED = (5, 30, 100, 0.5, 2.0, 1.0, 3, 5, 10, 8_000, 1_024)
# name: peer, role, adapter, (wakes m/h/d, USD h/d/run, lineage/own/room/tokens, tokens of a call)
TABLE = {
    "writer": ("writer-01", "writer", "anthropic", TRIO),
    "reviewer": ("reviewer-01", "reviewer", "anthropic", TRIO),
    "test-writer": ("test-writer-01", "test-writer", "anthropic", TRIO),
    "writer-openai": ("writer-02-openai", "writer", "openai", TRIO),
    "reviewer-openai": ("reviewer-02-openai", "reviewer", "openai", TRIO),
    "test-writer-openai": ("test-writer-02-openai", "test-writer", "openai", TRIO),
    "reviewer-ollama": ("reviewer-03-local", "reviewer", "ollama", (*LOCAL, 512)),
    "reviewer-mistral": (
        "reviewer-04-mistral",
        "reviewer",
        "mistral",
        (5, 50, 200, 0.5, 2.0, 1.0, 3, 5, 10, 8_000, 1_024),
    ),
    "auditor": ("auditor-01", "auditor", "anthropic", (4, 30, 200, 0.3, 1.5, 0.5, 6, 4, 12, 10_000, 1_024)),
    "security-reviewer": (
        "security-reviewer-01",
        "auditor",
        "anthropic",
        (5, 30, 200, 1.0, 5.0, 3.0, 5, 5, 15, 12_000, 1_024),
    ),
    "doc-writer": ("doc-writer-01", "writer", "openai", (3, 20, 100, 0.5, 2.0, 2.0, 4, 5, 10, 12_000, 2_048)),
    "spec-drafter": (
        "spec-drafter-01",
        "spec",
        "anthropic",
        (3, 20, 100, 1.0, 5.0, 3.0, 5, 5, 12, 12_000, 2_048),
    ),
    "mixed-vendor-writer": ("mvendor-writer", "writer", "anthropic", MIXED),
    "mixed-vendor-reviewer": ("mvendor-reviewer", "reviewer", "openai", MIXED),
    "mixed-vendor-test-writer": ("mvendor-test-writer", "test-writer", "ollama", (*LOCAL, 1_024)),
}
WEIGHTS = {
    "auditor": (1, 2, 0.8, 1, 2, 2.5, 0.5),
    "security-reviewer": (1, 2.5, 0.8, 0.8, 1.5, 2.5, 0.6),
    "doc-writer": (2.5, 1, 2, 1.5, 2, 1, 0.5),
    "spec-drafter": (2.5, 1.5, 2.5, 2, 1.5, 0.8, 0.5),
}
"""Those that differ from their role's."""


def read(name: str) -> settings.Settings:
    return settings.load(FOLDER / f"{name}.toml")


def test_there_are_these_fifteen_and_the_page_names_each() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == sorted(TABLE)
    page = (FOLDER / "README.md").read_text()
    assert all(f"({name}.toml)" in page for name in TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_scenario_has_the_numbers_of_its_table(name: str) -> None:
    made = read(name)
    budget, context = made.budget, made.context
    numbers = (
        budget.max_wakes_per_minute,
        budget.max_wakes_per_hour,
        budget.max_wakes_per_day,
        budget.max_cost_usd_per_hour,
        budget.max_cost_usd_per_day,
        budget.max_cost_usd_per_run,
        context.k_lineage,
        context.n_own,
        context.n_room,
        context.max_context_tokens,
        made.model.max_tokens_per_call,
    )
    assert (made.identity.name, made.identity.role, made.model.adapter, numbers) == TABLE[name]
    preset = settings.preset(made.identity.role)
    assert preset is not None
    assert made.role_weights.as_tuple() == WEIGHTS.get(name, tuple(preset.values()))
    assert made.mesh.room == ("covey-mixed-vendor-demo" if name.startswith("mixed") else "covey-demo")
    assert len(made.prompt.system) > 100 and made.safety.approval_gates == "default"


@pytest.mark.parametrize("name", TABLE)
def test_no_scenario_needs_a_price_that_nobody_knows(name: str) -> None:
    made = read(name)
    if made.model.adapter != "ollama":
        assert quote(made.model.name, made.model.prices).known

"""The JSON Schema says what the reader enforces, because both are made from one table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from covey import settings
from covey.errors import ConfigError
from covey.model import CAT7
from covey.settings.schema import schema as schema_of

BASE: dict[str, Any] = {
    "identity": {"name": "w", "role": "writer"},
    "role_weights": dict.fromkeys(CAT7, 1.0),
    "model": {"adapter": "openai"},
}


def leaves(
    schema: dict[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for name, entry in schema["properties"].items():
        if "properties" in entry:
            yield from leaves(entry, (*at, name))
        else:
            yield (*at, name), entry


def with_value(at: tuple[str, ...], value: Any) -> dict[str, Any]:
    section, name = at
    beside = {"team": "alpha"} if name.startswith("max_team_") else {}
    return {**BASE, section: {**BASE.get(section, {}), **beside, name: value}}


def complaints(data: dict[str, Any]) -> list[str]:
    try:
        settings.from_mapping(data)
    except ConfigError as error:
        return [problem.key for problem in error.problems]
    return []


LEAVES = list(leaves(schema_of()))


def test_it_is_plain_json_closed_at_every_level_and_described() -> None:
    schema = schema_of()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    def walk(entry: dict[str, Any]) -> None:
        assert entry["additionalProperties"] is False
        for child in entry["properties"].values():
            assert child["description"]
            if "properties" in child:
                walk(child)

    walk(schema)
    assert schema["required"] == ["identity", "model"]
    assert schema["else"]["properties"]["role_weights"]["required"] == list(CAT7)


def test_every_documented_key_is_there() -> None:
    keys = {".".join(at) for at, _ in LEAVES}
    documented = """
        identity.name identity.role mesh.room mesh.group mesh.lan mesh.listen mesh.peers
        mesh.profile mesh.stock_peers
        model.adapter model.api_key model.base_url model.model_name model.max_tokens_per_call
        context.k_lineage context.n_own context.n_room context.n_group context.curated_tokens
        context.max_context_tokens budget.max_wakes_per_minute budget.max_wakes_per_hour
        budget.max_wakes_per_day budget.max_cost_usd_per_hour budget.max_cost_usd_per_day
        budget.max_cost_usd_per_run safety.cycle_depth safety.approval_gates
        routing.response_routing attach.mode logging.level logging.file_path
        logging.max_file_size logging.keep prompt.system prompt.text prompt.file trust.trusted
        trust.invited trust.mode trust.strangers_may_wake scripted.rules
    """
    assert set(documented.split()) <= keys
    assert {"mesh.relay", "mesh.relay_token", "mesh.relay_plain"} <= keys


@pytest.mark.parametrize(("at", "entry"), LEAVES, ids=[".".join(at) for at, _ in LEAVES])
def test_a_default_is_a_value_the_reader_takes(at: tuple[str, ...], entry: dict[str, Any]) -> None:
    if "default" in entry:
        assert complaints(with_value(at, entry["default"])) == []


@pytest.mark.parametrize(("at", "entry"), LEAVES, ids=[".".join(at) for at, _ in LEAVES])
def test_the_bounds_of_the_schema_are_the_readers(at: tuple[str, ...], entry: dict[str, Any]) -> None:
    wrong: list[Any] = [object] if entry.get("type") != "boolean" else [1]
    if "minimum" in entry:
        assert complaints(with_value(at, entry["minimum"])) == []
        assert complaints(with_value(at, entry["maximum"])) == []
        wrong += [entry["minimum"] - 1, entry["maximum"] + 1, True, "1"]
    if "enum" in entry:
        wrong += ["no such word", 1]
    if entry.get("type") == "string":
        wrong += ["x" * (entry["maxLength"] + 1), 7]
    if "maxItems" in entry:
        wrong += [["x"] * (entry["maxItems"] + 1), "x"]
    for value in wrong:
        assert complaints(with_value(at, value)) == [".".join(at)], value

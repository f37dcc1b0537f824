"""The tools, as a client lists them: names, what they are for, and the schema of their arguments.

The first eleven have the names and arguments of the Node product's server; what is beyond it is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from covey import limits
from covey.model import CAT7
from covey.runtime.mcp import bounds
from covey.runtime.mcp.headers import SIGNALS

_SAID: Final = {
    "focus": "what this is about, in one or two sentences",
    "issue": "a problem, risk or open question",
    "intent": "what you propose or what should happen next",
    "motivation": "why it matters",
    "commitment": "what is confirmed, finished or promised",
    "perspective": "whose viewpoint, in which situation",
}


class Spec(NamedTuple):
    """One tool. `reads` says that it changes nothing, `waits` that a client should give it time."""

    name: str
    description: str
    schema: Mapping[str, Any]
    reads: bool = True
    waits: bool = False


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


_MOOD: Final = {
    "description": "the tone, in a few words",
    "oneOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "valence": {"type": "number", "minimum": -1, "maximum": 1},
                "arousal": {"type": "number", "minimum": -1, "maximum": 1},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
    ],
}
_PARENTS: Final = {
    "type": "array",
    "items": {"type": "string"},
    "maxItems": 16,
    "description": "content keys (cmb-…) of the blocks this one answers",
}
_BLOCK: Final = {**{name: _text(text) for name, text in _SAID.items()}, "mood": _MOOD, "parents": _PARENTS}
_KEY: Final = _text("content key (cmb-…), or the id of a header (m001)")
_WAIT: Final = {
    "type": "number",
    "minimum": 0,
    "maximum": bounds.WAIT_SECONDS,
    "description": f"longest wait in seconds (default {bounds.WAIT_USUAL:g})",
}
_COUNT: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": bounds.ANSWERS,
    "description": "be back as soon as this many answers are there",
}
_TO: Final = _text("name, node id, or the first 8 digits of the node id; without it, everybody in the room")
_ROOM: Final = _text("the room's name, in kebab-case")
_RELAY: Final = {
    "relay_url": _text("a relay's address (wss://…)"),
    "relay_token": _text("the relay's token; needs relay_url"),
}

SPECS: Final = (
    Spec(
        "sym_send",
        "Say something to one peer or to the whole room, as a block of up to seven categories. "
        "Fill those that carry information.",
        _object(
            {**_BLOCK, "to": _TO, "label": _text("a header keyword before the focus", enum=list(SIGNALS))},
            "focus",
        ),
        reads=False,
    ),
    Spec(
        "sym_observe",
        "Share what you see or did: one block for whoever it concerns. Observations, not orders.",
        _object(_BLOCK, "focus"),
        reads=False,
    ),
    Spec(
        "sym_recall",
        "Search what this peer remembers. Hits are short; sym_fetch gives one in full.",
        _object({"query": _text("words to look for; empty for the newest")}, "query"),
    ),
    Spec("sym_peers", "List who is connected.", _object({})),
    Spec(
        "sym_status",
        "Say how this peer is doing: name, room, relay, peers, memory; or another peer of this machine.",
        _object({"peer": _text("a running peer of this machine, an agent for instance")}),
    ),
    Spec(
        "sym_fetch",
        "Read one block in full, by the id of its header (m001) or its content key.",
        _object({"msg_id": _KEY}, "msg_id"),
    ),
    Spec("sym_group_info", "Say which room this peer sits in, under which name, with whom.", _object({})),
    Spec(
        "sym_invite_create",
        "Make a sym:// address of a room for somebody to join.",
        _object({"group": _ROOM, **_RELAY}, "group"),
    ),
    Spec(
        "sym_invite_info",
        "Read an invite address without joining.",
        _object({"url": _text("sym://…, melotune://… or a covey invite")}, "url"),
    ),
    Spec(
        "sym_join_group",
        "Leave this room and sit in another one, for as long as this server runs.",
        _object({"group": _ROOM, **_RELAY}, "group"),
        reads=False,
    ),
    Spec("sym_groups_discover", "Find rooms that peers of this machine sit in.", _object({})),
    Spec(
        "sym_trace",
        "Show where a block comes from: it, what it answers, and so on, each quoted.",
        _object(
            {
                "key": _KEY,
                "depth": {"type": "integer", "minimum": 1, "maximum": limits.IPC_TRACE_DEPTH},
            },
            "key",
        ),
    ),
    Spec(
        "sym_why",
        "Say why this peer's memory took a block or turned it down: the decision, category by category.",
        _object({"key": _text("content key or header id; without it, the last decisions")}),
    ),
    Spec(
        "sym_ask",
        "Ask the mesh a question and wait: every peer decides by itself whether it has something to say. "
        "Cite the keys of the answers you use.",
        _object(
            {
                "question": _text("one question, complete in itself"),
                "context": _text("what one must know to answer it"),
                "to": _TO,
                "wait_seconds": _WAIT,
                "answers": _COUNT,
            },
            "question",
        ),
        reads=False,
        waits=True,
    ),
    Spec(
        "sym_ask_mesh",
        "Ask what the peers' memories hold: each looks into its own store and contributes or says why not, "
        "within seconds and without waking an agent. You get one answer, every sentence with what it cites.",
        _object(
            {
                "question": _text("one question, complete in itself"),
                "within_seconds": {
                    "type": "number",
                    "description": "longest wait for contributions",
                    "minimum": 0.1,
                    "maximum": limits.ASK_SECONDS_MOST,
                },
            },
            "question",
        ),
        reads=False,
        waits=True,
    ),
    Spec(
        "sym_wait_for_reply",
        "Wait for blocks that answer a block, by lineage; those that are there already count.",
        _object({"key": _KEY, "wait_seconds": _WAIT, "answers": _COUNT}, "key"),
        waits=True,
    ),
)
"""Every tool, in the order it is listed."""

assert set(_SAID) | {"mood"} == set(CAT7), "a category is missing"


def spec_of(name: str) -> Spec | None:
    """Return the tool of this name."""
    return next((spec for spec in SPECS if spec.name == name), None)


def complaint(spec: Spec, arguments: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a call's arguments, in one line, or None.

    Clients check schemas or do not; here they are checked always.
    """
    properties: Mapping[str, Any] = spec.schema["properties"]
    for name in spec.schema["required"]:
        if name not in arguments:
            return f"missing argument: {name}"
    for name, value in arguments.items():
        if name not in properties:
            return f"unknown argument: {name[:64]} (known: {', '.join(properties)})"
        wrong = _wrong(properties[name], value)
        if wrong:
            return f"{name}: expected {wrong}"
    return None


def _wrong(schema: Mapping[str, Any], value: object) -> str | None:
    if "oneOf" in schema:
        wrongs = [_wrong(each, value) for each in schema["oneOf"]]
        return None if None in wrongs else " or ".join(str(each) for each in wrongs)
    kind = schema["type"]
    if kind == "string":
        if not isinstance(value, str):
            return "text"
        return f"one of {', '.join(schema['enum'])}" if value not in schema.get("enum", (value,)) else None
    if kind in ("number", "integer"):
        kinds = int if kind == "integer" else (int, float)
        least, most = schema["minimum"], schema["maximum"]
        fine = isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most
        return None if fine else f"a{'n' * (kind == 'integer')} {kind} from {least:g} to {most:g}"
    if kind == "array":
        most = schema["maxItems"]
        fine = isinstance(value, list) and len(value) <= most and all(isinstance(each, str) for each in value)
        return None if fine else f"a list of at most {most} texts"
    inner: Mapping[str, Any] = schema["properties"]
    if not isinstance(value, dict) or not set(schema["required"]) <= value.keys() <= inner.keys():
        return f"an object of {', '.join(inner)}"
    return next((wrong for key, each in value.items() if (wrong := _wrong(inner[key], each))), None)

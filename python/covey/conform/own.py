"""This build as the implementation under test: each operation of the adapter protocol, by its own parts.

Rules: each operation checks its own arguments, since over a pipe anybody may ask; what the core refuses is an
answer, and what the core does not have is `unsupported`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from covey import __version__, _core, core
from covey.conform import attesting, legacy_wire, published
from covey.conform.reference import b64, unpadded
from covey.conform.sessions import Sessions
from covey.conform.subject import UNSUPPORTED, Answer
from covey.proto.relay import frames

Arguments = Mapping[str, Any]


class Own:
    """The installed build."""

    def __init__(self) -> None:
        self._sessions = Sessions()

    def ask(self, op: str, **arguments: Any) -> Answer:
        """Do one operation; whatever is asked, an answer comes back."""
        known: Callable[[Arguments], Mapping[str, Any]] | None = _PURE.get(op) or self._sessions.op(op)
        if known is None:
            return UNSUPPORTED
        try:
            return Answer(result=known(arguments))
        except core.CoreError as refused:
            return Answer(reason=refused.reason)
        except (published.PublishedFrameError, frames.BadRelayFrameError, legacy_wire.NotTakenError):
            return Answer(reason="schema")
        except (KeyError, TypeError, ValueError, OverflowError):
            return Answer(reason="bad_request")


def _hello(arguments: Arguments) -> Mapping[str, Any]:
    return {"name": "covey", "version": __version__}


def _category_key(arguments: Arguments) -> Mapping[str, Any]:
    return {"key": core.category_key(arguments["name"], arguments["text"])}


def _content_key(arguments: Arguments) -> Mapping[str, Any]:
    return {"key": core.content_key(arguments["texts"])}


def _parse_record(arguments: Arguments) -> Mapping[str, Any]:
    return {"json": core.Unverified.parse(_json(arguments)).to_json().decode()}


def _verify_record(arguments: Arguments) -> Mapping[str, Any]:
    claim = core.Unverified.parse(_json(arguments))
    record = core.verify(claim, unpadded(arguments["public_key"]))
    return {"key": record.key, "assertion_id": record.assertion_id, "json": record.to_json().decode()}


def _sign_record(arguments: Arguments) -> Mapping[str, Any]:
    given = arguments.get("application")
    application = (
        None
        if given is None
        else core.Application(given["media_type"], given["schema"], unpadded(given["data"]))
    )
    draft = core.Draft(
        arguments["texts"],
        node_id=arguments["node_id"],
        author=arguments["author"],
        created_ms=arguments["created_ms"],
        room=arguments["room"],
        to=arguments.get("to"),
        parents=arguments.get("parents", ()),
        category_parents=arguments.get("category_parents"),
        application=application,
    )
    record = core.sign(draft, core.SigningKey(unpadded(arguments["seed"])))
    return {"json": record.to_json().decode()}


def _verify_signature(arguments: Arguments) -> Mapping[str, Any]:
    message, signature, key = (unpadded(arguments[name]) for name in ("message", "signature", "public_key"))
    core.verify_signature(message, signature, key)
    return {}


def _public_key(arguments: Arguments) -> Mapping[str, Any]:
    return {"public_key": b64(core.SigningKey(unpadded(arguments["seed"])).public_key)}


def _evaluate(arguments: Arguments) -> Mapping[str, Any]:
    found = core.evaluate_vectors(
        arguments["incoming"],
        arguments["anchors"],
        arguments["profile"],
        age_seconds=arguments["age_seconds"],
    )
    return {
        "decision": found.decision,
        "accepted": found.accepted,
        "total_drift": found.total_drift,
        "max_nearest_drift": found.max_nearest_drift,
    }


def _measure_tether(arguments: Arguments) -> Mapping[str, Any]:
    found = core.Tether.of_vectors(
        arguments["remix"], arguments["root"], kernel="given", weights=arguments.get("weights", {})
    )
    return {"checked": found.checked, "tethered": found.tethered, "drift": found.drift}


def _verify_tether(arguments: Arguments) -> Mapping[str, Any]:
    read = core.TetherAttestation.parse(_json(arguments))
    read.verify(unpadded(arguments["public_key"]))
    return {"payload": b64(read.payload())}


def _compare_tethers(arguments: Arguments) -> Mapping[str, Any]:
    key = "cmb-" + "0" * 64
    who = core.Identity("00000000-0000-7000-8000-000000000001", "kit", b"\x01" * 32)
    one = {"focus": [1.0]}
    first, second = (
        core.Tether.of_vectors(one, one, kernel=kernel).attest(who, of=key, root=key, at_ms=0)
        for kernel in arguments["kernels"]
    )
    return {"comparable": first.is_comparable(second)}


def _read_published(arguments: Arguments) -> Mapping[str, Any]:
    return {"type": published.read(_json(arguments).decode())}


def _read_relay_frame(arguments: Arguments) -> Mapping[str, Any]:
    message = _json(arguments)
    kind = json.loads(message)["type"]
    if kind == "relay-auth":
        frames.read_auth(message)
    elif not isinstance(kind, str) or frames.read_from_relay(kind, message) is None:
        raise frames.BadRelayFrameError("type")
    return {"type": kind}


def _legacy_key(arguments: Arguments) -> Mapping[str, Any]:
    key = _core.legacy_key(
        arguments["texts"], parents=arguments.get("parents", []), receiver=arguments.get("receiver")
    )
    return {"key": key}


def _json(arguments: Arguments) -> bytes:
    text = arguments["json"]
    if not isinstance(text, str):
        raise TypeError("json: a text")
    return text.encode()


_PURE: Final[Mapping[str, Callable[[Arguments], Mapping[str, Any]]]] = {
    "hello": _hello,
    "category_key": _category_key,
    "content_key": _content_key,
    "parse_record": _parse_record,
    "verify_record": _verify_record,
    "sign_record": _sign_record,
    "verify_signature": _verify_signature,
    "public_key": _public_key,
    "evaluate": _evaluate,
    "measure_tether": _measure_tether,
    "verify_tether": _verify_tether,
    "compare_tethers": _compare_tethers,
    "read_published_frame": _read_published,
    "read_relay_frame": _read_relay_frame,
    "legacy_key": _legacy_key,
    "read_legacy_frame": legacy_wire.read,
    **attesting.OPS,
}

"""The verb `substrate` of the control socket: what commands ask of a desk, checked, as JSON values."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits
from covey.errors import IpcError, RefusedArgumentError, StoreError
from covey.runtime.substrate import Wish, explained
from covey.substrate.values import BundleError

if TYPE_CHECKING:
    from covey.runtime.substrate import Result, SubstrateDesk

OPS: Final[Mapping[str, frozenset[str]]] = {
    "export": frozenset({"contributor", "denied", "allowed", "threshold", "guess", "signed", "explain"}),
    "merge": frozenset({"bundles", "apply", "again"}),
    "undo": frozenset({"contributor", "signer", "apply"}),
    "show": frozenset(),
}
_MERGED_AT_ONCE: Final = 4
"""Bundles in one request: as base64 they fit one line."""


def checked(arguments: Mapping[str, Any], ops: Mapping[str, frozenset[str]] = OPS) -> Mapping[str, Any]:
    """Return the arguments of the verb, as they are allowed.

    Raises:
        IpcError: It names the one that is wrong.
    """
    op = arguments.get("op")
    if not isinstance(op, str) or op not in ops:
        raise _wrong(f"op: expected one of {', '.join(ops)}")
    for name, value in arguments.items():
        if name != "op" and name not in ops[op]:
            raise _wrong(f"unknown argument: {name[:64]}")
        expected = _KINDS.get(name)
        if expected is not None and not isinstance(value, expected):
            raise _wrong(f"{name}: expected another kind of value")
    return arguments


def answer(desk: SubstrateDesk, request: Mapping[str, Any]) -> Result:
    """Do one checked request. Blocks.

    Raises:
        BundleError: A bundle is refused, or there is nothing to do.
        IpcError: An argument is wrong.
        StoreError: Memory, journal or a bundle cannot be read or written.
    """
    try:
        return _answer(desk, request)
    except _core.CoreError as error:
        raise StoreError(f"memory: {error.detail}") from error


def _answer(desk: SubstrateDesk, request: Mapping[str, Any]) -> Result:
    apply = request.get("apply", False)
    match request["op"]:
        case "export":
            wish = _wish(request)
            if request.get("explain", False):
                return explained(desk.learned(wish))
            raw, said = desk.export(wish)
            return {**said, "bundle": base64.b64encode(raw).decode()}
        case "merge":
            raws = [decoded(each) for each in _listed(request, "bundles", _MERGED_AT_ONCE)]
            return desk.merge(raws, apply=apply, again=request.get("again", False))
        case "undo":
            return desk.undo(_text(request, "contributor"), request.get("signer"), apply=apply)
    return desk.show()


def decoded(text: object) -> bytes:
    """Return the bytes of a bundle as a request carries them.

    Raises:
        IpcError: It is no base64.
        BundleError: It is too large.
    """
    if not isinstance(text, str):
        raise _wrong("bundle: expected base64")
    if len(text) > 2 * limits.BUNDLE_BYTES:
        raise BundleError(f"bundle: over {limits.BUNDLE_BYTES} bytes", code="too_large")
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _wrong("bundle: expected base64") from error


def _wish(request: Mapping[str, Any]) -> Wish:
    threshold = request.get("threshold", limits.IDENTITY_MARKS)
    if not 1 <= threshold <= 1_000:
        raise _wrong("threshold: expected 1 to 1000")
    denied = tuple(map(str, _listed(request, "denied", limits.DENIED_IDENTITIES)))
    allowed = tuple(map(str, _listed(request, "allowed", limits.DENIED_IDENTITIES)))
    guess, signed = request.get("guess", True), request.get("signed", True)
    return Wish(_text(request, "contributor"), denied, allowed, threshold, guess, signed)


def _listed(request: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    found: Sequence[Any] = request.get(name, [])
    if len(found) > most:
        raise _wrong(f"{name}: at most {most}")
    return found


def _text(request: Mapping[str, Any], name: str) -> str:
    found = request.get(name)
    if not isinstance(found, str):
        raise _wrong(f"{name}: expected a text")
    return found


_KINDS: Final[Mapping[str, type]] = {
    "contributor": str,
    "denied": list,
    "allowed": list,
    "threshold": int,
    "guess": bool,
    "signed": bool,
    "explain": bool,
    "bundles": list,
    "apply": bool,
    "again": bool,
}


def _wrong(message: str) -> IpcError:
    return RefusedArgumentError(message)

"""A peer's substrate desk, put together: its shelf, its memory, and whom it trusts now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from covey import _core
from covey.proto.options import NodeOptions
from covey.runtime.substrate import Standing, SubstrateDesk
from covey.system import trust as books
from covey.system.clock import SystemClock
from covey.system.substrate_shelf import SubstrateShelf

if TYPE_CHECKING:
    from covey.substrate.bundle import Sign
    from covey.system.home import Home

USUAL_KERNEL = "lexis-h1024"
"""What is learned with where a peer's own encoder is none that learning helps (docs/substrate.md)."""


def desk_of(
    home: Home,
    own: tuple[str, str, bytes],
    store: _core.Store,
    *,
    sign: Sign | None,
    options: NodeOptions | None = None,
) -> SubstrateDesk:
    """Return the desk of a peer.

    Args:
        home: Where the peers are.
        own: The peer's nodeId, name and raw public key.
        store: Its memory.
        sign: Signs with its key; None where that is sealed.
        options: Those of a running peer; else trust is what `covey trust` wrote, the encoder the usual.
    """
    name = own[1]
    return SubstrateDesk(
        SubstrateShelf(home.substrate_folder(name)),
        store,
        own,
        sign=sign,
        encoder=_encoder(options),
        clock=SystemClock(),
        standing=_standing(home, name, store, options),
        names=_names(home, name, store),
    )


def _encoder(options: NodeOptions | None) -> _core.Encoder:
    """Return what reads texts: the peer's table where it has one, else the usual encoder."""
    if options is not None and options.admission.encoder is not None:
        return options.admission.encoder
    return _core.Encoder(USUAL_KERNEL)


def _standing(
    home: Home, name: str, store: _core.Store, options: NodeOptions | None
) -> Callable[[], Standing]:
    """Read trust when it is asked for: what the operator takes back counts at once."""

    def standing() -> Standing:
        book = books.load(home.trust_path(name))
        named = book.trusted | (frozenset[str]() if options is None else options.trusted)
        pins = set(book.pins.values()) | (set[str]() if options is None else set(options.pins.values()))
        keys = {node_id: hashlib.sha256(key).hexdigest() for node_id, key, _, _ in store.bindings()}
        by_name = {mark for node_id, mark in keys.items() if node_id in named}
        return Standing(frozenset(named | pins | by_name), frozenset(keys.values()))

    return standing


def _names(home: Home, name: str, store: _core.Store) -> Callable[[], Sequence[str]]:
    """Return who is known here: peers that were met, by name and nodeId, and whom the operator named."""

    def names() -> Sequence[str]:
        met = [word for node_id, _, peer, _ in store.bindings() for word in (node_id, peer)]
        return [*met, *(entry.identity for entry in books.load(home.trust_path(name)).entries)]

    return names

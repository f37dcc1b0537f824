"""Names that resolve: what an agent keeps under `nickname.region.id`, asked of its owner, under its policy.

Rules: the owner alone answers for its names, each region by the policy it was offered with; what was not
offered is refused like what is unknown is said to be unknown: only to who may read the region. No message
changes anything at its owner.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import CoveyError
from covey.fleet.message import Message, MessageType
from covey.fleet.names import BadNameError, Umr, parse_umr
from covey.fleet.profile import AgentProfile, ProfileError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.runtime.bus.requests import Requests


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to read. `node_id` is the peer whose session brought the question; None: an agent here."""

    nickname: str
    node_id: str | None


Policy = Callable[[Asker], bool]
Read = Callable[[str], Awaitable[object]] | Callable[[str], object]
"""Gives what a region keeps under an id, as a JSON value; None where it keeps nothing."""


class NameRefusedError(CoveyError):
    """The owner does not give this to whoever asked."""

    default_code = "name_refused"


class NameUnknownError(CoveyError):
    """The owner keeps nothing under this name."""

    default_code = "name_unknown"


def nobody(_: Asker) -> bool:
    """Let nobody read; what a region is offered with where nothing else is said."""
    return False


def anybody(_: Asker) -> bool:
    """Let everybody read whose messages are heard here at all."""
    return True


def only(*allowed: str) -> Policy:
    """Return a policy that lets these nodeIds read, and agents of this peer."""
    nodes = frozenset(allowed)
    return lambda asker: asker.node_id is None or asker.node_id in nodes


_REASONS: Final = ("refused", "unknown", "too-large", "unreadable", "malformed")


class Names:
    """One agent's names and profile, and its way to those of others.

    Args:
        requests: Its questions and answers; this answers IDENTITY_REQUEST there.
        profile: Its own words about itself, for whoever asks.
    """

    def __init__(self, requests: Requests, profile: AgentProfile) -> None:
        self._requests = requests
        self._profile = profile
        self._regions: dict[str, tuple[Read, Policy]] = {}
        self.counts: Counter[str] = Counter()
        """What was given, and what was not, by reason."""
        requests.serve(self._answer, MessageType.IDENTITY_REQUEST)

    def offer(self, region: str, read: Read, policy: Policy = nobody) -> Callable[[], None]:
        """Keep a region: `read` gives what lies under an id, `policy` says who may have it.

        Returns:
            What withdraws it.

        Raises:
            BadNameError: The region cannot be part of a reference.
        """
        Umr("x", region, "x")
        self._regions[region] = (read, policy)
        return lambda: self._regions.pop(region, None) and None

    async def resolve(
        self, reference: str | Umr, *, timeout_seconds: float = limits.REQUEST_SECONDS
    ) -> object:
        """Return what a reference names, as its owner gives it: a JSON value.

        Raises:
            BadNameError: It is no reference.
            NameRefusedError: The owner's policy does not let this agent have it.
            NameUnknownError: The owner keeps nothing under it.
            NoSuchAgentError: Nobody has the reference's nickname.
            RequestTimeoutError: Its owner did not answer.
        """
        umr = parse_umr(reference) if isinstance(reference, str) else reference
        said = await self._asked(umr.nickname, {"reference": str(umr)}, timeout_seconds)
        if "value" in said:
            return said["value"]
        reason = said.get("refused")
        if reason == "unknown":
            raise NameUnknownError(f"reference: {umr.nickname} keeps nothing under {umr}")
        word = reason if reason in _REASONS else "malformed"
        raise NameRefusedError(
            f"reference: {umr.nickname} does not give {umr} ({word})",
            hint="its owner decides who may read a region",
        )

    async def profile(
        self, nickname: str, *, timeout_seconds: float = limits.REQUEST_SECONDS
    ) -> AgentProfile:
        """Return an agent's own words about itself. They prove nothing.

        Raises:
            ProfileError: It answered with something else.
            NoSuchAgentError: Nobody has that nickname.
            RequestTimeoutError: It did not answer.
        """
        said = (await self._asked(nickname, {}, timeout_seconds)).get("profile")
        if not isinstance(said, dict):
            raise ProfileError(f"profile: {nickname} answered without one")
        return AgentProfile.from_dict(said)

    # --- below ----------------------------------------------------------------------------------

    async def _asked(self, nickname: str, payload: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        reply = await self._requests.ask(
            nickname, payload, timeout_seconds=seconds, kind=MessageType.IDENTITY_REQUEST
        )
        return reply.payload

    async def _answer(self, message: Message) -> Mapping[str, Any]:
        reference = message.payload.get("reference")
        if reference is None:
            return {"profile": self._profile.to_dict()}
        found = await self._read(reference, Asker(message.sender, message.origin or None))
        self.counts[str(found.get("refused", "given"))] += 1
        return found

    async def _read(self, reference: object, asker: Asker) -> Mapping[str, Any]:
        try:
            umr = parse_umr(reference if isinstance(reference, str) else "")
        except BadNameError:
            return {"refused": "malformed"}
        read, policy = self._regions.get(umr.region, (None, nobody))
        if umr.nickname != self._profile.nickname or read is None or not policy(asker):
            return {"refused": "refused"}
        value = read(umr.ref_id)
        if isawaitable(value):
            value = await value
        if value is None:
            return {"refused": "unknown"}
        try:
            size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        except (TypeError, ValueError, RecursionError):
            return {"refused": "unreadable"}
        return {"value": value} if size <= limits.NAME_VALUE_BYTES else {"refused": "too-large"}

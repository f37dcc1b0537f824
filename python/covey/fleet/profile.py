"""Who an agent says it is: words that others show and choose by. Nothing here is proof; its identity is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from covey import limits
from covey.fleet.message import is_nickname
from covey.values import dataclass

EntityType = Literal["agent", "aut", "orchestrator", "npc", "player"]
DISPLAY_CHARS: Final = 20
_AGENT_ID = re.compile(r"[0-9a-f]{12,64}\Z")


class ProfileError(ValueError):
    """A profile that cannot be made or read; says which member, and what was expected."""


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """An agent's own words about itself.

    `agent_id` is made anew for each session by whoever makes the profile; `capabilities` are the words that
    others find it by.
    """

    nickname: str
    role: str
    agent_id: str
    capabilities: tuple[str, ...] = ()
    personality: str = ""
    entity_type: EntityType = "agent"
    started_at_ms: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.nickname, str) or not is_nickname(self.nickname):
            raise ProfileError(f"nickname: expected one word of at most 64 characters, got {self.nickname!r}")
        for name in ("role", "personality"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > limits.PROFILE_TEXT_CHARS:
                raise ProfileError(f"{name}: expected text of at most {limits.PROFILE_TEXT_CHARS} characters")
        if not isinstance(self.agent_id, str) or not _AGENT_ID.match(self.agent_id):
            raise ProfileError(f"agent_id: expected 12 to 64 hexadecimal digits, got {self.agent_id!r}")
        if self.entity_type not in get_args(EntityType):
            raise ProfileError(
                f"entity_type: expected one of {', '.join(get_args(EntityType))}, got {self.entity_type!r}"
            )
        words = self.capabilities
        if not isinstance(words, tuple) or not all(
            isinstance(word, str) and 0 < len(word) <= 64 for word in words
        ):
            raise ProfileError("capabilities: expected words of 1 to 64 characters")
        if len(words) > limits.PROFILE_CAPABILITIES:
            raise ProfileError(f"capabilities: at most {limits.PROFILE_CAPABILITIES}, got {len(words)}")
        if type(self.started_at_ms) is not int or self.started_at_ms < 0:
            raise ProfileError(f"started_at_ms: expected milliseconds from 0, got {self.started_at_ms!r}")

    @property
    def display_name(self) -> str:
        """Return the nickname in at most twenty characters, cut with an ellipsis of three dots."""
        name = self.nickname
        return name if len(name) <= DISPLAY_CHARS else f"{name[: DISPLAY_CHARS - 3]}..."

    @property
    def log_prefix(self) -> str:
        """Return how log lines begin that are about this agent."""
        return f"[{self.display_name}]"

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "capabilities": list(self.capabilities)
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> AgentProfile:
        """Read a profile; members that are missing have their defaults.

        Raises:
            ProfileError: A member is missing that has no default, is unknown, or is not as described.
        """
        unknown = sorted(set(value) - set(cls.__slots__))
        if unknown:
            raise ProfileError(f"profile: unknown member {unknown[0]!r}")
        missing = [name for name in ("nickname", "role", "agent_id") if name not in value]
        if missing:
            raise ProfileError(f"profile: {missing[0]!r} is missing")
        words = value.get("capabilities", ())
        if not isinstance(words, list | tuple):
            raise ProfileError("capabilities: expected a list of words")
        return cls(**{**value, "capabilities": tuple(words)})

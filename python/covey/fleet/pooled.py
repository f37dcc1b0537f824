"""Agents of a pool: who they are, what they do in a turn, and what comes of one.

Rules: pure. A turn reads messages, writes on a draft of the agent's own notes and says what is to be sent;
all of it counts when the turn ends well, and none when it fails or is late: a late turn changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any

from covey.fleet.message import Message
from covey.fleet.notebook import Draft, Notebook
from covey.fleet.profile import AgentProfile
from covey.values import dataclass


class TurnOverError(RuntimeError):
    """A turn that was given up still wants to say something: nothing of it counts any more."""


@dataclass(frozen=True, slots=True)
class Action:
    """A message that a turn sends: to a nickname, or on a topic."""

    kind: str
    payload: Mapping[str, Any]
    recipient: str = ""
    topic: str = ""
    answers: Message | None = None
    proof: bool | None = None


@dataclass(slots=True)
class Turn:
    """One turn of one agent.

    `percept` is what the program gave it, `messages` what others sent since its last turn that ended well,
    `memory` its own notes.
    """

    agent_id: str
    percept: Any
    messages: tuple[Message, ...]
    memory: Draft
    actions: list[Action] = field(default_factory=list)
    over: bool = False

    def send(
        self,
        recipient: str,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        answers: Message | None = None,
        proof: bool | None = None,
    ) -> None:
        """Send a message once the turn has ended well.

        Raises:
            TurnOverError: It was given up.
        """
        self._act(Action(kind, dict(payload or {}), recipient=recipient, answers=answers, proof=proof))

    def publish(self, topic: str, kind: str, payload: Mapping[str, Any] | None = None) -> None:
        """Publish on a topic once the turn has ended well; raises TurnOverError where it was given up."""
        self._act(Action(kind, dict(payload or {}), topic=topic))

    def _act(self, action: Action) -> None:
        if self.over:
            raise TurnOverError(f"{self.agent_id}: this turn was given up, nothing of it counts")
        self.actions.append(action)


TakeTurn = Callable[[Turn], Any] | Callable[[Turn], Awaitable[Any]]
"""What an agent does: a function or a coroutine function; what it returns is its response."""


@dataclass(frozen=True, slots=True)
class PooledAgent:
    """One agent of a pool: its own words about itself, what it does, and its own notes."""

    profile: AgentProfile
    take_turn: TakeTurn
    memory: Notebook

    @property
    def id(self) -> str:
        """Return what it is called in its pool and on the bus: its nickname."""
        return self.profile.nickname


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What came of one turn. It ended well where `error` is "" and it has not `timed_out`."""

    agent_id: str
    response: Any = None
    actions: tuple[Action, ...] = ()
    timed_out: bool = False
    error: str = ""
    duration_ms: int = 0

    @property
    def well(self) -> bool:
        """Tell whether the turn counts."""
        return not self.error and not self.timed_out


class AgentFactory:
    """Makes agents of one kind, each with notes of its own.

    Args:
        take_turn: What each of them does in a turn.
        new_id: Gives a fresh hexadecimal id for each agent's session.
        role: What they are.
        capabilities: What they can do.
        memory: What each begins with; each gets values of its own.
    """

    def __init__(
        self,
        take_turn: TakeTurn,
        new_id: Callable[[], str],
        *,
        role: str = "",
        capabilities: tuple[str, ...] = (),
        memory: Mapping[str, object] | None = None,
    ) -> None:
        self._take_turn = take_turn
        self._new_id = new_id
        self._role = role
        self._capabilities = capabilities
        self._memory = Notebook(memory).export()

    def make(self, nickname: str) -> PooledAgent:
        """Return a new agent; its notes are nobody else's.

        Raises:
            ProfileError: The nickname cannot be one.
        """
        profile = AgentProfile(nickname, self._role, self._new_id(), self._capabilities)
        return PooledAgent(profile, self._take_turn, Notebook(self._memory))

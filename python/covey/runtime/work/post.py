"""How tasks travel: leases and results as messages that must be provable, everything else as frames."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from covey import limits
from covey.fleet.message import Message, MessageType
from covey.fleet.work.owner import Grant, Revoke
from covey.fleet.work.task import Award, Revoked, Said, TaskError, read_award, read_revoked, read_said
from covey.runtime.bus.port import Bus
from covey.runtime.work.port import Room

_WORDS: Final = {
    "alive": MessageType.HEARTBEAT,
    "done": MessageType.TASK_RESULT,
    "failed": MessageType.TASK_RESULT,
    "refused": MessageType.ERROR,
}


class Post:
    """One desk's messages.

    Args:
        bus: Carries them.
        room: Says where to, and where from.
    """

    def __init__(self, bus: Bus, room: Room) -> None:
        self._bus = bus
        self._room = room
        self._leases: OrderedDict[tuple[str, str], tuple[Message, float]] = OrderedDict()
        """By owner and task: the newest lease that came, for what is said of it to answer, and for how many
        seconds its result was wanted then."""
        self._desks: OrderedDict[str, str] = OrderedDict()
        """By peer: the nickname of its desk, as heard."""

    def read(self, message: Message) -> tuple[str, Award | Said | Revoked]:
        """Return who sent a message, and what it says.

        Raises:
            TaskError: It says nothing of tasks, or a result came without what proves it.
        """
        origin = self._room.origin(message)
        self._desks[origin] = message.sender
        if len(self._desks) > limits.MEMBERS:
            self._desks.popitem(last=False)
        if message.type == MessageType.TASK_REQUEST:
            award = read_award(message.payload)
            self._leases[origin, award.task.id] = replace(message, payload={}), award.left_seconds
            if len(self._leases) > limits.TASKS_OPEN:
                self._leases.popitem(last=False)
            return origin, award
        if message.type == MessageType.CANCEL:
            return origin, read_revoked(message.payload)
        said = read_said(message.payload)
        if _WORDS[said.what] != message.type:
            raise TaskError(f"what: {said.what} does not go with {message.type}")
        return origin, said

    def cause(self, owner: str, task_id: str) -> Message | None:
        """Return the lease under which a task came here."""
        return self._leases[owner, task_id][0] if (owner, task_id) in self._leases else None

    def left(self, owner: str, task_id: str) -> float:
        """Return for how many seconds the result of a task that came here is wanted, at most."""
        return self._leases[owner, task_id][1] if (owner, task_id) in self._leases else limits.TASK_SECONDS

    def grant(self, grant: Grant, cause: Message | None) -> tuple[str, bool]:
        """Send a lease, signed; return its message's id and whether it is on its way.

        It is wanted for the lease's own time alone: later the worker was given up.
        """
        task = grant.award.task
        message = self._bus.make(
            self._room.nickname,
            self._room.route(grant.to.node_id, self._desks.get(grant.to.node_id, "")),
            MessageType.TASK_REQUEST,
            grant.award.payload(),
            answers=cause,
            ttl_seconds=grant.award.lease_seconds,
        )
        message = replace(
            message, in_reply_to=task.id, correlation_id=task.id, trace=task.trace or task.id
        )  # under its task, which stands in the trace as a step of its own
        return message.id, bool(self._bus.send(message, proof=True).reached)

    def revoke(self, revoke: Revoke) -> None:
        """Tell a worker that its lease is void: a frame, which the next word of that worker brings again."""
        self._bus.send(
            self._bus.make(
                self._room.nickname,
                self._room.route(revoke.node_id, self._desks.get(revoke.node_id, "")),
                MessageType.CANCEL,
                revoke.revoked.payload(),
                ttl_seconds=limits.TASK_LEASE_SECONDS,
            ),
            proof=False,
        )

    def say(self, owner: str, said: Said) -> None:
        """Tell a submitter something of its task; a result is signed, and kept for one that is away."""
        result = said.what in ("done", "failed")
        tells = result or said.what == "refused" or said.share is not None or bool(said.detail)
        message = self._bus.make(
            self._room.nickname,
            self._room.route(owner, self._desks.get(owner, "")),
            _WORDS[said.what],
            said.payload(),
            answers=self.cause(owner, said.task_id)
            if tells
            else None,  # a mere sign of life is no step of the tree
            ttl_seconds=self.left(owner, said.task_id) if result else limits.TASK_LEASE_SECONDS,
        )
        self._bus.send(message, proof=result)

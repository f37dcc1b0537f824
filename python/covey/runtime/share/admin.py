"""What a holder of an admin key may do to a door from elsewhere. Nothing, unless door.toml says so.

Rules: an admin key is needed each time, and a peer's key never is one. What changes more than the door itself
says first what it would do, and does it only where `apply` is true. Names come from the operator's lists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from covey.errors import ConfigError, UsageError
from covey.inference.door import Refuse
from covey.inference.lanes import Step
from covey.inference.reading import BadRequestError, body_of
from covey.runtime.share.door import Door
from covey.runtime.share.gate import Gate, refused, told
from covey.runtime.share.going import Refused
from covey.runtime.share.upkeep import Upkeep
from covey.values import dataclass

_BODY_BYTES = 4_096
Arguments = Mapping[str, Any]
Verb = Callable[[Arguments], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator allows: anything at all, updates, models as `backend=model`, extras by name."""

    enabled: bool = False
    update: bool = False
    models: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class Admin:
    """The verbs.

    Args:
        door: What they are about.
        gate: Who may.
        allowed: What.
        upkeep: What updates and installs.
        versions: Gives the installed packages with their versions.
        restart: Wishes for a new start, once what is under way is finished.
        ready: Reads again what a new start would read; raises ConfigError or UsageError where it cannot.
        log: Takes level, event and facts.
    """

    def __init__(
        self,
        door: Door,
        gate: Gate,
        allowed: Allowed,
        upkeep: Upkeep,
        *,
        versions: Callable[[], Mapping[str, Mapping[str, Any]]],
        restart: Callable[[], None],
        ready: Callable[[], object],
        log: Callable[[str, str, Mapping[str, Any]], None],
    ) -> None:
        self._door = door
        self._gate = gate
        self._allowed = allowed
        self._upkeep = upkeep
        self._versions = versions
        self._restart = restart
        self._ready = ready
        self._log = log

    def routes(self) -> list[Route]:
        """Return the pages, one for each verb."""
        verbs: dict[str, Verb] = {
            "drain": self._drain,
            "resume": self._resume,
            "llm": self._llm,
            "install": self._install,
            "update": self._update,
            "restart": self._start_again,
        }
        return [
            Route(f"/covey/admin/{name}", self._page(name, verb), methods=["POST"])
            for name, verb in verbs.items()
        ]

    def _page(self, name: str, verb: Verb) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            try:
                entry = self._gate.admin(request)
                if not self._allowed.enabled:
                    raise _off("upkeep from elsewhere is off", "[admin] enabled = true")
                arguments = await _arguments(request)
                found = await verb(arguments)
            except Refused as error:
                self._log("warn", "door-admin-refused", {"verb": name, "reason": error.code})
                return refused(error.refusal)
            self._log("info", "door-admin", {"verb": name, "key": entry.key_id, "account": entry.account})
            return told(found)

        return asked

    async def _drain(self, arguments: Arguments) -> dict[str, Any]:
        self._door.drain(True)
        await self._door.save()
        return self._how_it_stands()

    async def _resume(self, arguments: Arguments) -> dict[str, Any]:
        self._door.drain(False)
        await self._door.save()
        return self._how_it_stands()

    def _how_it_stands(self) -> dict[str, Any]:
        found = self._door.view()
        return {name: found[name] for name in ("draining", "under_way", "waiting")}

    async def _llm(self, arguments: Arguments) -> dict[str, Any]:
        """Let a lane's first step be another model, out of the operator's list."""
        lane, wanted = _word(arguments, "lane"), _word(arguments, "model")
        if wanted not in self._allowed.models:
            raise _off(f"{wanted} is not on the list", f'[admin] models = ["{wanted}"]')
        try:
            before = self._door.switch(lane, Step.parse(wanted))
        except KeyError as error:
            known = ", ".join(self._door.lanes.names)
            raise Refused(Refuse(0, 404, "lane", f"no lane {lane}; there are {known}")) from error
        except ValueError as error:
            raise Refused(Refuse(0, 404, "model", f"expected {error}")) from error
        await self._door.save()
        return {"lane": lane, "old": str(before), "new": wanted}

    async def _install(self, arguments: Arguments) -> dict[str, Any]:
        """Install an extra of covey, out of the operator's list; never a package by its name."""
        extra = _word(arguments, "extra")
        if extra not in self._allowed.extras:
            raise _off(f"{extra} is not on the list", f'[admin] extras = ["{extra}"]')
        before = self._of_extra(extra)
        found = await self._upkeep.install(f"covey[{extra}]", apply=_apply(arguments))
        return {"extra": extra, **found, "old": before, "new": self._of_extra(extra)}

    async def _update(self, arguments: Arguments) -> dict[str, Any]:
        if not self._allowed.update:
            raise _off("updates from elsewhere are off", "[admin] update = true")
        return await self._upkeep.update(apply=_apply(arguments))

    async def _start_again(self, arguments: Arguments) -> dict[str, Any]:
        """Finish what is under way, then start again with the same words."""
        if not self._allowed.update:
            raise _off("restarts from elsewhere are off", "[admin] update = true")
        apply = _apply(arguments)
        if apply:
            try:
                self._ready()
            except (ConfigError, UsageError) as error:
                raise Refused(Refuse(0, 409, "restart-refused", error.message)) from error
            await self._upkeep.leave()
            self._door.closing()
            self._restart()
        return {**self._how_it_stands(), "applied": apply}

    def _of_extra(self, extra: str) -> dict[str, str | None]:
        return {name: each["version"] for name, each in self._versions().items() if each["extra"] == extra}


async def _arguments(request: Request) -> Arguments:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES:
            raise Refused(Refuse(0, 413, "body", f"at most {_BODY_BYTES} bytes"))
    try:
        return body_of(bytes(body) or b"{}")
    except BadRequestError as error:
        raise Refused(Refuse(0, 400, "request", f"expected {error}")) from error


def _word(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(Refuse(0, 400, "request", f"expected {name}: a text"))
    return value


def _apply(arguments: Arguments) -> bool:
    value = arguments.get("apply", False)
    if not isinstance(value, bool):
        raise Refused(Refuse(0, 400, "request", "expected apply: true or false"))
    return value


def _off(what: str, how: str) -> Refused:
    return Refused(Refuse(0, 403, "not-allowed", f"{what}: its operator allows it in door.toml: {how}"))

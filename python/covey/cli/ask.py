"""`covey ask`: put a question to everybody in a room, and print one answer whose every sentence is cited."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import mesh_flags, passphrase
from covey.cli.blocks import short_key
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path, seconds
from covey.errors import EXIT_OK, ConfigError, CoveyError, NotRunningError, UsageError
from covey.names import peer_name
from covey.net.ipc.client import IpcClient
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.loop import Stop
    from covey.ports import Model
    from covey.settings import Settings

EXAMPLE: Final = 'covey ask "which inputs does the parser drop?" --room parser --config reviewer.toml'
_NAME: Final = "asker"
_LOCK_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 0.2
_LAN_GRACE_SECONDS: Final = 1.0

Request = Callable[[Mapping[str, object]], Awaitable[dict[str, Any]]]


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("question", metavar="QUESTION", help="one question, complete in itself")
    parser.add_argument("--peer", metavar="NAME", help=f"who asks (default {_NAME})")
    parser.add_argument(
        "--within",
        type=seconds(0.1, limits.ASK_SECONDS_MOST),
        default=limits.ASK_SECONDS,
        metavar="SECONDS",
        help=f"longest wait for contributions (default {limits.ASK_SECONDS:g}); less, when all have answered",
    )
    parser.add_argument(
        "--config", type=path, metavar="FILE", help="an agent.toml whose model composes the answer"
    )
    parser.add_argument("--adapter", metavar="A", help="or a model of this adapter: anthropic, ollama, …")
    parser.add_argument("--model", metavar="M", help="with --adapter: the model's name")
    parser.add_argument("--base-url", metavar="U", help="where an OpenAI-style API is")
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask, and print the answer with what it rests on; 1 where nobody had anything to say.

    Raises:
        UsageError: The question is none, or a flag is wrong.
        CoveyError: It could not be asked, or the model cannot be used at all.
    """
    from covey.proto.ask.frames import problem

    question = str(arguments.question).strip()
    wrong = problem(question)
    if wrong is not None:
        raise UsageError(wrong, code="invalid_question")
    model = _model(arguments, console)
    home, name = Home.resolve(console.env), peer_name(arguments.peer or _NAME)
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        found = _by_itself(arguments, console, home, name, question, model)
    else:
        with peer:
            mesh_flags.refuse_other_room(arguments, name, peer.request("status")["node"]["room"])
            found = _through(arguments, peer, question, model)
    return _report(console, {"peer": name, **found})


# --- asking ---------------------------------------------------------------------------------------------


async def _asked(request: Request, question: str, within: float, model: Model | None) -> dict[str, Any]:
    """Gather, compose with this command's own model, and have it checked and written back."""
    gathered = await request({"action": "gather", "question": question, "within_seconds": within})
    close: dict[str, object] = {"action": "close", "key": gathered["key"]}
    usage = None
    if model is not None and gathered["claims"]:
        from covey.runtime.ask.composing import sentences_of

        made = await sentences_of(gathered, model)
        usage = made.usage
        close.update(sentences=made.sentences, model=made.model, note=made.note)
    found = await request(close)
    return {**found, "usage": usage}


def _through(
    arguments: argparse.Namespace, peer: IpcClient, question: str, model: Model | None
) -> dict[str, Any]:
    wait = arguments.within + limits.IPC_ANSWER_SECONDS

    async def request(asked: Mapping[str, object]) -> dict[str, Any]:
        return await asyncio.to_thread(peer.request, "ask", asked, timeout_seconds=wait)

    return _on_loop(lambda: _asked(request, question, arguments.within, model))


def _by_itself(
    arguments: argparse.Namespace,
    console: Console,
    home: Home,
    name: str,
    question: str,
    model: Model | None,
) -> dict[str, Any]:
    """Ask through a peer that lives as long as this command."""
    from covey.cli.observe import meet
    from covey.cli.peer import PeerPlan, open_peer

    options = mesh_flags.options(arguments, console.env, outbound_only=True)
    opened = passphrase.opened(home, name, arguments.passphrase_file, console.env)
    plan = PeerPlan(home, name, options, wait_for_lock_seconds=_LOCK_SECONDS, opened=opened)

    async def ask() -> dict[str, Any]:
        async with open_peer(plan) as peer:
            grace = _LAN_GRACE_SECONDS if options.lan else _GRACE_SECONDS
            await meet(peer.node, arguments.within, None, grace)
            asker = await peer.fleet.ask.soon()
            return await _asked(asker.handle, question, arguments.within, model)

    return _on_loop(ask)


def _on_loop(work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    from covey.cli import loop

    found: dict[str, Any] = {}

    async def keep() -> None:
        found.update(await work())

    async def until(stop: Stop) -> int:
        return await loop.until_stopped(keep(), stop)

    if loop.run(until) != EXIT_OK:
        raise KeyboardInterrupt
    return found


# --- which model ----------------------------------------------------------------------------------------


def _model(arguments: argparse.Namespace, console: Console) -> Model | None:
    """Return the model that was asked for; None restates.

    Raises:
        UsageError: Flags contradict each other.
        ConfigError, ModelError: The file is wrong, or the model's key is missing; it says which.
    """
    named = arguments.adapter or arguments.base_url
    if arguments.config is None and not named:
        if arguments.model:
            raise UsageError("--model needs --adapter or --base-url")
        return None
    if arguments.config is not None and (named or arguments.model):
        raise UsageError("--config names its own model: give it, or --adapter, not both")
    from covey.models import build

    return build(_settings(arguments), console.env)


def _settings(arguments: argparse.Namespace) -> Settings:
    from covey.api.config import file_settings, peer_settings

    if arguments.config is not None:
        return file_settings(arguments.config)
    model = {"adapter": arguments.adapter or "compatible"}
    if arguments.model:
        model["model_name"] = arguments.model
    if arguments.base_url:
        model["base_url"] = arguments.base_url
    try:
        return peer_settings(_NAME, {}, {"model": model})
    except ConfigError as error:
        raise UsageError(f"--adapter: {error.message.removeprefix('<program>: ')}") from error


# --- what is printed ------------------------------------------------------------------------------------


def _report(console: Console, found: Mapping[str, Any]) -> int:
    lines = list(_lines(console, found))
    if found["answer"]:
        console.result({"ok": True, **found}, "\n".join(lines))
        return EXIT_OK
    nobody = not found["silent"] and not found["dropped"]
    why = "nobody was there" if nobody else "nobody had anything to say that counts"
    error = CoveyError(
        f"no answer: {why}",
        code="nobody" if nobody else "no_answer",
        hint="who is there: covey peers" if nobody else "ask in words that they use, or wait: --within",
    )
    console.result({"ok": False, **found, "error": error.as_dict()}, "\n".join(lines))
    console.complain("covey ask", error, error.hint)
    return error.exit_code


def _lines(console: Console, found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["answer"]:
        marks = "".join(f"[{number}]" for number in each["claims"])
        yield f"{printable(each['text'])} {console.style(marks, 'dim')}"
    cited = {number for each in found["answer"] for number in each["claims"]}
    if cited:
        yield ""
    for claim in found["claims"]:
        if claim["number"] in cited:
            yield f"[{claim['number']}] {_claim(claim)}"
    if found["illustrative"] and found["answer"]:
        yield console.style(f"illustrative, no model's words: {printable(found['note'])}", "yellow")
    elif found["answer"]:
        yield f"composed by {printable(found['model'])}{_cost(found)}; each sentence is held to what it cites"
    for each in found["withheld"]:
        yield f"withheld ({each['reason']}: {each['detail']}): {printable(each['text'])}"
    for each in found["dropped"]:
        yield f"dropped: {printable(each['author'])}: {each['reason']}: {each['detail']}{_drift(each)}"
    for each in found["silent"]:
        yield f"silent: {printable(each['name'] or each['node_id'])}: {each['detail']}"
    written = found["synthesis"]
    if written is not None and written["key"] is not None:
        yield f"written back as {written['key']}"
    elif written is not None:
        yield f"not written back: {printable(written['detail'])}"


def _claim(claim: Mapping[str, Any]) -> str:
    keys = [short_key(key) for key in claim["cites"]]
    who = printable(claim["author"])
    if claim["prior"]:
        return f"an earlier answer of {who}: {keys[0]}"
    if claim["own"]:
        return f"{who}, from its own memory: {', '.join(keys)}"
    unseen = f"; not shown: {len(claim['not_shown'])}" if claim["not_shown"] else ""
    sources = keys[1:] + [
        f"{short_key(each['key'])} (of {printable(each['author'])}, by {who}'s word)"
        for each in claim["vouched"]
    ]
    return f"{who}: {keys[0]}, from {', '.join(sources)}{unseen}"


def _cost(found: Mapping[str, Any]) -> str:
    usage = found["usage"]
    cost = None if usage is None else usage["cost_usd"]
    return "" if cost is None else f" for {cost:.4f} USD"


def _drift(dropped: Mapping[str, Any]) -> str:
    return "" if dropped["drift"] is None else f" (drift {dropped['drift']:.3f})"

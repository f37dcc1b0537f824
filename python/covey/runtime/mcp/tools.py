"""What the tools do: arguments in, one text out; every failure is a text too, marked as an error.

Rules: the words of the Node product where it has them. Whatever peers wrote goes through the quoter. Nothing
says more than happened: a broadcast that nobody heard says so.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from covey import limits
from covey.agent.prompt import quoted
from covey.errors import CoveyError, UsageError
from covey.model import CAT7
from covey.runtime.mcp import answers, asking, bounds, judging, rooms
from covey.runtime.mcp.headers import Bodies, clipped, compact, envelope_line, named
from covey.runtime.mcp.port import Mesh
from covey.runtime.mcp.quoting import Quoter, excerpt, when
from covey.runtime.mcp.specs import complaint, spec_of

Arguments = Mapping[str, Any]


class Told(NamedTuple):
    """What a call came to."""

    text: str
    failed: bool = False


class Tools:
    """The tools of one server.

    Args:
        mesh: The peer behind them.
        quoter: Quotes what peers wrote.
        bodies: The blocks that were shown, by their ids.
        shown: Says of an author whether its blocks are shown at all.
    """

    def __init__(self, mesh: Mesh, quoter: Quoter, bodies: Bodies, shown: Callable[[str], bool]) -> None:
        self._mesh = mesh
        self._quoter = quoter
        self._bodies = bodies
        self._shown = shown
        self._does: dict[str, Callable[[Arguments], Awaitable[str]]] = {
            "sym_send": self._send,
            "sym_observe": self._observe,
            "sym_recall": self._recall,
            "sym_peers": self._peers,
            "sym_status": self._status,
            "sym_fetch": self._fetch,
            "sym_group_info": lambda _: rooms.info(mesh),
            "sym_invite_create": rooms.invite_create,
            "sym_invite_info": rooms.invite_info,
            "sym_join_group": lambda arguments: rooms.join(mesh, arguments),
            "sym_groups_discover": lambda _: rooms.discover(mesh),
            "sym_trace": self._trace,
            "sym_why": self._why,
            "sym_ask": self._ask,
            "sym_ask_mesh": self._ask_mesh,
            "sym_wait_for_reply": self._wait,
        }

    async def call(self, name: str, arguments: Arguments) -> Told:
        """Do one call."""
        spec = spec_of(name)
        if spec is None:
            return Told(f"Unknown tool: {name[:64]}. Known: {', '.join(self._does)}.", failed=True)
        wrong = complaint(spec, arguments)
        if wrong is not None:
            return Told(wrong, failed=True)
        try:
            return Told(await self._does[name](arguments))
        except CoveyError as error:
            return Told("\n".join(error.lines()), failed=True)

    # --- saying ---------------------------------------------------------------------------------

    async def _send(self, arguments: Arguments) -> str:
        to = await self._addressee(arguments.get("to"))
        label, focus = arguments.get("label"), str(arguments["focus"])
        if label is not None:
            own = (await self._node())["name"]
            focus = f"{envelope_line(label, own, 'all' if to is None else to['name'], focus)} {focus}"
        found = await self._emit({**arguments, "focus": focus}, to)
        if found["result"] == "duplicate":
            return "Duplicate — CMB already in memory, not re-broadcast."
        key = found["block"]["key"]
        said = f"Broadcast CMB {key} to all peers" if to is None else f"Sent CMB {key} to {named(to['name'])}"
        return "\n".join([said, *_sends(found), *_mood_left_out(arguments)])

    async def _observe(self, arguments: Arguments) -> str:
        found = await self._emit(arguments, None)
        if found["result"] == "duplicate":
            return "Duplicate — already in memory."
        said = f"Observed: {found['block']['key']}"
        return "\n".join([said, *_sends(found), *_mood_left_out(arguments)])

    async def _emit(self, arguments: Arguments, to: Mapping[str, Any] | None) -> dict[str, Any]:
        asked: dict[str, object] = {
            "categories": _categories(arguments),
            "parents": [self._key(each) for each in arguments.get("parents", ())],
            "wait_seconds": bounds.SEND_SECONDS,
        }
        if to is not None:
            asked["to"] = to["node_id"]
        found = await self._mesh.request(
            "observe" if to is None else "send",
            asked,
            timeout_seconds=bounds.SEND_SECONDS + limits.IPC_ANSWER_SECONDS,
        )
        if found["result"] == "refused":
            raise CoveyError(f"not emitted: {found['reason']}: {found['detail']}", code=found["reason"])
        return found

    async def _addressee(self, word: str | None) -> Mapping[str, Any] | None:
        if word is None:
            return None
        peers: Sequence[Mapping[str, Any]] = (await self._mesh.request("peers"))["peers"]
        by_name = [peer for peer in peers if peer["name"] == word]
        fits = by_name or [peer for peer in peers if len(word) >= 8 and peer["node_id"].startswith(word)]
        if len(fits) == 1:
            return fits[0]
        if not fits:
            raise UsageError(f'Peer "{word[:64]}" not connected. Call sym_peers to see connected peers.')
        ids = ", ".join(peer["node_id"] for peer in fits)
        raise UsageError(f'"{word[:64]}" names {len(fits)} peers: {ids}. Use a node id.')

    # --- reading --------------------------------------------------------------------------------

    async def _recall(self, arguments: Arguments) -> str:
        asked = {"query": arguments["query"], "limit": bounds.HITS}
        found = (await self._mesh.request("recall", asked))["blocks"]
        blocks = [block for block in found if self._shown(block["author"])]
        if not blocks:
            return "No memories found."
        rows = [
            (
                f"[{named(b['author'])}] {when(b['created_ms'])} {b['key']} [{self._bodies.keep(b)}]",
                excerpt(b),
            )
            for b in blocks
        ]
        return self._quoter.lines(rows)

    async def _peers(self, arguments: Arguments) -> str:
        peers = (await self._mesh.request("peers"))["peers"]
        if not peers:
            return "No peers connected."
        listed = [
            f"{named(p['name'])} via {p['path']} ({p['node_id'][:8]}, {p['state']}, key {p['identity']})"
            for p in peers
        ]
        return "\n".join([f"{len(peers)} peer(s):", *listed])

    async def _status(self, arguments: Arguments) -> str:
        other = arguments.get("peer")
        found = await (
            self._mesh.request("status") if other is None else self._mesh.ask_other(other, "status")
        )
        return status_text(found)

    async def _fetch(self, arguments: Arguments) -> str:
        word = str(arguments["msg_id"])
        block = self._bodies.get(word)
        if block is None and word.startswith("cmb-"):
            block = (await self._mesh.request("trace", {"key": word, "depth": 1}))["chain"][0]["block"]
        if block is None or not self._shown(block["author"]):
            raise UsageError(f"Message {word[:64]} not found (expired or invalid ID).")
        return self._quoter.blocks([block])

    async def _trace(self, arguments: Arguments) -> str:
        asked = {"key": self._key(arguments["key"]), "depth": arguments.get("depth", 20)}
        return await thread_text(self._mesh, self._quoter, asked, self._shown)

    async def _why(self, arguments: Arguments) -> str:
        asked: dict[str, object] = {"limit": bounds.HITS}
        if arguments.get("key"):
            asked["key"] = self._key(arguments["key"])
        return judging.text((await self._mesh.request("decisions", asked))["decisions"])

    # --- waiting --------------------------------------------------------------------------------

    async def _ask(self, arguments: Arguments) -> str:
        to = await self._addressee(arguments.get("to"))
        peers = (await self._mesh.request("peers"))["peers"] if to is None else [to]
        question = asking.question_block(arguments["question"], arguments.get("context", ""))
        found = await self._emit(question, to)
        key = found["key"] if found["result"] == "duplicate" else found["block"]["key"]
        head = f"Asked: {key}" + (
            " (asked before: answers to it count)" if found["result"] == "duplicate" else ""
        )
        enough = arguments.get("answers", max(1, len(peers)))
        text, answers = await self._answers(key, arguments, enough)
        quiet = asking.silent(peers, answers)
        rest = f"Silent: {', '.join(map(named, quiet))}." if quiet else ""
        nobody = "" if peers else "Nobody is connected; the question is kept and told to whoever comes."
        return "\n".join(part for part in (head, text, rest, nobody) if part)

    async def _ask_mesh(self, arguments: Arguments) -> str:
        within = float(arguments.get("within_seconds", limits.ASK_SECONDS))
        asked = {"action": "answer", "question": arguments["question"], "within_seconds": within}
        found = await self._mesh.request("ask", asked, timeout_seconds=within + limits.IPC_ANSWER_SECONDS)
        return answers.text(found, self._quoter, self._shown)

    async def _wait(self, arguments: Arguments) -> str:
        key = self._key(arguments["key"])
        return (await self._answers(key, arguments, arguments.get("answers", 1)))[0]

    async def _answers(
        self, key: str, arguments: Arguments, enough: int
    ) -> tuple[str, Sequence[Mapping[str, Any]]]:
        seconds = float(arguments.get("wait_seconds", bounds.WAIT_USUAL))
        own = (await self._node())["node_id"]
        found, in_time = await asking.answers_to(self._mesh, key, own, seconds, enough)
        answers = [block for block in found if self._shown(block["author"])]
        late = "" if in_time else f" within {seconds:g} s; sym_wait_for_reply {key} waits on"
        if not answers:
            return f"No answer{late}.", answers
        keys = ", ".join(block["key"] for block in answers)
        cite = f"{len(answers)} answer(s){late}. Cite what you use by its key: {keys}"
        notes = {block["key"]: self._bodies.keep(block) for block in answers}
        return f"{cite}\n{self._quoter.blocks(answers, notes)}", answers

    async def _node(self) -> Mapping[str, Any]:
        node: Mapping[str, Any] = (await self._mesh.request("status"))["node"]
        return node

    def _key(self, word: str) -> str:
        kept = self._bodies.get(word)
        return word if kept is None else str(kept["key"])


def status_text(found: Mapping[str, Any]) -> str:
    """Return a peer's status as lines of `Name: value`."""
    node, agent = found["node"], found["agent"]
    joined = any(each["state"] == "joined" for each in node["relays"])
    lines = [
        f"Node: {named(found['peer'])} ({node['node_id'][:8]})",
        f"Group: {node['room']} (_{node['room']}._tcp)",
        f"Relay: {'connected' if joined else 'disconnected' if node['relays'] else 'none'}",
        f"Peers: {node['peers']}",
        f"Memories: {node['anchors']}",
        f"Store: {node['store']}",
        f"Reach: {'local network' if node['lan'] else 'this machine only'}",
        f"Fingerprint: {node['fingerprint']}",
    ]
    if agent is not None:
        lines.append(f"Agent: {json.dumps(agent, default=str)}")
    return "\n".join(lines)


async def thread_text(
    mesh: Mesh, quoter: Quoter, asked: Mapping[str, object], shown: Callable[[str], bool] = lambda _: True
) -> str:
    """Return a block and its ancestors, quoted, with what is missing."""
    found = await mesh.request("trace", asked)
    chain = [each for each in found["chain"] if shown(each["block"]["author"])]
    notes = {each["block"]["key"]: f"depth {each['depth']}" for each in chain}
    lines = [f"root: {found['root']}"]
    if found["missing"]:
        lines.append(f"not held here: {', '.join(found['missing'])}")
    if found["cut"]:
        lines.append("older ancestors are not shown: give a greater depth")
    if len(chain) < len(found["chain"]):
        lines.append(f"not shown by this server's settings: {len(found['chain']) - len(chain)}")
    return "\n".join([*lines, quoter.blocks([each["block"] for each in chain], notes)])


def header_of(bodies: Bodies, delivery: Mapping[str, Any]) -> str:
    """Keep a delivered block and return its compact header."""
    block = delivery["block"]
    return compact(block, bodies.keep(block), directed=bool(delivery["directed"]))


def _categories(arguments: Arguments) -> dict[str, str]:
    found = {}
    for name in CAT7:
        value = arguments.get(name, "")
        text = value["text"] if isinstance(value, Mapping) else value
        if text.strip():
            found[name] = text
    if "focus" not in found:
        raise UsageError("focus: say what it is about")
    return found


def _mood_left_out(arguments: Arguments) -> list[str]:
    mood = arguments.get("mood")
    if isinstance(mood, Mapping) and {"valence", "arousal"} & mood.keys():
        return ["note: a mood travels as its text; valence and arousal were left out"]
    return []


def _sends(found: Mapping[str, Any]) -> list[str]:
    sends = found["sends"]
    if not sends:
        return ["nobody is connected: it is kept, and told to whoever comes"]
    return [
        # A reason is the receiver's own words.
        f"{send['state']} by {named(send['name'])}"
        + (f": {quoted(clipped(str(send['reason']), bounds.EXCERPT_CHARS))}" if send["reason"] else "")
        for send in sends
    ]

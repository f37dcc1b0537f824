"""Blocks, verdicts and sends as lines of text; a peer's words are made harmless on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.model import CAT7, said

_COLOURS: Final = {
    "aligned": "green",
    "guarded": "yellow",
    "redundant": "dim",
    "rejected": "red",
    "refused": "red",
    "delivered": "green",
    "executed": "green",
    "accepted": "cyan",
    "expired": "red",
    "unknown": "yellow",
    "validated": "green",
    "canonical": "green",
    "dismissed": "red",
    "archived": "dim",
}
_NAME_WIDTH: Final = max(len(name) for name in CAT7)


_DOUBTFUL: Final = frozenset({"forged", "severed", "astray", "contradicted"})
"""What an attestation may turn out to be that speaks against its block."""


def word(console: Console, state: str) -> str:
    """Return a decision or state in its colour."""
    return console.style(state, _COLOURS.get(state, "bold"))


def because(outcome: str, detail: str) -> str:
    """Return why something came out so, without the outcome that stands before it already."""
    return detail.removeprefix(f"{outcome}: ")


def short_key(key: str) -> str:
    """Return a content key as people compare it: its prefix and 12 digits."""
    return key[:16]


def attestation(console: Console, told: Mapping[str, Any]) -> str:
    """Say what a block's author attests of its tether, and what that is worth here."""
    text = f"attested {told['standing']}: {told['meaning']}"
    if told["drift"] is not None:
        numbers = f"drift {told['drift']:.3f} in {printable(told['kernel'])}"
        here = f", {told['here']:.3f} here" if told["here"] is not None else ""
        text = f"{text}; root {printable(short_key(told['root']))}, {numbers}{here}"
    if told["detail"]:
        text = f"{text} ({printable(told['detail'])})"
    return console.style(text, "red" if told["standing"] in _DOUBTFUL else "dim")


def clock(ms: int) -> str:
    """Return wall-clock milliseconds as local time of day; days other than today carry their date."""
    moment = time.localtime(ms / 1000)
    today = time.localtime()[:3] == moment[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", moment)


def block_lines(console: Console, block: Mapping[str, Any]) -> Iterator[str]:
    """Yield a stored block: who, when, key, then what it says."""
    who = console.style(printable(str(block["author"])), "bold")
    to = f" to {block['to']}" if block.get("to") else ""
    stands = block.get("lifecycle", "observed")
    mark = "" if stands == "observed" else f"  {console.style(stands, _COLOURS.get(stands, 'cyan'))}"
    yield f"{clock(block['created_ms'])}  {who}{to}  {console.style(block['key'], 'dim')}{mark}"
    for name, text in block["said"].items():
        yield f"  {name:<{_NAME_WIDTH}}  {printable(text)}"


def event_lines(console: Console, event: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    """Yield what a person sees of one piece of news; some news is only for programs and gives nothing."""
    name = event["event"]
    if name == "delivered":
        yield from _delivered(console, event["delivery"])
    elif name == "judged" and _turned_down(event):
        yield _turned_away(console, event, now_ms)
    elif name == "emitted":
        yield from _emitted(console, event["block"], now_ms)
    elif name == "send-settled":
        yield f"{clock(now_ms)}  {send_line(console, event['send'])}"
    elif name == "mood-heard":
        about = f"  {console.style(printable(event['context']), 'dim')}" if event.get("context") else ""
        mood, who = printable(event["mood"]), printable(event["from_name"])
        yield f"{clock(now_ms)}  {console.style('mood', 'cyan')}  {who}: {mood}{about}"
    elif name == "invite-answered":
        yield f"{clock(now_ms)}  {_invite(console, event)}"
    elif name == "gap":
        yield f"{clock(now_ms)}  {_gap(console, event)}"
    elif name == "peer-joined":
        peer = event["peer"]
        via = console.style(f"{peer['path']}  {peer['fingerprint'][:16]}", "dim")
        yield f"{clock(now_ms)}  {console.style('joined', 'cyan')}  {printable(peer['name'])}  {via}"
    elif name == "peer-left":
        left, why = console.style("left", "cyan"), printable(event.get("detail") or event["reason"])
        yield f"{clock(now_ms)}  {left}    {printable(event['name'])}  {console.style(why, 'dim')}"
    elif name == "dropped":
        missed = f"missed {event['count']} events: this terminal reads too slowly"
        yield console.style(missed, "yellow")


def send_line(console: Console, send: Mapping[str, Any]) -> str:
    """Return what became of a block at one peer."""
    reason = f": {printable(send['reason'])}" if send.get("reason") else ""
    return f"{word(console, str(send['state']))} by {printable(send['name'] or send['node_id'])}{reason}"


_NO_WELCOME: Final = {
    "used": "somebody else came with it first",
    "expired": "its time is over",
    "unknown": "it was not given here, or is forgotten",
    "busy": "not now: it is shown again",
}
"""Why an invite brought no trust."""


def _invite(console: Console, event: Mapping[str, Any]) -> str:
    """Say what came of an invite: without trust its guest is in the room all the same."""
    who, answer = printable(event["name"] or event["node_id"]), str(event["answer"])
    if answer == "welcome":
        text = (
            f"{who} came by ours and is trusted" if event["ours"] else f"{who} welcomes and trusts this peer"
        )
        return f"{console.style('invite', 'cyan')}  {text}"
    why = _NO_WELCOME.get(answer, answer)
    if event["ours"]:
        text = f"{who} showed ours and is not welcome: {why}; it is in the room, and not trusted"
    else:
        text = f"{who} does not take ours: {why}; this peer is in the room, and not trusted there"
    return f"{console.style('invite', 'yellow')}  {text}"


def _gap(console: Console, event: Mapping[str, Any]) -> str:
    first, last = event["first"], event["last"]
    which = f"from number {first} on" if last is None else f"number {first}" + f" to {last}" * (last != first)
    said = console.style("missing", "yellow")
    return f"{said}  {which} of {printable(event['from_name'])}: {printable(event['reason'])}"


def _delivered(console: Console, delivery: Mapping[str, Any]) -> Iterator[str]:
    block, judgement = delivery["block"], delivery["judgement"]
    decision = "unjudged" if judgement is None else str(judgement["decision"])
    drift = "" if judgement is None else f"  drift {judgement['total_drift']:.2f}"
    marks = "  for me" * bool(delivery["directed"]) + "  not remembered" * (not delivery["ingested"])
    who = console.style(printable(block["author"]), "bold")
    key = console.style(short_key(block["key"]), "dim")
    yield f"{clock(delivery['received_ms'])}  {word(console, decision)}  {who}{drift}{marks}  {key}"
    verdicts = {each["name"]: each for each in (judgement or {}).get("categories", ())}
    for name, text in said(block["categories"]).items():
        yield f"  {name:<{_NAME_WIDTH}}  {printable(text)}{_verdict(console, verdicts.get(name))}"
    parents = block["parents"]
    if parents:
        listed = ", ".join(short_key(key) for key in parents)
        yield console.style(f"  {'answers':<{_NAME_WIDTH}}  {listed}", "dim")


def _verdict(console: Console, verdict: Mapping[str, Any] | None) -> str:
    if verdict is None or verdict["drift"] is None:
        return ""
    return console.style(f"  ({verdict['verdict']} {verdict['drift']:.2f})", "dim")


def _turned_down(event: Mapping[str, Any]) -> bool:
    """Tell whether this judgement is the last that is heard of a block."""
    # A block for this peer is delivered whatever memory says of it, and that line carries the decision.
    memory_only = event["outcome"] in ("rejected", "redundant") and not event["directed"]
    return memory_only or event["outcome"] == "refused"


def _turned_away(console: Console, event: Mapping[str, Any], now_ms: int) -> str:
    who = printable(event["author"] or event["from_name"])
    detail = because(event["outcome"], event["detail"])
    why = printable(": ".join(part for part in (event["reason"], detail) if part))
    key = console.style(short_key(event["key"] or ""), "dim")
    line = f"{clock(now_ms)}  {word(console, event['outcome'])}  {console.style(who, 'bold')}"
    return f"{line}  {why}  {key}".rstrip()


def _emitted(console: Console, block: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    key = console.style(short_key(block["key"]), "dim")
    yield f"{clock(now_ms)}  {console.style('emitted', 'cyan')}  {key}"
    for name, text in said(block["categories"]).items():
        yield f"  {name:<{_NAME_WIDTH}}  {printable(text)}"


def sends_summary(sends: Sequence[Mapping[str, Any]]) -> str:
    """Return how many peers took a block, in words."""
    taken = sum(send["state"] in ("delivered", "executed") for send in sends)
    return (
        f"{taken} of {len(sends)} peers took it" if len(sends) != 1 else ("taken" if taken else "not taken")
    )

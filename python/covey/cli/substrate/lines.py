"""What `covey substrate` says, as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from covey.cli.blocks import clock, short_key
from covey.cli.console import printable

_VERDICTS: Final = {
    "new": "would be merged: the first of this contributor",
    "newer": "would be merged, in place of an older one",
    "known": "is merged already: nothing would change",
    "older": "is older than the one that is merged: nothing would change",
}
_SHOWN: Final = 20


def facts(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a bundle says of itself, and what stands in it."""
    signer = found["signer"]
    yield f"contributor: {found['contributor']}"
    yield "signed by: nobody: it can be read, and not merged" if signer is None else f"signed by: {signer}"
    yield f"digest: {found['digest']}"
    yield f"schema: {found['schema_version']}, sequence {found['sequence']}, encoder {found['kernel']}"
    yield f"concepts: {found['concepts']:,} of {found['members']:,} blocks, links: {found['links']:,}"
    sums = ", ".join(f"{count:,} {word}" for word, count in found["decisions"].items())
    yield f"decisions: {sums or 'none counted'}"
    yield from _numbers(found)
    said = found["identity_filter"]
    how = f"from {said['threshold']} marks on" if said["guess"] else "names were not guessed at"
    yield f"identities left out: {how}; {said['known']:,} known ones; contents scrubbed"


def _numbers(found: Mapping[str, Any]) -> Iterator[str]:
    weights = ", ".join(f"{name} x{factor:.2f}" for name, factor in found["weights"].items())
    if weights:
        yield f"learned weights: {weights}"
    if found["guarded"] is not None:
        yield f"good and bad part at: {found['guarded']:.2f}"


def _export(found: Mapping[str, Any]) -> Iterator[str]:
    if "file" in found:
        yield f"exported: {found['bytes']:,} bytes to {found['file']}"
        yield from facts(found)
    yield f"learned from: {found['blocks']:,} blocks, left out: {found['left_out']:,}"
    for each in found["dropped"] if "file" not in found else ():
        yield f"  {short_key(each['key'])}  {printable(each['why'])}"
    if "file" not in found and found["left_out"] > len(found["dropped"]):
        yield f"  and {found['left_out'] - len(found['dropped']):,} more"


def _merge(found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["bundles"]:
        says = _VERDICTS[each["verdict"]]
        if found["applied"]:
            says = says.replace("would be merged", "merged").replace("would change", "changed")
        yield f"{each['contributor']} ({each['trust']}, {each['digest'][:12]}): {says}"
    yield from _change(found)


def _undo(found: Mapping[str, Any]) -> Iterator[str]:
    gone = found["undone"]
    word = "taken back" if found["applied"] else "would be taken back"
    yield f"{gone['contributor']} ({gone['digest'][:12]}): {word}, all of it"
    yield from _change(found)


def _change(found: Mapping[str, Any]) -> Iterator[str]:
    for name in ("before", "after"):
        yield f"{name}: {_weight(found[name])}"
    if not found["applied"]:
        changes = found["before"] != found["after"] or any(
            each["verdict"] in ("new", "newer") for each in found.get("bundles", ())
        )
        yield "nothing was done: say --apply to do it" if changes or "undone" in found else "nothing to do"
    elif not found["primed"] and "undone" not in found:
        yield "it counts once this peer runs with the selective path and this encoder"


def _weight(said: Mapping[str, Any] | None) -> str:
    if said is None:
        return "no prior: a bundle cannot be read any more"
    if not said["for"] and not said["against"]:
        return "no prior"
    return (
        f"{said['for']:,} concepts for and {said['against']:,} against, {said['links']:,} links; "
        f"counts as {said['mass']:.1f} blocks, so a drift moves by at most {said['most']:.3f} "
        f"beside {said['held']:,} held"
    )


def _show(found: Mapping[str, Any]) -> Iterator[str]:
    for each in found["merged"]:
        whose = f"{each['contributor']}  {each['trust']}"
        yield f"{whose}  {each['digest'][:12]}  signed by {each['signer'][:16]}"
    yield f"prior: {_weight(found['prior'])}"
    yield from _numbers(found["prior"])
    for act in found["journal"][-_SHOWN:]:
        yield f"  {clock(act['at_ms'])}  {act['kind']:<5}  {act['contributor']}  {act['digest'][:12]}"


def _key(whom: str) -> str:
    """Return a fingerprint as `covey peers` shows it, and a nodeId of old whole."""
    return printable(whom if "-" in whom else whom[:16])


def _offers(found: Mapping[str, Any]) -> Iterator[str]:
    for row in found["given"]:
        yield f"given: {row['digest'][:16]}  {row['contributor']}  to {', '.join(map(_key, row['to']))}"
    for row in found["heard"]:
        who = f"{printable(row['name'])} ({row['node_id']})"
        yield f"heard: {row['digest'][:16]}  {row['contributor']}  {row['size']:,} bytes  of {who}"
    if not found["given"] and not found["heard"]:
        yield "no offers"


def _offer(found: Mapping[str, Any]) -> Iterator[str]:
    whom = ", ".join(map(_key, found["to"]))
    yield f"offered: {found['digest'][:16]} of {found['contributor']} to {whom}"


def _withdraw(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"withdrawn: {found['digest'][:16]}; who has it keeps it"


def _pull(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"pulled: {found['bytes']:,} bytes to {found['file']}"
    yield f"nothing was merged: covey substrate inspect {found['file']}"


SAID: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "export": _export,
    "merge": _merge,
    "undo": _undo,
    "show": _show,
    "offer": _offer,
    "withdraw": _withdraw,
    "offers": _offers,
    "pull": _pull,
}

"""The tools about rooms: which one this is, addresses of rooms, moving, and which others there are here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from covey.errors import UsageError
from covey.names import room_complaint
from covey.runtime.mcp import invites
from covey.runtime.mcp.headers import named
from covey.runtime.mcp.port import Mesh
from covey.runtime.mcp.quoting import when

COVEY_INVITE: Final = "covey:invite."
"""How covey's own invites begin (docs/protocol.md)."""

Arguments = Mapping[str, Any]


async def info(mesh: Mesh) -> str:
    """Say which room the peer sits in, and with whom."""
    node = (await mesh.request("status"))["node"]
    peers = (await mesh.request("peers"))["peers"]
    listed = ", ".join(named(peer["name"]) for peer in peers) or "nobody"
    lines = [
        f"Group: {node['room']}",
        f"Service type: _{node['room']}._tcp",
        f"Node: {named(node['name'])} ({node['node_id']})",
        f"Peers: {len(peers)} ({listed})",
    ]
    return "\n".join(lines)


async def invite_create(arguments: Arguments) -> str:
    """Return the address of a room."""
    url = invites.create(arguments["group"], arguments.get("relay_url"), arguments.get("relay_token"))
    secret = (
        "\nIt holds the relay's token: whoever reads it can use that." if arguments.get("relay_token") else ""
    )
    return f"{url}\nThe other side calls sym_invite_info and sym_join_group with it.{secret}"


async def invite_info(arguments: Arguments) -> str:
    """Say what an address holds, and the call that follows it."""
    if arguments["url"].startswith(COVEY_INVITE):
        return _signed_invite(arguments["url"])
    found = invites.read(arguments["url"])
    wanted = {name: found[name] for name in ("group", "relay_url", "relay_token") if name in found}
    return f"{json.dumps(found, indent=2)}\nTo go there: sym_join_group {json.dumps(wanted)}"


def _signed_invite(line: str) -> str:
    """Say what covey's own invite holds, its secrets left out; to use it is a person's decision."""
    from covey import _core

    try:
        found = _core.Invite.parse(line)
    except _core.CoreError as error:
        raise UsageError(f"not an invite: {error.detail}") from error
    told = {
        "app": "covey",
        "group": found.room,
        "service_type": f"_{found.room}._tcp",
        "inviter": found.name,
        "inviter_fingerprint": found.fingerprint,
        "relays": list(found.relays),
        "expires": when(found.expires_ms),
    }
    return f"{json.dumps(told, indent=2)}\nIt is signed, and a secret. To go there your user runs: covey join"


async def join(mesh: Mesh, arguments: Arguments) -> str:
    """Move the peer to another room."""
    room = arguments["group"]
    wrong = room_complaint(room)
    if wrong:
        raise UsageError(f"group: expected {wrong}")
    if arguments.get("relay_token") and not arguments.get("relay_url"):
        raise UsageError("relay_token needs relay_url")
    before = (await mesh.request("status"))["node"]["room"]
    await mesh.join(room, arguments.get("relay_url"), arguments.get("relay_token"))
    return (
        f'Hot-swapped from group "{before}" (_{before}._tcp) to "{room}" (_{room}._tcp).\n'
        f"It lasts as long as this server: covey mcp install --room {room} writes it down."
    )


async def discover(mesh: Mesh) -> str:
    """List the rooms that running peers of this user sit in."""
    found: dict[str, list[str]] = {}
    for each in await mesh.running():
        found.setdefault(str(each["room"]), []).append(named(str(each["peer"])))
    if not found:
        return "No peer of yours runs on this machine."
    lines = [f"{room} (_{room}._tcp): {', '.join(sorted(names))}" for room, names in sorted(found.items())]
    return "\n".join([f"{len(found)} group(s) on this machine:", *lines])

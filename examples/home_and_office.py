"""Two agents, at home and at the office, that only meet at a relay, end up with the same project document.

Run it: .venv/bin/python examples/home_and_office.py
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

PARTS = {"home": ("goal", "a bridge that sways less"), "office": ("deadline", "the first of May")}


async def agent(name: str, relay: str, folder: Path) -> None:
    """Run one peer: no listening, no discovery, only the relay; write one part, wait for all of them."""
    from covey import core
    from covey.net.tcp import TcpTransport
    from covey.net.websocket import WebSocketClient
    from covey.proto.options import NodeOptions, RelayOptions
    from covey.proto.state.replicas import StateOptions
    from covey.runtime.node import Node
    from covey.runtime.state import SharedState
    from covey.store import NodeStore, open_store
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy

    number = sorted(PARTS).index(name) + 1
    who = core.Identity(f"01997c00-0000-7000-8000-{number:012d}", name, secrets.token_bytes(32))
    clock = SystemClock()
    store = NodeStore(open_store(folder / f"{name}.db", who.node_id), who, clock)
    state = SharedState(who, StateOptions("project"), store)
    node = Node(
        who,
        NodeOptions(room="project", relays=(RelayOptions(relay),), outbound_only=True),
        store=store,
        transport=TcpTransport(),
        relays=[WebSocketClient()],
        plugins=(state,),
        clock=clock,
        entropy=SystemEntropy(),
    )
    changed, there = asyncio.Event(), {}
    state.watch(lambda _: changed.set())
    async with node:
        await state.set(*PARTS[name])
        while len(there) < len(PARTS) or not await asyncio.to_thread(ask, name, there):
            there = {key: found for key in dict(PARTS.values()) if (found := state.get(key)) is not None}
            if len(there) < len(PARTS):
                await changed.wait()
                changed.clear()
    store.close()


def ask(name: str, document: dict[str, object]) -> bool:
    """Say what is known; the parent answers once both have said the same, so that nobody leaves too early."""
    sys.stdout.write(f"{name}: {json.dumps(document, sort_keys=True)}\n")
    sys.stdout.flush()
    return bool(sys.stdin.readline())


def main() -> int:
    """Start a relay and both agents, each a process of its own; print what each ends with."""
    covey = [sys.executable, "-m", "covey", "relay", "--listen", "127.0.0.1:0", "--json"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(covey, stdout=subprocess.PIPE) as relay:
        try:
            address = json.loads(relay.stdout.readline())["url"]
            words = [sys.executable, __file__]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ}
            agents = [subprocess.Popen([*words, name, address, folder], **pipes) for name in PARTS]
            said = [each.stdout.readline() for each in agents]
            for each in agents:
                each.communicate("enough\n")
        finally:
            relay.terminate()
    print("".join(said), end="")
    documents = {line.partition(": ")[2] for line in said}
    print(f"same: {len(documents) == 1}")
    return 0 if len(documents) == 1 and all(each.returncode == 0 for each in agents) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(agent(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    else:
        raise SystemExit(main())

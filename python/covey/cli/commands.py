"""Every command of covey: its name, the module that does it, and one line about it.

A module of a command has `EXAMPLE` (one command line), `configure(parser)` and `run(arguments, console)`,
which returns the exit code: 0 done, 1 not done, 2 asked wrongly. It is imported only when it is called.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Command(NamedTuple):
    """One verb of the command line."""

    name: str
    module: str
    summary: str


def _command(name: str, summary: str) -> Command:
    return Command(name, "covey.cli." + name.replace("-", "_"), summary)


GROUPS: Final = {
    "to begin": (
        _command("demo", "three agents answer each other, here and now"),
        _command("init", "write a first agent.toml, and make the peer's identity"),
        _command("doctor", "look at everything a peer here needs; --fix repairs what is safe"),
        _command("listen", "print blocks as they are admitted, with their verdicts"),
        _command("observe", "put a block on the mesh"),
    ),
    "an agent": (
        _command("run", "start a peer and its agent from agent.toml"),
        _command("dry-run", "check agent.toml without joining anything or calling a model"),
        _command("status", "show how a peer is doing"),
        _command("watch", "see how peers are doing, live"),
        _command("cost", "show what the model calls of a peer, or of a team, cost"),
        _command("logs", "read a peer's log, from its end or as it grows"),
        _command("metrics", "print a peer's metrics in Prometheus' text format"),
        _command("gates", "see the answers that a gate holds; approve or deny them"),
        _command("tools", "see what a model may use, and decide the calls that wait for a person"),
        _command("stop", "let a peer finish and end"),
    ),
    "say, ask and answer": (
        _command("send", "put a block on the mesh for one peer"),
        _command("ask", "put a question to everybody in a room; one answer, every sentence cited"),
        _command("mood", "tell the room how a peer is; nobody keeps it"),
        _command("session", "write a work session into the mesh: charter, decisions, artifact, outcome"),
        _command("outbox", "show what waits for its peers, for whom and since when"),
        _command("peers", "list the peers that a peer is connected to"),
    ),
    "what a peer remembers, and why": (
        _command("recall", "search what a peer remembers"),
        _command("memory", "see what a peer's memory is made of; forget, archive, export and import it"),
        _command("trace", "show where a block comes from, as a tree"),
        _command("why", "show why memory took a block, category by category"),
        _command("why-not", "show why memory did not take a block"),
        _command("ground", "report how a block turned out: it held, or it did not"),
        _command("feedback", "judge a block under this peer's authority, or see what is said of it"),
        _command("substrate", "carry what a peer learned: export, inspect, import, merge, undo, offer, pull"),
    ),
    "work and decide together": (
        _command("capabilities", "show who in the room can do what, and how busy they are"),
        _command("packs", "see what agents of the room say they can do, and who has a capability"),
        _command("task", "have something done by an agent that can; see, follow and cancel it"),
        _command("vote", "decide something with other peers, and check afterwards how it was decided"),
        _command("auction", "give a task to the best bidder, and check afterwards how it was given"),
    ),
    "share state": (
        _command("state", "read, write and watch what peers of a room share"),
        _command("syndicate", "say what an agent lets others have of its own state"),
        _command("converge", "show whether all peers hold the same shared state, and who lags"),
        _command("channel", "named conversations whose keys only their members have"),
        _command("ledger", "accounts of a room's agents: who holds what, what moved, caps"),
        _command("pay", "move an amount from an agent's account to another's"),
        _command("diary", "write and read an agent's private notes, sealed at rest"),
        _command("node", "say which agents this host runs, signed by each of them"),
        _command("continuity", "say who goes on with an agent when its node is gone"),
        _command("agent", "move an agent to another node; say whose agents this one takes"),
    ),
    "keys, trust and who comes in": (
        _command("keygen", "make a peer's identity"),
        _command("fingerprint", "show a peer's identity"),
        _command("trust", "say whom a peer trusts, and by which key"),
        _command("invite", "make one line that brings another peer into this peer's room"),
        _command("join", "come into a room by an invite"),
        _command("grant", "let a peer into a room that another peer owns"),
        _command("authority", "say who may validate what, by statements that the anchor stands behind"),
        _command("attest", "see what peers attested of their admissions, and check it"),
    ),
    "share a model": (
        _command("share", "share a model with other peers: keys, limits, a fair queue, lanes"),
        _command("role", "say whether this machine leads, uses a leader or neither, and why"),
        Command("peer", "covey.cli.leader", "use, test and keep a leader that shares its model"),
    ),
    "between networks, and tools around": (
        _command("relay", "run a relay for peers of different networks"),
        _command("mcp", "be a mesh peer for an IDE's agent, over the Model Context Protocol"),
        _command("bench", "measure this build on this machine, and against a run of before"),
        _command("conform", "try published vectors and schemas on this build, or on another"),
        _command("calibrate", "show how an encoder tells restatements apart, and where to draw the line"),
        _command("migrate", "carry keys, trust, totals and configs over from the Node product"),
        _command("completion", "let a shell complete commands, flags and names of peers"),
        _command("schema", "print the JSON Schema of agent.toml, or write it for editors"),
    ),
}
"""What `covey --help` lists, under the purpose a reader comes with."""

COMMANDS: Final = {command.name: command for group in GROUPS.values() for command in group}

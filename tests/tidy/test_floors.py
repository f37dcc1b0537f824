"""The floors of the house, proved by walking the imports of every module of the package."""

import ast

import pytest

from tests.tidy import tree

FLOORS: dict[str, int] = {
    # 0: the native core and its public face; everything may stand on it
    "_core": 0,
    "core": 0,
    "values": 0,
    # 1: values
    "errors": 1,
    "hindsight": 1,
    "model": 1,
    "limits": 1,
    "names": 1,
    "typed": 1,
    "settings": 1,
    # 2: engines, pure
    "proto": 2,
    # 3: typing.Protocol only
    "ports": 3,
    # 4: adapters
    "store": 4,
    "net": 4,
    "models": 4,
    "tools": 4,
    "http": 4,
    "system": 4,
    # also 4, the lowest that may read files and start a program: it judges the build, and nothing helps it
    "conform": 4,
    # 5: capabilities, pure over ports
    "memory": 5,
    "cognition": 5,
    "safety": 5,
    "agent": 5,
    "state": 5,
    "fleet": 5,
    "inference": 5,
    "substrate": 5,
    # 6: shells that drive engines
    "runtime": 6,
    "sim": 6,
    # 7: argv, environment, exit
    "cli": 7,
    # also 7: what a program holds in its hands is put together as a command is
    "api": 7,
    # and what measures whole peers puts them together too
    "bench": 7,
    "__main__": 7,
}
MAY_IMPORT: dict[int, frozenset[int]] = {
    0: frozenset({0}),
    1: frozenset({0, 1}),
    2: frozenset({0, 1, 2}),
    3: frozenset({0, 1, 2, 3}),
    4: frozenset({0, 1, 2, 3}),  # and its own room
    5: frozenset({0, 1, 2, 3}),  # and floor 5 downward in its own order
    6: frozenset({0, 1, 2, 3, 5, 6}),  # adapters arrive as constructor arguments
    7: frozenset(range(8)),
}
CAPABILITY_ORDER = {
    "safety": 0,
    "memory": 0,
    "state": 0,
    "cognition": 1,
    "fleet": 1,
    "substrate": 1,
    "inference": 1,
    "agent": 2,
}
IMPURE = frozenset({"socket", "ssl", "time", "random", "secrets", "os", "logging", "threading", "subprocess"})
BANNED_MODULES: dict[int, frozenset[str]] = {
    1: frozenset({"asyncio", "socket", "ssl", "time", "random", "secrets", "threading", "subprocess"}),
    2: IMPURE | {"asyncio", "uuid", "pathlib", "datetime", "tempfile", "io", "sqlite3"},
    3: IMPURE | {"asyncio"},
    5: IMPURE | {"asyncio", "pathlib", "sqlite3", "tempfile"},
}
PORT_BASES = frozenset({"Protocol"})


def room_of(name: str) -> str:
    """Return the room a file of the package belongs to: `covey/net/tcp.py` is in `net`."""
    return name.removeprefix("covey/").removesuffix(".py").split("/")[0]


def imports(name: str, body: str) -> list[tuple[int, str]]:
    """Return (line, dotted module) of every import, wherever it stands; relative ones made absolute."""
    package = name.removesuffix("/__init__.py").removesuffix(".py").split("/")
    if not name.endswith("__init__.py"):
        package = package[:-1]
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(body)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            whole = base == "covey"  # `from covey import limits` names rooms
            found += [(node.lineno, f"{base}.{alias.name}" if whole else base) for alias in node.names]
    return found


def import_breach(room: str, imported: str) -> str | None:
    """Say why `room` may not import `imported`, or None."""
    floor = FLOORS[room]
    top, _, rest = imported.partition(".")
    if top != "covey":
        return f"floor {floor} bans {top}" if top in BANNED_MODULES.get(floor, ()) else None
    other = rest.split(".")[0]
    if other in ("", "__version__") or other == room:
        return None
    if other not in FLOORS:
        return f"room without a floor: {other}"
    if floor == 5 and FLOORS[other] == 5:
        downward = CAPABILITY_ORDER[other] < CAPABILITY_ORDER[room]
        return None if downward else f"floor 5 goes downward only: {room} imports {other}"
    if FLOORS[other] not in MAY_IMPORT[floor] or (floor == FLOORS[other] == 4):
        return f"floor {floor} ({room}) imports floor {FLOORS[other]} ({other})"
    return None


def breaches(files: dict[str, str]) -> list[str]:
    """Return every import that breaks a floor."""
    found = []
    for name, body in files.items():
        room = room_of(name)
        if room == "__init__":
            found += [
                f"{name}:{line}: the package root imports {module}" for line, module in _root(name, body)
            ]
            continue
        if room not in FLOORS:
            found.append(f"{name}: room without a floor: {room}")
            continue
        for line, module in imports(name, body):
            why = import_breach(room, module)
            if why:
                found.append(f"{name}:{line}: {why}")
    return found


def _root(name: str, body: str) -> list[tuple[int, str]]:
    """The root is imported before everything: it may name rooms lazily, never load one."""
    light = ("__future__", "typing", "importlib")
    return [(line, module) for line, module in imports(name, body) if module.split(".")[0] not in light]


def calls_on_pure_floors(files: dict[str, str]) -> list[str]:
    """Return calls of `open` and reads of the clock on floors 2 and 5."""
    found = []
    for name, body in files.items():
        if FLOORS.get(room_of(name)) not in (2, 5):
            continue
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "datetime.now", "time.time"):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node.func)} on a pure floor")
    return found


def ports_that_are_more(body: str) -> list[str]:
    """Return classes of ports.py that are not protocols, and functions that stand outside a class."""
    found = []
    for node in ast.parse(body).body:
        if isinstance(node, ast.ClassDef) and not PORT_BASES & {ast.unparse(base) for base in node.bases}:
            found.append(f"not a Protocol: {node.name}")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(f"a function among the ports: {node.name}")
    return found


def test_every_import_keeps_its_floor():
    assert breaches(tree.package()) == []


def test_pure_floors_open_nothing_and_read_no_clock():
    assert calls_on_pure_floors(tree.package()) == []


def test_ports_are_protocols_only():
    rooms = {name: body for name, body in tree.package().items() if name.startswith("covey/ports/")}
    assert "covey/ports/__init__.py" in rooms
    assert [more for body in rooms.values() for more in ports_that_are_more(body)] == []


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("covey/model.py", "from covey.proto import node", "floor 1 (model) imports floor 2 (proto)"),
        ("covey/proto/node.py", "import asyncio", "floor 2 bans asyncio"),
        ("covey/proto/node.py", "def f():\n    import time", "floor 2 bans time"),
        ("covey/proto/node.py", "from covey import ports", "floor 2 (proto) imports floor 3 (ports)"),
        ("covey/net/tcp.py", "from ..store import writer", "floor 4 (net) imports floor 4 (store)"),
        (
            "covey/agent/loop.py",
            "from covey.models import anthropic",
            "floor 5 (agent) imports floor 4 (models)",
        ),
        ("covey/memory/walk.py", "from covey.agent import loop", "floor 5 goes downward only"),
        ("covey/safety/gates.py", "import covey.memory.walk", "floor 5 goes downward only"),
        (
            "covey/runtime/node.py",
            "from covey.net.tcp import Dialer",
            "floor 6 (runtime) imports floor 4 (net)",
        ),
        ("covey/runtime/node.py", "from covey.cli import main", "floor 6 (runtime) imports floor 7 (cli)"),
        ("covey/attic/x.py", "", "room without a floor: attic"),
        ("covey/cli/x.py", "from covey.attic import x", "room without a floor: attic"),
        ("covey/__init__.py", "from covey import model", "the package root imports covey.model"),
    ],
)
def test_a_breach_is_found(name, body, says):
    found = breaches({name: body})
    assert len(found) == 1
    assert says in found[0]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "covey/proto/node.py",
            "from covey._core import Session\nfrom . import effects\nfrom covey import limits",
        ),
        ("covey/net/tcp.py", "import asyncio\nfrom .dial import rule\nfrom covey.proto.effects import Dial"),
        ("covey/agent/loop.py", "from covey.safety import gates\nfrom covey.ports import Model"),
        ("covey/cli/run.py", "from covey.net import tcp\nfrom covey.runtime import node"),
    ],
)
def test_what_is_allowed_passes(name, body):
    assert breaches({name: body}) == []


def test_other_floor_checks_can_fail():
    assert calls_on_pure_floors({"covey/proto/x.py": "open('f')"}) == [
        "covey/proto/x.py:1: open on a pure floor"
    ]
    assert ports_that_are_more("class A: ...\ndef f(): ...") == [
        "not a Protocol: A",
        "a function among the ports: f",
    ]

"""Calls and constructions that the package does not use, each with the place where it may stand."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator

import pytest

from tests.tidy import tree

Finder = Callable[[ast.AST], str | None]

SPEAKS = ("covey/cli/", "covey/runtime/console.py", "covey/__main__.py")
"""Where text for a person may go straight to the terminal."""
READS_WORLD = ("covey/cli/", "covey/__main__.py")
"""Where argv and the environment may be read, and the process ended (floor 7)."""
BEFORE_ANY_LOOP = ("covey/system/lock.py",)
"""Where a short wait may block: a lock is tried again at start-up, before a loop runs."""
WALL_CLOCK = ("covey/system/clock.py",)
MAKES_METHODS = ("covey/values.py",)
"""Where methods are made, of our own text alone; everybody else's are made there, at first use."""
SILENT = (ast.Pass, ast.Continue, ast.Break)
BROAD = ("Exception", "BaseException")
REASONED = re.compile(
    r"#\s*(?:type:\s*ignore\[[\w\-, ]+\]|noqa:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)\s*(?P<reason>.*)"
)
SILENCER = re.compile(r"#\s*(?:type:\s*ignore|noqa|pragma:\s*no cover)")


def called(node: ast.AST) -> str:
    """Return the dotted name a call calls, or an empty text."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def prints(node: ast.AST) -> str | None:
    """Find output that bypasses the console and the log."""
    return "print" if called(node) in ("print", "sys.stdout.write", "sys.stderr.write") else None


def sleeps(node: ast.AST) -> str | None:
    """Find a wait that blocks the loop, or that hopes instead of waiting for an event."""
    return "time.sleep" if called(node) in ("time.sleep", "sleep") else None


def wall_clock(node: ast.AST) -> str | None:
    """Find a look at the wall clock: time is an argument (ports.Clock)."""
    clocks = ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    name = called(node).removeprefix("datetime.")
    return name if name in clocks or called(node) in clocks else None


def world(node: ast.AST) -> str | None:
    """Find reads of argv and environment, and ends of the process."""
    reads = ("os.environ", "os.getenv", "sys.argv", "sys.exit", "os._exit", "os.putenv")
    if isinstance(node, ast.Attribute) and ast.unparse(node) in reads:
        return ast.unparse(node)
    return None


def dangerous(node: ast.AST) -> str | None:
    """Find ways to run text as code, or a shell."""
    name = called(node)
    if name in (
        "eval",
        "exec",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.loads",
        "marshal.loads",
        "breakpoint",
    ):
        return name
    if isinstance(node, ast.keyword) and node.arg == "shell":
        return "shell="
    return None


def compiles_early(node: ast.AST) -> str | None:
    """Find classes whose methods would be compiled at import, by hundreds: `covey.values` waits for use."""
    named = [each.name for each in node.names] if isinstance(node, ast.ImportFrom) else []
    if "dataclass" in named and isinstance(node, ast.ImportFrom) and node.module == "dataclasses":
        return "dataclasses.dataclass: take it from covey.values"
    return "dataclasses.dataclass" if called(node) == "dataclasses.dataclass" else None


def swallows(node: ast.AST) -> str | None:
    """Find handlers that catch everything and say nothing."""
    if isinstance(node, ast.ExceptHandler):
        if node.type is None:
            return "bare except"
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(ast.unparse(kind) in BROAD for kind in caught)
        if broad and all(isinstance(step, SILENT) or _says_nothing(step) for step in node.body):
            return "a broad except that says nothing"
    if called(node) in ("contextlib.suppress", "suppress") and isinstance(node, ast.Call):
        return next((f"suppress({ast.unparse(a)})" for a in node.args if ast.unparse(a) in BROAD), None)
    return None


def _says_nothing(step: ast.stmt) -> bool:
    if isinstance(step, ast.Expr):
        return isinstance(step.value, ast.Constant)
    return isinstance(step, ast.Return) and (step.value is None or isinstance(step.value, ast.Constant))


RULES: tuple[tuple[Finder, tuple[str, ...]], ...] = (
    (prints, SPEAKS),
    (sleeps, BEFORE_ANY_LOOP),
    (wall_clock, WALL_CLOCK),
    (world, READS_WORLD),
    (dangerous, MAKES_METHODS),
    (swallows, ()),
    (compiles_early, MAKES_METHODS),
)


def breaches(files: dict[str, str]) -> list[str]:
    """Return every banned construction that stands outside its place."""
    found = []
    for name, body in files.items():
        nodes = list(ast.walk(ast.parse(body)))
        for finder, allowed in RULES:
            if name.startswith(allowed):
                continue
            hits = ((node, finder(node)) for node in nodes)
            found += [f"{name}:{getattr(node, 'lineno', 0)}: {what}" for node, what in hits if what]
    return found


def comments(body: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each comment; `#` inside a string is none."""
    for token in tokenize.generate_tokens(io.StringIO(body).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def silenced_without_reason(files: dict[str, str]) -> list[str]:
    """Return `type: ignore` and `noqa` that name no rule, or have no reason beside or directly above."""
    found = []
    for name, body in files.items():
        said = dict(comments(body))
        for line, comment in said.items():
            if not SILENCER.search(comment):
                continue
            match, above = REASONED.search(comment), said.get(line - 1, "")
            told = above if not SILENCER.search(above) else ""
            if not match or max(len(match["reason"].strip(" #:-")), len(told)) < 8:
                found.append(f"{name}:{line}: {comment}")
    return found


def hoping_tests(files: dict[str, str]) -> list[str]:
    """Return sleeps in tests: a test waits on an event; `asyncio.sleep(0)` only yields."""
    found = []
    for name, body in files.items():
        for node in ast.walk(ast.parse(body)):
            yields = called(node) == "asyncio.sleep" and ast.unparse(node).endswith("(0)")
            if called(node) in ("time.sleep", "asyncio.sleep") and not yields:
                found.append(f"{name}:{getattr(node, 'lineno', 0)}: {called(node)}")
    return found


def test_the_package_keeps_to_the_rules():
    assert breaches(tree.package()) == []


def test_silenced_checks_carry_a_reason():
    assert (
        silenced_without_reason(
            tree.named(under=("python/", "tests/", "benches/", "examples/"), suffix=".py")
        )
        == []
    )


def test_tests_wait_on_events():
    assert hoping_tests(tree.named(under=("tests/",), suffix=".py")) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('x')", "print"),
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("import time\nx = time.time()", "time.time"),
        ("import datetime\nx = datetime.datetime.now()", "datetime.now"),
        ("import os\nx = os.environ['A']", "os.environ"),
        ("import sys\nsys.exit(1)", "sys.exit"),
        ("eval('1')", "eval"),
        ("f(shell=True)", "shell="),
        ("from dataclasses import dataclass, field", "covey.values"),
        ("try:\n    f()\nexcept:\n    raise", "bare except"),
        ("try:\n    f()\nexcept Exception:\n    pass", "a broad except that says nothing"),
        (
            "def g():\n    try:\n        f()\n    except (OSError, Exception):\n        return None",
            "says nothing",
        ),
        ("import contextlib\nwith contextlib.suppress(Exception):\n    f()", "suppress(Exception)"),
    ],
)
def test_a_banned_construction_is_found(body, says):
    found = breaches({"covey/proto/x.py": body})
    assert len(found) == 1
    assert says in found[0]


def test_what_may_stand_passes():
    assert breaches({"covey/cli/x.py": "import sys\nprint(sys.argv)"}) == []
    assert breaches({"covey/net/x.py": "try:\n    f()\nexcept OSError:\n    pass"}) == []
    assert breaches({"covey/net/x.py": "try:\n    f()\nexcept Exception as error:\n    log(error)"}) == []


def test_other_rules_can_fail():
    ignore = "# type: " + "ignore"
    assert silenced_without_reason({"x.py": f"x = f()  {ignore}"}) != []
    assert silenced_without_reason({"x.py": f"x = f()  {ignore}[arg-type]"}) != []
    assert silenced_without_reason({"x.py": f"x = f()  {ignore}[arg-type]  # zeroconf has no stubs"}) == []
    told = f"# zeroconf has no stubs\nx = f()  {ignore}[arg-type]"
    assert silenced_without_reason({"x.py": told}) == []
    assert hoping_tests({"t.py": "import time\ntime.sleep(0.1)"}) == ["t.py:2: time.sleep"]
    assert hoping_tests({"t.py": "async def f():\n    await asyncio.sleep(0)"}) == []

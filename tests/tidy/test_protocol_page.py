"""docs/protocol.md and SECURITY.md against the code: bounds, outcomes, tokens, the tests that they name."""

import re

import pytest

from covey import _core
from covey.proto import receipts
from tests.tidy import tree

PAGE = "docs/protocol.md"
SECURITY = "SECURITY.md"
RUST_CONST = re.compile(r"pub const (\w+): \w+ = ([\d_]+);")
PYTHON_CONST = re.compile(r"^(\w+): Final = ([\d_.]+)", re.MULTILINE)
DEFINED = re.compile(r"^\s*(?:pub )?(?:async )?(?:fn|def) (\w+)", re.MULTILINE)


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, its two first lines left out."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def constants() -> dict[str, float]:
    """Return every bound, native and Python."""
    found = RUST_CONST.findall(tree.text("rust/core/src/limits.rs"))
    for room in tree.named(under=("python/covey/limits/",), suffix=".py"):
        found += PYTHON_CONST.findall(tree.text(room))
    return {name: float(value.replace("_", "")) for name, value in found}


def wrong_bounds(page: str, known: dict[str, float]) -> list[str]:
    """Return the rows of the table of limits that the code does not say."""
    table = [(row[0].strip("`"), float(row[1].replace(",", ""))) for row in rows(page, "Limits")]
    return [f"{name}: {value:g}" for name, value in table if known.get(name) != value]


def all_tests() -> set[str]:
    """Return the names of all functions in the project's tests."""
    python = tree.named(under=("tests/",), suffix=".py")
    rust = tree.named(under=("rust/",), suffix=".rs")
    return {name for body in (python | rust).values() for name in DEFINED.findall(body)}


def unknown_tests(table: list[list[str]], known: set[str]) -> list[str]:
    """Return what the last column names and no test is, and the rows that name nothing."""
    found = []
    for row in table:
        names = re.findall(r"`(\w+)`", row[-1])
        found += [name for name in names if name not in known] or ([] if names else [f"no test: {row[0]}"])
    return found


def test_the_limits_are_the_codes():
    assert wrong_bounds(tree.text(PAGE), constants()) == []
    assert len(rows(tree.text(PAGE), "Limits")) > 20


def test_every_choice_names_a_test():
    table = rows(tree.text(PAGE), "Choices")
    assert [row[0] for row in table] == [str(number) for number in range(1, 16)]
    assert unknown_tests(table, all_tests()) == []
    for row in table:  # one that needs no published vectors, under the choice's number
        assert f"`test_choice_{int(row[0]):02}_" in row[-1]


def test_every_feature_of_the_interop_report_names_a_test_or_says_by_hand():
    table = rows(tree.text("docs/interop.md"), "Result by feature")
    assert len(table) > 20
    tests, known = all_tests(), tree.tracked()
    for row in table:
        names = re.findall(r"`(test_\w+)`", row[-1])
        files = re.findall(r"`([\w/]+\.(?:py|rs))`", row[-1])
        assert names or files, row
        assert [name for name in names if name not in tests] == []
        assert all(any(path.endswith(name) for path in known) for name in files), row


def test_every_error_code_names_a_test():
    table = rows(tree.text(PAGE), "Errors")
    assert [row[0] for row in table] == [*map(str, range(1001, 1012)), "2001"]
    assert unknown_tests(table, all_tests()) == []


def test_every_threat_names_the_test_that_refuses_it():
    table = rows(tree.text(SECURITY), "Threats, and the test that refuses each")
    assert len(table) > 20
    assert unknown_tests(table, all_tests()) == []


def test_the_page_names_every_extension():
    tokens = set()
    for body in (tree.package() | tree.named(under=("rust/core/src/",), suffix=".rs")).values():
        tokens |= set(re.findall(r"(?:TOKEN|EXTENSION)(?:: &str)? = \"([a-z0-9.-]+)\"", body))
    assert receipts.TOKEN in tokens
    page = tree.text(PAGE)
    assert [token for token in sorted(tokens) if token.rpartition("-v")[0] not in page] == []
    assert not any(token.startswith("mesh-room") for token in tokens)


def test_every_frame_of_our_own_stands_among_the_frames():
    said = " ".join(row[0] for row in rows(tree.text(PAGE), "Frames"))
    bodies = [*tree.named(under=("python/covey/proto/",), suffix=".py").values()]
    found = {name for body in bodies for name in re.findall(r"\"(x-covey-[a-z-]+)\"", body)}
    assert {"x-covey-delivery", "x-covey-state"} <= found
    assert [name for name in sorted(found) if f"`{name}`" not in said] == []


def written_receipt() -> bytes:
    """Return the frame the native core writes for one judged record."""
    author = _core.Identity("01997c00-0000-7000-8000-000000000001", "author", b"\x01" * 32)
    head = {"node_id": author.node_id, "author": "author", "created_ms": 1, "room": "default"}
    record = _core.sign(_core.Draft({"focus": "hello"}, **head), author)
    intake = _core.Intake("01997c00-0000-7000-8000-000000000002", "default", [1.0] * 7)
    batch = _core.RecordBatch([record])
    outcomes = intake.evaluate(batch, session_node_id=author.node_id, now_ms=2, entropy=b"\0" * 32)
    told = outcomes.receipt(duplicates=True)
    assert told is not None
    return told[1]


def test_the_page_spells_receipts_as_the_code_does():
    page = tree.text(PAGE)
    table = rows(page, "The extension `x-covey-delivery-v1`")
    said = {name: row[-1] for row in table for name in re.findall(r"`(\w+)`", row[0])}
    assert said == {name: state.value for name, state in receipts.STATES.items()}
    assert "[a-z0-9 _.,:<>=/()-]" in page
    every = "".join(chr(sign) for sign in range(32, 127) if receipts.clean(chr(sign)) == chr(sign))
    assert receipts.parse(receipts.write([("asrt-" + "0" * 64, "executed", every)]))[0].reason == every
    example = page.split("```json\n")[1].split("\n```")[0].replace("asrt-…", "asrt-" + "0" * 64).encode()
    assert [receipt.assertion_id for receipt in receipts.parse(example)]
    assert written_receipt().startswith(example.split(b"asrt-")[0]), "the core writes the same members"


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ([["1", "a", "`test_a`"]], []),
        ([["1", "a", "`test_b`"]], ["test_b"]),
        ([["1", "a", "nothing"]], ["no test: 1"]),
    ],
)
def test_a_test_that_does_not_exist_is_found(table, found):
    assert unknown_tests(table, {"test_a"}) == found


def test_a_wrong_bound_is_found():
    page = "\n## Limits\n\n| constant | bound |\n|---|---|\n| `A` | 1,024 |\n| `B` | 2 |\n"
    assert wrong_bounds(page, {"A": 1024.0, "B": 3.0}) == ["B: 2"]

"""Rust tests that read published files pass where the files are not; here each is skipped, so that it shows.

The runner of Rust knows no skip. A line for each is printed on its way; the summary of pytest, which closes
`make test`, says it once more for each file of tests: how many, which, and what they lack.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conformance.conftest import SIBLING
from tests.tidy import tree

CONSTANT = re.compile(r'^const (\w+): &str = "([^"]+\.json)";', re.MULTILINE)
NAMED = re.compile(r'"([^"]+\.json)"')
READS = "shared::file("


def reading(source: str) -> dict[str, list[str]]:
    """Return the tests of a Rust file that read published files, each with what it reads."""
    constants = dict(CONSTANT.findall(source))
    found = {}
    for block in source.split("#[test]")[1:]:
        name = re.search(r"fn (\w+)\(", block)
        body = block.partition("\n}\n")[0]
        if name is None or READS not in body:
            continue
        words = re.findall(r"\b[A-Z_0-9]+\b", body)
        found[name[1]] = [*NAMED.findall(body), *(constants[word] for word in words if word in constants)]
    return found


def place(path: str) -> Path:
    """Return where a Rust test looks for a file (rust/core/tests/shared)."""
    recorded = path.removeprefix("../golden/")
    if recorded != path and "COVEY_GOLDEN" in os.environ:
        return Path(os.environ["COVEY_GOLDEN"], recorded)
    return Path(os.environ.get("COVEY_VECTORS", SIBLING / "vectors"), path)


FILES = [name for name in tree.tracked() if re.fullmatch(r"rust/\w+/tests/\w+\.rs", name)]
READERS = [name for name in FILES if READS in tree.text(name)]


@pytest.mark.parametrize("name", READERS)
def test_what_rust_tests_read_is_here(name: str):
    tests = reading(tree.text(name))
    lacking = {test: [path for path in paths if not place(path).is_file()] for test, paths in tests.items()}
    passed_over = [test for test, paths in lacking.items() if paths]
    if passed_over:
        paths = sorted({path for missing in lacking.values() for path in missing})
        pytest.skip(
            f"cargo test passes over {len(passed_over)} of {name}: {', '.join(passed_over)}: "
            f"no {', '.join(paths)}; set COVEY_VECTORS"
        )


def test_every_reader_is_known():
    assert len(READERS) >= 7
    for name in READERS:
        tests = reading(tree.text(name))
        assert sum(map(len, tests.values())) >= tree.text(name).count(READS) > 0, name
        assert all(tests.values()), name


def test_a_test_that_reads_a_file_is_found_with_its_file():
    source = """const E2E: &str = "v2/e2e.json";
#[test]
fn by_name() {
    let Some(data) = shared::file("v1/a.json") else { return };
}

#[test]
fn by_constant() {
    let Some(data) = shared::file(E2E) else { return };
}

#[test]
fn by_itself() {
    assert!(true);
}

fn helper() { shared::file("v1/b.json"); }
"""
    assert reading(source) == {"by_name": ["v1/a.json"], "by_constant": ["v2/e2e.json"]}

"""docs/acceptance.md against the tests: every row of every section is there, proved by name or visibly open.

A section is a heading that ends in its range, as `## Shared state (A-01 to A-30)`; it says in one line which
of its rows are open. Any prefix will do: a new section is checked as soon as it has such a heading.
"""

import re

import pytest

from tests.tidy import tree
from tests.tidy.test_protocol_page import all_tests

PAGE = "docs/acceptance.md"
HEADING = re.compile(r"^## .*\(([A-Z])-(\d{2}) to \1-(\d{2})\)$", re.MULTILINE)
OPEN = re.compile(r"^Open: (.+)\.$", re.MULTILINE)
NAME = re.compile(r"`(\w+)`")


def sections(page: str) -> dict[str, str]:
    """Return each section's text by its range, as `A-01 to A-30`."""
    found = list(HEADING.finditer(page))
    ends = [each.start() for each in found[1:]] + [len(page)]
    names = [f"{each[1]}-{each[2]} to {each[1]}-{each[3]}" for each in found]
    return {name: page[each.end() : end] for name, each, end in zip(names, found, ends, strict=True)}


def listed(body: str) -> list[list[str]]:
    """Return the cells of a section's table."""
    lines = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def expected(span: str) -> list[str]:
    """Return the rows of a range."""
    first, last = span.split(" to ")
    return [f"{first[0]}-{number:02}" for number in range(int(first[2:]), int(last[2:]) + 1)]


def said_open(body: str) -> list[str]:
    """Return the rows that a section says are open."""
    found = OPEN.search(body)
    return [] if found is None or found[1] == "none" else found[1].split(", ")


def breaches(page: str, tests: set[str]) -> list[str]:
    """Return what is wrong with the page."""
    wrong: list[str] = []
    for span, body in sections(page).items():
        table = listed(body)
        rows = [row[0] for row in table]
        if rows != expected(span):
            wrong.append(f"{span}: rows missing, twice or out of order: {set(expected(span)) ^ set(rows)}")
        is_open = [row[0] for row in table if re.fullmatch(r"open: .+", row[-1])]
        if OPEN.search(body) is None or is_open != said_open(body):
            wrong.append(f"{span}: says {said_open(body)} are open, and lists {is_open}")
        wrong += [problem for row in table if row[0] not in is_open for problem in unproved(row, tests)]
    return wrong


def unproved(row: list[str], tests: set[str]) -> list[str]:
    """Return what is wrong with the tests of one row: each exists, and is named after it."""
    names, mark = NAME.findall(row[-1]), f"_{row[0].replace('-', '').lower()}_"
    if not names:
        return [f"{row[0]}: names no test, and is not open"]
    return [
        f"{row[0]}: {name}: {'is no test' if name not in tests else 'is not named after the row'}"
        for name in names
        if name not in tests or mark not in name
    ]


def test_every_row_is_proved_by_a_test_of_its_name_or_visibly_open():
    page = tree.text(PAGE)
    assert "A-01 to A-30" in sections(page)
    assert breaches(page, all_tests()) == []


SAMPLE = """
## Some (B-01 to B-02)

Open: {open}.

| row | what | proved by |
|---|---|---|
| B-01 | one | {one} |
| B-02 | two | {two} |
"""


@pytest.mark.parametrize(
    ("is_open", "one", "two", "wrong"),
    [
        ("none", "`test_b01_it`", "`test_b01_b02_both`", 0),
        ("B-02", "`test_b01_it`", "open: later", 0),
        ("none", "`test_b01_it`", "open: later", 1),
        ("B-02", "`test_b01_it`", "`test_b01_b02_both`", 1),
        ("none", "`test_b01_it`", "`test_b01_it`", 1),
        ("none", "`test_b01_gone`", "`test_b01_b02_both`", 1),
        ("none", "", "`test_b01_b02_both`", 1),
        ("none", "`test_b01_it`", "later", 1),
    ],
)
def test_a_row_that_is_not_proved_is_found(is_open, one, two, wrong):
    page = SAMPLE.format(open=is_open, one=one, two=two)
    assert len(breaches(page, {"test_b01_it", "test_b01_b02_both"})) == wrong


def test_a_missing_row_and_a_missing_line_about_open_rows_are_found():
    page = SAMPLE.format(open="none", one="`test_b01_it`", two="`test_b02_it`")
    tests = {"test_b01_it", "test_b02_it"}
    assert breaches(page, tests) == []
    assert len(breaches(page.replace("| B-01 | one | `test_b01_it` |\n", ""), tests)) == 1
    assert len(breaches(page.replace("Open: none.", ""), tests)) == 1

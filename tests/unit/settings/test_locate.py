"""Lines of keys: whatever form a TOML text has, a key is found on the line it stands on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.settings.locate import locate

TEXT = """\
# a comment with [brackets] and = signs
top = 1
[a]  # comment
"quoted.key" = "x # not a comment"
b.c.d = [
  1, # [x]
  { e = 2, 'f' = [
     3] },
]
long = \"\"\"
[not.a.table]
key = 1 \\"\"\"
\"\"\"\"
after = 'literal \\'
[[list]]
n = 1
[[list]]
m = '''
'' two quotes'''''
[list.sub]
z = 1979-05-27 07:32:00
[a.deep]
last = {}"""


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "quoted.key"), 4),
        (("a", "b"), 5),
        (("a", "b", "c", "d"), 5),
        (("a", "b", "c", "d", 0), 6),
        (("a", "b", "c", "d", 1, "e"), 7),
        (("a", "b", "c", "d", 1, "f", 0), 8),
        (("a", "long"), 10),
        (("a", "after"), 14),
        (("list",), 15),
        (("list", 0, "n"), 16),
        (("list", 1, "m"), 18),
        (("list", 1, "sub"), 20),
        (("list", 1, "sub", "z"), 21),
        (("a", "deep", "last"), 23),
        (("a", "deep", "missing"), 22),
        (("list", 1, "missing"), 17),
        (("nowhere",), None),
        ((), None),
    ],
)
def test_each_key_has_its_line(at: tuple[str | int, ...], line: int | None) -> None:
    tomllib.loads(TEXT)
    assert locate(TEXT).line(at) == line
    assert locate(TEXT.replace("\n", "\r\n")).line(at) == line


@given(st.text(alphabet="ab=[]{}\"'#.\n ,\\1\t", max_size=60))
def test_any_text_gives_lines_and_never_an_error(text: str) -> None:
    lines = locate(text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for at in paths(data):
        line = lines.line(at)
        assert line is not None
        assert 1 <= line <= text.count("\n") + 1


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        yield (*at, name)
        yield from paths(child, (*at, name))


keys = st.one_of(st.text("abc-_1", min_size=1, max_size=3), st.sampled_from(['"a.b"', "'#'", '"\\u00e9"']))
values = st.recursive(
    st.sampled_from(["1", "true", '"x"', "'#]'", '"""\n= [\n"""', "'''a\n'b'''", "-1.5e3", "1979-05-27"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ",\n # c\n ".join(items) + "]"),
        st.dictionaries(keys, inner, max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(keys, values, max_size=6), st.integers(0, 3))
def test_top_level_keys_are_found_exactly(pairs: dict[str, str], blank: int) -> None:
    text, expected = "", {}
    for key, value in pairs.items():
        text += "\n" * blank
        expected[key] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a bare and a quoted spelling of one key, or a key that is only a number
    lines = locate(text)
    assert [lines.line((name,)) for name in data] == list(expected.values())

"""The page for people: everything that others said is text on it, and nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from covey.runtime.metrics import view

TAGS = {"html", "meta", "title", "style", "h1", "h2", "table", "tr", "th", "td"}


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags, their attributes, and the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in ("td", "th"):
            self.cells.append("")
        self._in_cell = tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


def status(text: str) -> dict[str, Any]:
    latest = [{"event": "wake-skipped", "reason": "stranger", "detail": text, "at_ms": 1}]
    agent = {
        "model": text,
        "run": {"calls": 3},
        "latest": latest,
        "team": None,
        "decisions": {text: {text: 1}},
    }
    node = {"room": text, "relays": [{"relay": text, "detail": ""}], "hosts": [], "counters": {text: 1}}
    return {"peer": text, "node": node, "agent": agent, "pid": 7, text: text}


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(view.page(status(text)))
    return reader


@given(
    st.text(max_size=60)
    | st.sampled_from(["<script>x</script>", '"><img src=x onerror=y>', "&lt;", "\u202ex"])
)
def test_no_text_becomes_a_tag_an_attribute_or_a_control(text: str) -> None:
    reader = read(text)
    assert reader.tags <= TAGS
    assert reader.attributes <= {"lang", "charset", "http-equiv", "content"}
    assert all(char == "\n" or char.isprintable() for char in view.page(status(text)))


def test_it_says_what_status_says() -> None:
    cells = read("<b>me</b> & you").cells
    pairs = dict(zip(cells[::2], cells[1::2], strict=True))
    assert pairs["room"] == pairs["model"] == "<b>me</b> & you"
    assert pairs["relays"] == "relay=<b>me</b> & you"
    assert (pairs["run calls"], pairs["team"], pairs["hosts"], pairs["pid"]) == ("3", "-", "none", "7")
    assert pairs["wake-skipped"] == "stranger <b>me</b> & you"


def test_a_peer_without_an_agent_has_a_page() -> None:
    assert "the agent" not in view.page({**status("x"), "agent": None})

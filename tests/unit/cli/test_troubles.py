"""A person at the terminal hears of troubles that only the log would tell, once each."""

import io
import json

from covey.cli.console import Console
from covey.cli.troubles import Troubles


def entry(event, level="warn", **data):
    return json.dumps({"level": level, "evt": event, "data": data})


def told(*lines, as_json=False):
    out, err = io.StringIO(), io.StringIO()
    sink = Troubles(Console(out, err, env={}, as_json=as_json))
    for line in lines:
        sink(line)
    assert out.getvalue() == ""
    return err.getvalue().splitlines()


def test_each_trouble_is_said_once_with_its_reason():
    lost = entry("relay-lost", relay="relay.example:8443", reason="wrong token")
    assert told(lost, lost, entry("store-trouble", reason="store_full", detail="x")) == [
        "no relay (relay.example:8443): wrong token",
        "cannot store: store_full",
    ]


def test_what_is_no_trouble_and_what_programs_read_is_not_said():
    assert told(entry("relay-lost", level="info", reason="closed"), entry("session-closed", reason="x")) == []
    assert told(entry("store-trouble", reason="store_full"), as_json=True) == []


def test_a_flood_of_reasons_ends():
    assert len(told(*(entry("relay-error", message=f"m{n}") for n in range(200)))) == 64


def test_a_peers_words_stay_on_their_line():
    (line,) = told(entry("relay-error", message="a\nb\x1b[31m"))
    assert line.startswith("the relay says: a") and "\x1b" not in line

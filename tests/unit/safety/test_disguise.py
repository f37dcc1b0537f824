"""X-14: what a text looks like is what gates judge: none of the cheap disguises hides a word."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.limits import GATE_TEXT_CHARS, GATE_TEXTS
from covey.safety import Gates, GatesHeld, GatesPassed
from covey.safety.disguise import views
from covey.safety.gates import DEFAULT_GATES
from covey.settings.gates import GATE_NAMES


@pytest.mark.parametrize(
    "text",
    [
        "GIT PUSH",
        "git\n\n\tpush",
        "git\u2003push",
        "git \\\n  push",
        "g\u200bi\u200ct\u2060 p\u00adu\ufeffsh",
        "g\u180ei\u034ft push",
        "gi\ufe0ft push",
        "g\u0456t \u0440ush",
        "\u0261it pu\u0455h",
        "G\u0399T \u03a1USH",
        "\U0001d420\U0001d422\U0001d42d \U0001d429\U0001d42e\U0001d42c\U0001d421",
        "\uff47\uff49\uff54 \uff50\uff55\uff53\uff48",
        "ⓖⓘⓣ ⓟⓤⓢⓗ",
        "gít pûsh",
        "g1t pu5h",
        "g.i.t p.u.s.h",
        "g-i-t p-u-s-h",
        "g i t   p u s h",
        "g i t p u s h",
        'g""it pu\\sh',
        "gi't' push",
        "git‐push",
        "ցіт рυѕһ",
    ],
)
def test_a_disguised_push_is_a_push(text: str) -> None:
    held = Gates().check({"mood": text})
    assert isinstance(held, GatesHeld), views(text)
    assert held.hits[0].gate == "git push"


@pytest.mark.parametrize(
    "text",
    [
        "Müller prüft den Bericht über die Größe der Datei",
        "версия документа готова, проверьте раздел два",
        "οι χρήστες ζήτησαν αλλαγές στο εγχειρίδιο",
        "ユーザーは変更を求めました",
        "3 items, v1.2 of 2026, a b c and d",
        "I/O costs $40 at 5:30",
    ],
)
def test_other_languages_and_numbers_are_no_disguise(text: str) -> None:
    assert Gates().check({"focus": text}) == GatesPassed()


@given(st.text(max_size=300))
def test_any_text_has_views_and_the_plainest_comes_first(text: str) -> None:
    forms = views(text)
    assert 1 <= len(forms) <= 5
    assert views(forms[0])[0] == forms[0]


@given(st.text(alphabet="gitpush deploy", max_size=60), st.data())
def test_hidden_signs_between_letters_change_nothing(text: str, data: st.DataObject) -> None:
    hidden = st.sampled_from(["", "\u200b", "\u200d", "\u2060", "\u00ad", "\ufe0f", "\u0301"])
    disguised = "".join(char + data.draw(hidden) for char in text)
    plain = isinstance(Gates().check({"focus": text}), GatesHeld)
    assert isinstance(Gates().check({"focus": disguised}), GatesHeld) or not plain


@pytest.mark.parametrize(
    "text", ["a", "a1", "a.", "a ", "'a", "1", "\u0430\u200b", "rm -", "git ", "publish "]
)
def test_the_longest_text_is_looked_at_in_bounded_time(text: str) -> None:
    long = (text * GATE_TEXT_CHARS)[:GATE_TEXT_CHARS]
    began = time.perf_counter()
    Gates().check({"focus": long})
    assert time.perf_counter() - began < 2.0, "some ten milliseconds; a quadratic pattern would take minutes"


def test_x14_the_application_payload_is_looked_at_to_its_last_text() -> None:
    payload = {"steps": [{"run": "make"}, {"run": "g\u0456t push"}], "deploy": True}
    held = Gates().check({"focus": "fine"}, json.dumps(payload).encode())
    assert isinstance(held, GatesHeld)
    assert {(hit.category, hit.gate) for hit in held.hits} == {
        ("application.steps[1].run", "git push"),
        ("application (a name)", "deploy"),
    }
    assert Gates().check({"focus": "fine"}, b'{"run": "make"}') == GatesPassed()


@pytest.mark.parametrize(
    ("data", "gate"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"rm -rf / is no JSON", "rm -rf"),
        (json.dumps(["x"] * (GATE_TEXTS + 1)).encode(), "too much to check"),
        (json.dumps("a" * (GATE_TEXT_CHARS + 1)).encode(), "too long to check"),
    ],
)
def test_x14_a_payload_that_cannot_be_looked_at_is_held(data: bytes, gate: str) -> None:
    held = Gates().check({}, data)
    assert isinstance(held, GatesHeld)
    assert held.hits[0].gate == gate


def test_gates_go_by_the_names_that_a_configuration_knows() -> None:
    assert tuple(DEFAULT_GATES) == GATE_NAMES
    without = Gates("default", without=["deploy"])
    assert without.check({"focus": "deploy"}) == GatesPassed()
    assert isinstance(without.check({"focus": "git push"}), GatesHeld)

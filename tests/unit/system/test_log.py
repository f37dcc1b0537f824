"""The log: JSON lines without secrets, in files that rotate, and never in the caller's way."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from covey.errors import StoreError
from covey.system.log import SCRUBBED, Log, LogFile, Rotation, Scrubber, tee, timestamp


class Clock:
    def now_ms(self) -> int:
        return 1_767_225_600_007

    def monotonic(self) -> float:
        return 0.0


def log_to(lines: list[str], level: str = "info") -> Log:
    return Log(lines.append, Clock(), peer="writer", level=level)


def test_a_line_is_one_object_with_time_level_event_peer_and_data() -> None:
    lines: list[str] = []
    log_to(lines).info("emitted", key="cmb-1", said={"focus": "a\nb"})
    assert lines[0].count("\n") == 1
    assert json.loads(lines[0]) == {
        "ts": "2026-01-01T00:00:00.007Z",
        "level": "info",
        "evt": "emitted",
        "peer": "writer",
        "data": {"key": "cmb-1", "said": {"focus": "a\nb"}},
    }


def test_what_is_less_important_than_the_level_is_not_written() -> None:
    lines: list[str] = []
    log = log_to(lines, "warn")
    for write in (log.debug, log.info, log.warn, log.error):
        write("evt")
    assert [json.loads(line)["level"] for line in lines] == ["warn", "error"]


@pytest.mark.parametrize(
    "text",
    [
        "key sk-ant-api03-abcdefghijkl is wrong",
        "key sk-proj-abcdefghijkl is wrong",
        "Authorization: Bearer abcdefghijklmnop",
        "OPENAI_API_KEY=abcdefghijkl",
        '{"api_key": "abcdefghijkl"}',
        "https://user:abcdefghijkl@host/v1",
        "Authorization: Basic abcdefghijkl==",
        "COVEY_PASSPHRASE=abcdefghijkl",
        "relay_token: 'abcdefghijkl'",
        "pushed with ghp_abcdefghijkl0123",
        "refused AKIAabcdefghijkl",
        "cookie eyJhbGciOiJ.abcdefghijkl.abcdefghijkl",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nabcdefghijkl\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----\nabcdefghijkl, cut off",
    ],
)
def test_what_looks_like_a_secret_is_scrubbed_from_text(text: str) -> None:
    assert "abcdefghijkl" not in Scrubber().text(text)
    assert SCRUBBED in Scrubber().text(text)


def test_secrets_are_scrubbed_by_name_and_by_value_wherever_they_hide() -> None:
    lines: list[str] = []
    log = log_to(lines)
    log.scrubber.learn("hunter2-hunter2")
    log.error(
        "failed", api_key="x1", nested={"deep": [{"relay_token": "x2"}]}, why="said hunter2-hunter2 loudly"
    )
    assert json.loads(lines[0])["data"] == {
        "api_key": SCRUBBED,
        "nested": {"deep": [{"relay_token": SCRUBBED}]},
        "why": f"said {SCRUBBED} loudly",
    }


SECRETS = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=48)
PLACES = st.recursive(
    st.just("plain"),
    lambda inner: (
        st.tuples(st.just("list"), inner)
        | st.tuples(st.just("value"), inner)
        | st.tuples(st.just("key"), inner)
        | st.tuples(st.just("object"), inner)
        | st.tuples(st.just("text"), inner)
    ),
    max_leaves=6,
)


class Shown:
    """Anything that is logged by what it says of itself."""

    def __init__(self, said: object) -> None:
        self.said = said

    def __str__(self) -> str:
        return f"<{self.said}>"


def hidden(secret: str, place: object) -> object:
    """Hide a secret as deep as `place` says, in values, in keys, in what objects say of themselves."""
    if not isinstance(place, tuple):
        return secret
    kind, inner = place
    below = hidden(secret, inner)
    made: dict[str, object] = {
        "list": [1, below],
        "value": {"why": below},
        "key": {str(below): 1},
        "object": Shown(below),
        "text": f"error: {below} (refused)",
    }
    return made[kind]


@given(SECRETS, PLACES)
def test_a_known_secret_is_in_no_line_however_it_is_hidden(secret: str, place: object) -> None:
    assume(secret not in SCRUBBED)
    lines: list[str] = []
    log = log_to(lines, "debug")
    log.scrubber.learn(secret)
    log.debug("evt", found=hidden(secret, place), traceback=[f"  raise X({secret!r})"])
    assert len(lines) == 1
    assert secret not in every_text(json.loads(lines[0])["data"])


KEYS = st.from_regex(
    r"(sk-(ant-api03|proj)-|Bearer |ghp_|hf_|AKIA)[A-Za-z0-9_-]{16,40}", fullmatch=True
) | st.from_regex(r"eyJ[A-Za-z0-9_-]{8,20}\.[A-Za-z0-9_-]{8,20}\.[A-Za-z0-9_-]{8,20}", fullmatch=True)


@given(KEYS, PLACES)
def test_what_looks_like_a_key_is_in_no_line_however_it_is_hidden(secret: str, place: object) -> None:
    lines: list[str] = []
    log_to(lines).info("evt", found=hidden(secret, place))
    assert secret.removeprefix("Bearer ") not in every_text(json.loads(lines[0])["data"])


def every_text(value: object) -> str:
    """Return every key and text of a JSON value, one per line: what JSON escapes is no hiding place."""
    if isinstance(value, dict):
        return "\n".join(f"{key}\n{every_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(map(every_text, value))
    return str(value)


def test_counts_of_tokens_are_no_secrets() -> None:
    data = {"input_tokens": 7, "max_tokens": 1024, "token": 3}
    assert Scrubber().value(data) == data


def test_a_secret_that_begins_like_another_leaves_nothing_of_it() -> None:
    assert Scrubber(["abcdefgh", "abcdefghijklmnop"]).text("abcdefghijklmnop") == SCRUBBED


def test_a_short_secret_does_not_hide_half_the_log() -> None:
    assert Scrubber(["a"]).text("a banana") == "a banana"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.just(object()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=8,
    )
)
def test_anything_can_be_logged_and_a_line_stays_a_line(value: object) -> None:
    lines: list[str] = []
    log_to(lines).info("evt", value=value)
    assert lines[0].endswith("\n")
    assert "\n" not in lines[0][:-1]
    json.loads(lines[0])


def test_a_circle_ends() -> None:
    circle: list[object] = []
    circle.append(circle)
    lines: list[str] = []
    log_to(lines).info("evt", circle=circle)
    assert "[too deep]" in lines[0]


def test_a_sink_that_fails_is_counted_and_hinders_nobody() -> None:
    lines: list[str] = []

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    log = Log(tee(full, lines.append), Clock())
    log.info("evt")
    assert log.lost == 1
    assert len(lines) == 1


def test_a_file_is_private_and_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "writer.log"
    for text in ("one\n", "two\n"):
        file = LogFile(path)
        file(text)
        file.close()
        file.close()
    assert path.read_text() == "one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_is_set_aside_and_only_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "writer.log"
    file = LogFile(path, Rotation(size_bytes=10, keep=2))
    for number in range(5):
        file(f"line {number}\n")
    file.close()
    found = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert found == {"writer.log": "line 4\n", "writer.log.1": "line 3\n", "writer.log.2": "line 2\n"}


def test_a_line_longer_than_a_file_is_still_written_whole(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "writer.log", Rotation(size_bytes=4, keep=1))
    file("a line\n")
    file.close()
    assert (tmp_path / "writer.log").read_text() == "a line\n"


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open log .*none"):
        LogFile(tmp_path / "none" / "x.log")


def test_timestamps_are_utc_with_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"

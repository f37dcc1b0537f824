"""The diary as a person uses it: the same with the peer running or not; its content is in no file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.e2e.program import Program
from tests.e2e.test_state import listening
from tests.e2e.test_syndicate import holds

CANARY = "canary-nobody-else-reads"


def everything(home: Path) -> bytes:
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_a27_a_diary_is_written_read_searched_exported_and_sealed(covey: Program, tmp_path: Path) -> None:
    covey("keygen", "ann")
    assert covey("diary", "write", "ann", "before", "it", "ran").out == "written: entry 1\n"
    with ExitStack() as stack:
        ann = stack.enter_context(listening(covey, "ann"))
        stack.enter_context(listening(covey, "bob"))
        ann.event("peer-joined")
        assert covey("diary", "write", "ann", stdin=f"{CANARY}\nsecond line\n").code == 0
        assert CANARY in covey("diary", "read", "ann").out
        assert covey("diary", "search", "ann", "SECOND", "--json").json["number"] == 2
        status = covey("diary", "status", "ann", "--json").json
        assert (status["entries"], set(status)) == (2, {"peer", "entries", "first_ms", "last_ms"})
        # Its facts may be shared; they follow what is written.
        assert covey("syndicate", "allow", "ann", "diary", "--to", "bob").code == 0
        shown = covey("syndicate", "show", "ann", "--json").json
        scope = f"agent:{shown['author']}:{shown['rules'][0]['to']}:diary"
        holds(covey, "bob", scope, "entries", 2)
        assert covey("diary", "write", "ann", "a third").code == 0
        holds(covey, "bob", scope, "entries", 3)
        names = covey("state", "list", "bob", "--scope", scope, "--json").json["entries"]
        assert [each["name"] for each in names] == ["entries", "first_ms", "last_ms"]
    out = tmp_path / "diary.export"
    secret = {"COVEY_NEW_PASSPHRASE": "correct horse battery"}
    bare = covey("diary", "export", "ann", "--out", str(out))
    assert (bare.code, "--new-passphrase-file" in bare.err) == (2, True), bare.err
    assert covey("diary", "export", "ann", "--out", str(out), **secret).code == 0
    assert CANARY in covey("diary", "read", "ann", "--from", str(out), **secret).out
    assert covey("diary", "read", "ann", "--from", str(out), COVEY_NEW_PASSPHRASE="another one").code == 1
    assert covey("diary", "read", "ann", "--since", "2999-01-01").out == ""
    assert covey("diary", "read", "ann", "--since", "tomorrow").code == 2
    assert covey("diary", "read", "nobody").code == 1
    assert CANARY.encode() not in everything(tmp_path)


def test_where_the_key_is_sealed_the_diary_is_too(covey: Program) -> None:
    secret = {"COVEY_PASSPHRASE": "correct horse battery"}
    assert covey("keygen", "ann", "--passphrase", "--cost", "interactive", **secret).code == 0
    assert covey("diary", "write", "ann", CANARY, **secret).code == 0
    assert covey("diary", "read", "ann").code == 2, "nobody can be asked here"
    assert covey("diary", "status", "ann", "--json").json["entries"] == 1, "facts need no key"
    assert CANARY in covey("diary", "read", "ann", **secret).out

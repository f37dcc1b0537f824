"""`covey substrate` over real processes: export, inspect, import, merge, undo, and from peer to peer."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from covey import _core
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from tests.e2e.program import ROOM, Program
from tests.e2e.test_state import listening, met

MATTER = (
    "the parser drops the last frame of a burst",
    "frames of a long burst are lost in the parser",
    "the parser takes no more than a burst of frames",
)


def teach(covey: Program, name: str, *texts: str) -> None:
    """Let a peer that does not run hold these as blocks of its own."""
    home, clock = Home(covey.home, covey.home), SystemClock()
    home.prepare_peer(name)
    identity = ids.load_or_create(home.identity_path(name), name, clock, SystemEntropy())
    assert isinstance(identity, ids.PeerIdentity)
    signer = ids.native(identity)
    store = _core.Store.open(home.store_path(name), node_id=signer.node_id)
    for at, text in enumerate((*MATTER, *texts)):
        draft = _core.Draft(
            {"focus": text}, node_id=signer.node_id, author=name, created_ms=clock.now_ms() + at, room=ROOM
        )
        store.put_own(_core.sign(draft, signer), clock.now_ms())
    store.close()


def exported(covey: Program, name: str, file: Path, *words: str) -> Path:
    made = covey("substrate", "export", "--session", name, "--contributor-id", name, "-o", str(file), *words)
    assert made.code == 0, made.err
    return file


def state(folder: Path) -> dict[str, str]:
    """Return every file of a home with its digest; sockets and logs are no state."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "logs" not in file.parts and file.name != "lock"
    }


def test_m35_m38_m39_a_bundle_is_made_inspected_and_taken_apart(covey: Program, tmp_path: Path) -> None:
    teach(covey, "ada", "met Dave and Anna at the market", "the canary sings xylophonically")
    file = exported(covey, "ada", tmp_path / "ada.zip")
    again = exported(covey, "ada", tmp_path / "again.zip")
    assert file.read_bytes() == again.read_bytes(), "the same learning makes the same bytes"
    assert file.stat().st_mode & 0o077 == 0
    assert b"xylophon" not in file.read_bytes() and b"parser" not in file.read_bytes()

    for words in (("--contributor-id", "_identity"), ()):
        refused = covey("substrate", "export", "--session", "ada", "-o", str(tmp_path / "x.zip"), *words)
        assert refused.code == 2 and not (tmp_path / "x.zip").exists()
    said = ("substrate", "export", "--session", "ada", "--contributor-id", "ada", "--explain")
    explained = covey(*said)
    assert "Dave, Anna" in explained.out and "left out: 1" in explained.out
    assert "left out: 0" in covey(*said, "--no-identity-filter").out
    deny = tmp_path / "deny.txt"
    deny.write_text("# names\nparser\n")
    assert "known identity: parser" in covey(*said, "--no-identity-filter", "--deny", str(deny)).out

    before = state(covey.home)
    found = covey("substrate", "inspect", str(file), "--json").json
    assert (found["contributor"], found["concepts"], found["schema_version"]) == ("ada", 1, 2)
    taken = covey("substrate", "import", str(file), "--into", str(tmp_path / "out"))
    assert taken.code == 0 and "nothing was merged" in taken.out
    names = ["admission.json", "ec.json", "manifest.json", "nac.json", "signature.json"]
    assert sorted(os.listdir(tmp_path / "out")) == names  # noqa: PTH208 (names only)
    assert covey("substrate", "import", str(file), "--into", str(tmp_path / "out")).code == 2
    assert state(covey.home) == before, "no peer was touched"

    file.write_bytes(file.read_bytes()[:-1])
    for words in (("inspect", str(file)), ("import", str(file), "--into", str(tmp_path / "no"))):
        refused = covey("substrate", *words)
        assert refused.code == 1 and "not a bundle" in refused.err
    assert not (tmp_path / "no").exists()


def test_m41_merging_is_dry_first_journalled_and_taken_back_exactly(covey: Program, tmp_path: Path) -> None:
    teach(covey, "ada")
    teach(covey, "eve", "a burst of frames, once more")
    teach(covey, "bob")
    ada = exported(covey, "ada", tmp_path / "ada.zip")
    eve = exported(covey, "eve", tmp_path / "eve.zip")
    unsigned = exported(covey, "eve", tmp_path / "unsigned.zip", "--unsigned")

    before = state(covey.home)
    dry = covey("substrate", "merge", "bob", str(ada), str(eve))
    assert dry.code == 0 and "nothing was done: say --apply" in dry.out
    assert state(covey.home) == before
    for file, says in ((unsigned, "nobody signed it"), (ada, "signed by this very peer")):
        peer = "ada" if file is ada else "bob"
        refused = covey("substrate", "merge", peer, str(file), "--apply")
        assert refused.code == 1 and says in refused.err

    assert covey("substrate", "merge", "bob", str(ada), "--apply", "--json").json["applied"] is True
    one = covey("substrate", "show", "bob", "--json").json
    both = covey("substrate", "merge", "bob", str(ada), str(eve), "--apply", "--json").json
    assert [each["verdict"] for each in both["bundles"]] == ["known", "new"]
    again = covey("substrate", "merge", "bob", str(eve), str(ada), "--apply", "--json").json
    assert again["applied"] is False and again["before"] == again["after"] == both["after"]

    assert "would be taken back" in covey("substrate", "undo", "bob", "eve").out
    assert covey("substrate", "undo", "bob", "eve", "--apply").code == 0
    left = covey("substrate", "show", "bob", "--json").json
    assert (left["merged"], left["prior"]) == (one["merged"], one["prior"])
    assert [act["kind"] for act in left["journal"]] == ["merge", "merge", "undo"]
    back = covey("substrate", "merge", "bob", str(eve), "--apply")
    assert back.code == 1 and "--again" in back.err
    assert covey("substrate", "merge", "bob", str(eve), "--apply", "--again").code == 0
    assert covey("substrate", "undo", "bob", "nobody").code == 1


@pytest.mark.parametrize(
    "words", [("merge", "bob"), ("undo", "bob"), ("export",), ("inspect", "x", "--apply")]
)
def test_what_a_verb_lacks_or_does_not_take_is_named(covey: Program, words: tuple[str, ...]) -> None:
    refused = covey("substrate", *words)
    assert refused.code == 2 and refused.err.startswith("covey substrate: ")


def test_m45_a_bundle_goes_from_peer_to_peer_with_the_consent_of_both(covey: Program, tmp_path: Path) -> None:
    teach(covey, "ada")
    with ExitStack() as stack:
        running = [stack.enter_context(listening(covey, name)) for name in ("ada", "bob", "eve")]
        met(covey, "ada", "bob", "eve")
        assert len(running) == 3
        nodes = {name: covey("status", name, "--json").json["node"]["node_id"] for name in ("ada", "bob")}
        file = exported(covey, "ada", tmp_path / "ada.zip")
        given = covey("substrate", "offer", "ada", str(file), "--to", nodes["bob"], "--json").json
        heard: list[dict[str, str]] = []
        while not heard:
            heard = covey("substrate", "offers", "bob", "--json").json["heard"]
        assert (heard[0]["node_id"], heard[0]["digest"]) == (nodes["ada"], given["digest"])
        assert covey("substrate", "offers", "eve").out == "no offers\n"

        came = tmp_path / "came.zip"
        pull = ("substrate", "pull", "bob", nodes["ada"], given["digest"][:12], "-o", str(came))
        pulled = covey(*pull)
        assert pulled.code == 0 and "nothing was merged" in pulled.out
        assert came.read_bytes() == file.read_bytes()
        assert covey("substrate", "show", "bob", "--json").json["merged"] == []
        stolen = covey("substrate", "pull", "eve", nodes["ada"], given["digest"], "-o", str(tmp_path / "no"))
        assert stolen.code == 1 and not (tmp_path / "no").exists()

        merged = covey("substrate", "merge", "bob", str(came), "--apply", "--json").json
        assert merged["bundles"][0]["trust"] == "known", "met here, and not named by the operator"
        trusted = covey("trust", "add", "bob", nodes["ada"])
        assert trusted.code == 0, trusted.err
        shown = covey("substrate", "show", "bob", "--json").json
        assert shown["merged"][0]["trust"] == "trusted"
        assert shown["prior"]["mass"] > merged["after"]["mass"]
        assert covey("substrate", "withdraw", "ada", given["digest"][:12]).code == 0
        while covey("substrate", "offers", "bob", "--json").json["heard"]:
            pass
    assert covey("substrate", "offers", "bob").code == 1, "offers are of a running peer"

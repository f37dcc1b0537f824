"""`covey memory` and what `covey recall` can ask, over real processes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from covey import _core
from covey.store import open_store
from covey.system import identity as ids
from covey.system.home import Home
from tests.e2e.program import ROOM, Program, Running

NOW_MS = 1_700_000_000_000
HELD = 1_024
"""Twice as many blocks as a start reads at once."""


def said(covey: Program, name: str, *words: str) -> str:
    found = covey("observe", "--peer", name, "--wait", "0", "--json", *words)
    key: str = found.json["block"]["key"]
    return key


def test_memory_is_searched_counted_carried_and_forgotten(covey: Program, tmp_path: Path) -> None:
    root = said(covey, "ann", "--focus", "the parser is slow", "--mood", "tired")
    child = said(covey, "ann", "--focus", "the parser waits for the disk", "--parent", root)
    said(covey, "ann", "--mood", "calm")

    def keys(*words: str) -> list[str]:
        return [block["key"] for block in covey("recall", "ann", "--json", *words).json["blocks"]]

    assert keys("parser", "--category", "mood") == []
    assert keys("tired", "--category", "mood") == [root]
    assert keys("--below", root) == [child] and keys("--above", child) == [root]
    assert keys("--lifecycle", "remixed") == [root]
    assert len(keys("--author", "ann", "--own", "--since", "1h")) == 3
    assert keys("--others") == [] and keys("--until", "2020-01-01") == []
    assert covey("recall", "ann", "--lifecycle", "remixed").out.splitlines()[0].endswith("remixed")
    assert covey("recall", "ann", "--since", "soon").code == 2
    assert covey("recall", "ann", "--below", "cmb-7").code == 1

    down = covey("trace", "ann", root, "--down").out.splitlines()
    assert len(down) == 3 and "the parser waits" in down[2] and down[2].startswith("  ")
    assert covey("trace", "ann", "0123abcd", "--down").code == 2
    up = covey("trace", "ann", child, "--json").json
    assert up["tether"]["root"] == root and up["tether"]["tethered"] and up["tether"]["kernel"]
    assert "in ngram-h32" in covey("trace", "ann", child).out.splitlines()[-1]

    stats = covey("memory", "stats", "ann", "--json").json
    assert (stats["records"], stats["lifecycle"]) == (3, {"observed": 2, "remixed": 1})
    assert "blocks: 3, 3 of them own" in covey("memory", "stats", "ann").out

    file = tmp_path / "ann.jsonl"
    assert covey("memory", "export", "ann", str(file)).out.startswith("exported: 3 blocks")
    assert file.stat().st_mode & 0o077 == 0
    assert covey("memory", "export", "ann", str(file)).code == 2
    assert len(covey("memory", "export", "ann", "-").out.splitlines()) == len(file.read_text().splitlines())

    with covey.start("listen", "ann", "--json") as listener:
        listener.event("listening")
        assert covey("memory", "stats", "ann", "--json").json["records"] == 3
        assert keys("--below", root) == [child]
        dry = covey("memory", "purge", "ann", "--older-than", "0", "--dry-run", "--json").json
        assert (dry["forgettable"], dry["forgotten"]) == (3, 0)
        running = covey("memory", "import", "ann", str(file))
        assert running.code == 2 and "covey stop ann" in running.err
        assert covey("memory", "archive", "ann", "--older-than", "0", "--json").json["archived"] == 3
        covey("stop", "ann")
        assert listener.end().code == 0

    assert covey("memory", "purge", "ann").code == 1
    assert covey("memory", "purge", "ann", "--older-than", "0", "--json").json["forgotten"] == 3
    back = covey("memory", "import", "ann", str(file), "--json").json
    assert (back["stored"], back["refused"]) == (3, 0)
    assert keys("--below", root) == [child]

    # Another peer takes nothing of an author it never met, unless it is told to believe the file.
    said(covey, "bob", "--focus", "hello")
    refused = covey("memory", "import", "bob", str(file), "--json")
    assert refused.code == 1 and refused.json["strangers"] == 3
    assert covey("memory", "import", "bob", str(file), "--accept-keys", "--json").json["stored"] == 3
    bent = file.read_text().replace("the parser is slow", "the parser is fast")
    wrong = covey("memory", "import", "bob", "-", "--json", stdin=bent)
    assert wrong.code == 1 and wrong.json["refused"] == 1 and wrong.json["held"] == 2
    assert json.loads(file.read_text().splitlines()[0])["covey_memory"] == 1


def test_wrong_uses_are_named(covey: Program) -> None:
    for words in (
        ("memory", "stats"),
        ("memory", "burn", "ann"),
        ("memory", "export", "ann"),
        ("memory", "stats", "ann", "file"),
        ("memory", "stats", "ann", "--dry-run"),
        ("memory", "purge", "ann", "--older-than", "soon"),
    ):
        assert covey(*words).code == 2, words
    assert covey("memory", "stats", "nobody").code == 1


def fill(home: Home, name: str, count: int) -> None:
    """Give a stopped peer that many blocks of its own."""
    who = ids.load(home.identity_path(name))
    signer = ids.native(who)
    with closing(open_store(home.store_path(name), who.node_id)) as store:
        for number in range(count):
            draft = _core.Draft(
                {"focus": f"parser{number} drops frame{number}"},
                node_id=who.node_id,
                author=name,
                created_ms=NOW_MS,
                room=ROOM,
            )
            store.memory.carry_in([_core.sign(draft, signer)], NOW_MS + number)


def test_another_encoder_reads_memory_again_also_after_a_kill(covey: Program, tmp_path: Path) -> None:
    said(covey, "ann", "--focus", "hello")
    fill(Home.resolve(covey.env), "ann", HELD - 1)
    config = tmp_path / "agent.toml"

    def peer(kernel: str) -> Running:
        config.write_text(
            f'[identity]\nname = "ann"\nrole = "generic"\n[mesh]\nroom = "{ROOM}"\n'
            f'[svaf]\nkernel = "{kernel}"\n'
            '[model]\nadapter = "scripted"\n[[scripted.rules]]\nemit = { focus = "heard: {focus}" }\n'
        )
        running = covey.start("run", "--config", str(config), "--json")
        running.event("ready")
        return running

    def read(count: int) -> dict[str, Any]:
        """Ask the running peer until it has read that many blocks; return what it says of it."""
        for _ in range(300):
            found: dict[str, Any] | None = covey("status", "ann", "--json").json["encoding"]
            if found is not None and found["read"] >= count:
                return found
        raise AssertionError(f"{count} blocks were never read")

    with peer("words-1"):
        assert read(HELD) == {"kernel": "words-1", "read": HELD, "of": HELD, "trouble": None}
        # The end of the block is a kill: nobody says goodbye.
    assert covey("memory", "stats", "ann", "--json").json["kernels"] == {"words-1": HELD}
    with peer("lexis-h1024"):
        read(1)
    kept = covey("memory", "stats", "ann", "--json").json["kernels"]
    assert sum(kept.values()) == HELD and kept["lexis-h1024"] >= 1
    with peer("lexis-h1024"):
        read(HELD)
        stats = covey("memory", "stats", "ann")
        assert f"encoder: lexis-h1024, has read {HELD:,} of {HELD:,} blocks" in stats.out
        assert covey("memory", "stats", "ann", "--json").json["kernels"] == {"lexis-h1024": HELD}
    assert "encoding-began" in covey("logs", "ann", "--json").out

"""Tool packs over real processes: named in agent.toml, seen by others, gone with the next configuration."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.program import ROOM, Program
from tests.e2e.test_state import listening

PACKS = """
[tools.packs.languages]
about = "translations"
capabilities = ["translate.de", "translate.fr"]
"""


def configured(tmp_path: Path, packs: str) -> str:
    path = tmp_path / "cid.toml"
    path.write_text(
        f'[identity]\nname = "cid"\nrole = "generic"\n[mesh]\nroom = "{ROOM}"\n'
        '[model]\nadapter = "scripted"\n'
        f'[[scripted.rules]]\nwhen = {{ focus = "^never$" }}\nemit = {{ focus = "never" }}\n{packs}'
    )
    return str(path)


def shows(covey: Program, text: str) -> None:
    """Wait, change by change, until the packs that bob sees are these."""
    with covey.start("state", "watch", "bob", "--json") as watching:
        watching.event("watching")
        while covey("packs", "bob").out != text:
            watching.event("state")


def test_a29_a_pack_named_in_agent_toml_is_seen_by_others_under_its_owner(
    covey: Program, tmp_path: Path
) -> None:
    with listening(covey, "bob"):
        assert covey("packs", "bob").out == "no packs\n"
        with covey.start("run", "--config", configured(tmp_path, PACKS), "--json") as cid:
            cid.event("ready")
            shows(covey, "languages of cid: translate.de, translate.fr: translations\n")
            (found,) = covey("packs", "bob", "--capability", "translate.de", "--json").json["packs"]
            assert (found["name"], found["here"]) == ("cid", True)
            assert covey("packs", "bob", "--capability", "dance").code == 1
        with covey.start("run", "--config", configured(tmp_path, ""), "--json") as cid:
            cid.event("ready")
            shows(covey, "no packs\n")
    wrong = covey("dry-run", "--config", configured(tmp_path, PACKS.replace("translate.de", "No Word")))
    assert (wrong.code, "translate.de" in wrong.out + wrong.err) == (1, True)

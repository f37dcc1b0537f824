"""A model adapter of another distribution in a real peer: doctor and dry-run name it, and it answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.program import ROOM, Program

MODULE = """
from covey.model import ModelReply, ToolCall, Usage

class Parrot:
    def __init__(self, options):
        self.options = options
    async def warm(self): ...
    async def close(self): ...
    async def call(self, request):
        call = ToolCall("1", "emit_cmb", {"focus": "the parrot heard you", "intent": "report"})
        return ModelReply("", (call,), Usage(12, 3), "stop", self.options.model_name)

def make(options):
    return Parrot(options)
"""
CONFIG = f"""
[identity]
name = "polly"
role = "generic"
[mesh]
room = "{ROOM}"
[model]
adapter = "parrot"
model_name = "m"
[model.prices]
"m" = {{ input = 1.0, output = 1.0 }}
[role_weights]
focus = 1.0
issue = 1.0
intent = 1.0
motivation = 1.0
commitment = 1.0
perspective = 1.0
mood = 1.0
"""


def test_it_is_named_and_answers_in_a_peer(covey: Program, tmp_path: Path) -> None:
    place = tmp_path / "site"
    info = place / "parrots-1.2.dist-info"
    info.mkdir(parents=True)
    (place / "parrot_models.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrots\nVersion: 1.2\n")
    points = "[covey.models]\nparrot = parrot_models:make\nollama = parrot_models:make\n"
    (info / "entry_points.txt").write_text(points)
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    without = covey("dry-run", "--config", str(config))
    assert without.code == 1
    assert "model.adapter" in without.out and "one of anthropic" in without.out

    covey.env["PYTHONPATH"] += f":{place}"
    dry = covey("dry-run", "--config", str(config))
    assert dry.code == 0, dry.out
    assert "  ok    model adapter  — parrot m (parrot_models:make of parrots 1.2)" in dry.out.splitlines()
    looked = covey("doctor").out
    assert "  ok     parrot  — parrot_models:make of parrots 1.2" in looked.splitlines()
    assert "ollama  — parrot_models:make of parrots 1.2; refused: covey has an adapter of this name" in looked

    with covey.start("run", "--config", str(config), "--json") as running:
        assert running.event("ready")["model"] == "parrot/m"
        assert covey("observe", "--focus", "hello there", "--json").code == 0
        assert running.event("agent-emitted")["categories"]["focus"] == "the parrot heard you"
        assert covey("stop", "polly").code == 0
        assert running.process.wait(20) == 0


def test_the_version_is_said_without_a_look_at_entry_points(covey: Program) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "covey", "--version"]
    done = subprocess.run(words, env=covey.env, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "covey.cli" in imported
    assert not imported & {"importlib.metadata", "covey.models", "covey.models.custom"}

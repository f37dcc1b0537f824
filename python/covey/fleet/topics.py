"""Topics and patterns: words between dots; `*` stands for one word, `>` at the end for one or more."""

from __future__ import annotations

import re

from covey import limits

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class TopicError(ValueError):
    """A text that is no topic or no pattern; says why."""


def check_topic(topic: str) -> tuple[str, ...]:
    """Return a topic's words.

    Raises:
        TopicError: A word is empty or not allowed, or there are too many.
    """
    words = tuple(topic.split("."))
    if len(words) > limits.TOPIC_WORDS:
        raise TopicError(f"topic: at most {limits.TOPIC_WORDS} words, got {len(words)}")
    for word in words:
        if not _WORD.match(word):
            raise TopicError(
                f"topic: expected words of letters, digits, - or _ between dots, got {topic[:80]!r}"
            )
    return words


def check_pattern(pattern: str) -> tuple[str, ...]:
    """Return a pattern's words.

    Raises:
        TopicError: As for a topic, or `>` stands before the end.
    """
    words = tuple(pattern.split("."))
    if ">" in words[:-1]:
        raise TopicError(f"pattern: > stands only at the end, got {pattern[:80]!r}")
    check_topic(".".join("x" if word in ("*", ">") else word for word in words))
    return words


def matches(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """Tell whether a topic's words match a pattern's, both checked."""
    if pattern[-1] == ">":
        head = pattern[:-1]
        return len(topic) > len(head) and _same(head, topic[: len(head)])
    return len(pattern) == len(topic) and _same(pattern, topic)


def _same(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    return all(want in ("*", word) for want, word in zip(pattern, topic, strict=True))

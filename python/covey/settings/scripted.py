"""The rules of the scripted adapter: what an agent with structured data answers without a language model.

The format, in agent.toml:

    [[scripted.rules]]
    name = "review a draft"                     # for the log; optional
    when = { author = "writer", focus = "^draft (?P<what>.+)", heard = ["writer"], max_times = 1 }
    emit = { focus = "review of {what}", issue = "{author} left this open: {issue}" }

`when` (all that is given must hold; an empty `when` always holds):
    author      who signed the waking block: a name or a list of names
    role        the role of this peer: a word or a list
    focus … mood  a regular expression searched, without regard to case, in what that category says;
                it never matches a category that is silent
    silent      categories of the waking block that must say nothing
    heard       names that must have a block in the thread already (the waking block counts)
    not_heard   names that must not have one
    max_times   how often the rule may answer within one thread

`emit` gives the seven categories as templates; at least one. In a template `{focus}` … `{mood}` quote the
waking block, `{author}`, `{key}`, `{room}` name it, `{self}`, `{role}` name this peer, `{what}` quotes a
named group of the rule's own patterns; `{{` and `}}` are braces. What is quoted is made one line, freed of
control characters and cut (limits.SCRIPTED_QUOTE_CHARS): it is data, and it stays data.

The first rule that holds answers; if none holds the peer stays silent. The same wake gives the same answer.
Rules: values and their grammar only. Matching is `covey.models.scripted`.
"""

from __future__ import annotations

import re

from covey import limits
from covey.model import CAT7
from covey.settings import grammar
from covey.settings.rules import ListOf, OneOf, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_NAMES = ListOf(Text(1, limits.PEER_NAME_BYTES), 64, or_single=True)

BLOCK_FIELDS = (*CAT7, "author", "key", "room", "self", "role")
"""What a template may quote besides the named groups of its rule."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places to fill; `pieces` alternates literal text and names (as `(name,)`)."""

    pieces: tuple[str | tuple[str], ...]

    @staticmethod
    def parse(text: str) -> Template:
        """Read a template.

        Raises:
            ValueError: What was expected, where a brace is lost or a name is empty.
        """
        pieces: list[str | tuple[str]] = []
        for match in _PIECE.finditer(text):
            piece = match.group(0)
            if piece in ("{{", "}}"):
                pieces.append(piece[0])
            elif match.group(1) is not None:
                pieces.append((_field_name(match.group(1)),))
            elif piece in ("{", "}"):
                raise ValueError("a template with matching braces ({{ and }} stand for braces)")
            else:
                pieces.append(piece)
        return Template(tuple(pieces))

    def fields(self) -> frozenset[str]:
        """Return the names the template quotes."""
        return frozenset(piece[0] for piece in self.pieces if isinstance(piece, tuple))


def _field_name(text: str) -> str:
    if not text.isidentifier():
        raise ValueError("a name between braces, for example {focus} ({{ and }} stand for braces)")
    return text


def _pattern(category: str) -> re.Pattern[str] | None:
    rule = Text(1, limits.GATE_PATTERN_CHARS, parse=grammar.regex)
    made: re.Pattern[str] | None = key(rule, f"pattern searched in {category}", default=None)
    return made


def _template(category: str) -> Template | None:
    rule = Text(1, limits.SCRIPTED_TEMPLATE_CHARS, parse=Template.parse)
    made: Template | None = key(rule, f"what {category} shall say", default=None)
    return made


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of one rule; all that are given must hold."""

    author: tuple[str, ...] = key(_NAMES, "who signed the waking block", default=())
    role: tuple[str, ...] = key(_NAMES, "the role of this peer", default=())
    focus: re.Pattern[str] | None = _pattern("focus")
    issue: re.Pattern[str] | None = _pattern("issue")
    intent: re.Pattern[str] | None = _pattern("intent")
    motivation: re.Pattern[str] | None = _pattern("motivation")
    commitment: re.Pattern[str] | None = _pattern("commitment")
    perspective: re.Pattern[str] | None = _pattern("perspective")
    mood: re.Pattern[str] | None = _pattern("mood")
    silent: tuple[str, ...] = key(
        ListOf(OneOf(CAT7), 7, or_single=True),
        "categories of the waking block that must say nothing",
        default=(),
    )
    heard: tuple[str, ...] = key(_NAMES, "names that must have a block in the thread", default=())
    not_heard: tuple[str, ...] = key(_NAMES, "names that must not have a block in the thread", default=())
    max_times: int | None = key(
        Whole(1, 1_000_000), "how often the rule may answer in one thread", default=None
    )

    def patterns(self) -> dict[str, re.Pattern[str]]:
        """Return the patterns that are given, by category."""
        given: dict[str, re.Pattern[str] | None] = {name: getattr(self, name) for name in CAT7}
        return {name: pattern for name, pattern in given.items() if pattern is not None}


@dataclass(frozen=True, slots=True)
class Emit:
    """The block one rule emits."""

    focus: Template | None = _template("focus")
    issue: Template | None = _template("issue")
    intent: Template | None = _template("intent")
    motivation: Template | None = _template("motivation")
    commitment: Template | None = _template("commitment")
    perspective: Template | None = _template("perspective")
    mood: Template | None = _template("mood")

    def templates(self) -> dict[str, Template]:
        """Return the templates that are given, by category."""
        given: dict[str, Template | None] = {name: getattr(self, name) for name in CAT7}
        return {name: template for name, template in given.items() if template is not None}


@dataclass(frozen=True, slots=True)
class ScriptedRule:
    """One rule: when it answers, and what."""

    emit: Emit = key(Table(Emit), "the block to emit, as templates")
    when: When = key(Table(When), "the conditions; none means always", default=When())
    name: str = key(Text(1, 200), "what the log calls the rule", default="")

    def unknown_fields(self) -> dict[str, list[str]]:
        """Return, by category, what its template quotes and nothing provides."""
        groups = {name for pattern in self.when.patterns().values() for name in pattern.groupindex}
        known = groups | set(BLOCK_FIELDS)
        lost = {name: sorted(template.fields() - known) for name, template in self.emit.templates().items()}
        return {name: names for name, names in lost.items() if names}


@dataclass(frozen=True, slots=True)
class ScriptedSettings:
    """What `adapter = "scripted"` answers with."""

    rules: tuple[ScriptedRule, ...] = key(
        ListOf(Table(ScriptedRule), limits.SCRIPTED_RULES),
        "looked at in order; the first that holds answers",
        default=(),
    )

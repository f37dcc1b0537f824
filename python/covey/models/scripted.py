"""The scripted adapter: rules from agent.toml in place of a language model.

For an agent whose blocks are structured data, a model would only add cost and doubt. The rule format is in
`covey.settings.scripted`. Rules: deterministic, free, offline; the first rule that holds answers with a call
of the offered tool; no rule, no call. What is quoted from a peer is one printable line, cut to a bound.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

from covey import limits
from covey.errors import ModelError, ModelErrorKind
from covey.model import CAT7, ModelReply, ModelRequest, ToolCall, Usage, WakeFacts
from covey.models.prices import FREE, Quote
from covey.settings import ScriptedRule, ScriptedSettings, Template, When

_TOOL = "emit_cmb"


class ScriptedModel:
    """Answers from rules.

    Args:
        script: The rules, in their order.
    """

    def __init__(self, script: ScriptedSettings) -> None:
        self._rules = script.rules
        self._answered: OrderedDict[str, dict[int, int]] = OrderedDict()  # by thread, then by rule
        self.quote = Quote("rules", FREE, known=True, source="rules cost nothing")

    @property
    def label(self) -> str:
        """Return `scripted/rules`."""
        return "scripted/rules"

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return 0: rules cost nothing."""
        return 0.0

    async def warm(self) -> None:
        """Do nothing: there is nothing to load."""

    async def call(self, request: ModelRequest) -> ModelReply:
        """Answer by the first rule that holds.

        Raises:
            ModelError: The request carries no wake facts, so no rule can be asked.
        """
        facts = request.metadata.get("wake")
        if not isinstance(facts, WakeFacts):
            raise ModelError(
                f"{self.label}: the request says nothing about what woke the peer",
                kind=ModelErrorKind.REQUEST,
                transient=False,
            )
        for index, rule in enumerate(self._rules):
            groups = holds(rule.when, facts)
            if groups is not None and self._may_answer(index, rule, facts.thread):
                return self._reply(index, rule, facts, groups, request)
        return ModelReply("no rule holds", (), Usage(0, 0, 0.0), "no_rule", "rules")

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _may_answer(self, index: int, rule: ScriptedRule, thread: str) -> bool:
        """Count an answer of a rule in a thread, unless it has had its times there."""
        if rule.when.max_times is None:
            return True
        counts = self._answered.setdefault(thread, {})
        self._answered.move_to_end(thread)
        while len(self._answered) > limits.SCRIPTED_THREADS:
            self._answered.popitem(last=False)
        if counts.get(index, 0) >= rule.when.max_times:
            return False
        counts[index] = counts.get(index, 0) + 1
        return True

    def _reply(
        self,
        index: int,
        rule: ScriptedRule,
        facts: WakeFacts,
        groups: Mapping[str, str],
        request: ModelRequest,
    ) -> ModelReply:
        known = {**_block_fields(facts), **groups}
        said = {name: _filled(template, known) for name, template in rule.emit.templates().items()}
        tool = request.tools[0].name if request.tools else _TOOL
        call = ToolCall(f"rule-{index}", tool, said)
        return ModelReply(rule.name or f"rule {index + 1}", (call,), Usage(0, 0, 0.0), "tool_use", "rules")


def holds(when: When, facts: WakeFacts) -> dict[str, str] | None:
    """Return the named groups of a rule's patterns if all its conditions hold, else None."""
    said = facts.block.said()
    if when.author and facts.block.author not in when.author:
        return None
    if when.role and facts.self_role not in when.role:
        return None
    if any(name in said for name in when.silent):
        return None
    heard = {*facts.heard, facts.block.author}
    if not heard.issuperset(when.heard) or not heard.isdisjoint(when.not_heard):
        return None
    return _matched(when.patterns(), said)


def _matched(patterns: Mapping[str, re.Pattern[str]], said: Mapping[str, str]) -> dict[str, str] | None:
    groups: dict[str, str] = {}
    for name, pattern in patterns.items():
        match = pattern.search(said[name][: limits.SCRIPTED_MATCH_CHARS]) if name in said else None
        if match is None:
            return None
        groups.update({group: value or "" for group, value in match.groupdict().items()})
    return groups


def _block_fields(facts: WakeFacts) -> dict[str, str]:
    block = facts.block
    said = block.said()
    named = {"author": block.author, "key": block.key, "room": block.room}
    return {
        **{name: said.get(name, "") for name in CAT7},
        **named,
        "self": facts.self_name,
        "role": facts.self_role,
    }


def _filled(template: Template, known: Mapping[str, str]) -> str:
    text = "".join(piece if isinstance(piece, str) else quoted(known[piece[0]]) for piece in template.pieces)
    return text[: limits.SCRIPTED_TEMPLATE_CHARS]


def quoted(text: str) -> str:
    """Return a peer's text as data: one line, printable, cut to a bound."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    most = limits.SCRIPTED_QUOTE_CHARS
    return line if len(line) <= most else line[: most - 1] + "…"

"""How each vendor's stream becomes the answer it would have been without streaming.

Rules: pure. A fold believes nothing: what is missing stays missing, and the adapter's reader decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from covey.limits import MODEL_BLOCKS
from covey.models import wire

_ANTHROPIC_PARTS = {
    "text_delta": ("text", "text"),
    "input_json_delta": ("partial_json", "input"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
"""Of each kind of delta: where its text stands, and which member of the block it continues."""


class _Blocks:
    """Parts of an answer by their index, each a table whose texts grow."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, object]] = {}
        self._grown: dict[tuple[int, str], list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def put(self, index: int, part: Mapping[str, object]) -> None:
        if index not in self._parts and len(self._parts) >= MODEL_BLOCKS:
            raise wire.OversizeError(f"more than {MODEL_BLOCKS} parts")
        self._parts.setdefault(index, {}).update(part)

    def grow(self, index: int, member: str, text: str) -> None:
        self.put(index, {})
        self._grown.setdefault((index, member), []).append(text)

    def member(self, index: int, name: str) -> object:
        return self._parts.get(index, {}).get(name)

    def rows(self) -> list[dict[str, object]]:
        rows = []
        for index, part in sorted(self._parts.items()):
            grown = {name: "".join(texts) for (at, name), texts in self._grown.items() if at == index}
            # What a block began with counts too: its first words, or the empty arguments of a call.
            begun = {name: part.get(name) for name in grown}
            joined = {
                name: f"{first}{grown[name]}" if isinstance(first, str) else grown[name]
                for name, first in begun.items()
            }
            rows.append({**part, **joined})
        return rows


class AnthropicFold:
    """Anthropic's named events."""

    def __init__(self) -> None:
        self._message: dict[str, object] = {}
        self._usage: dict[str, object] = {}
        self._blocks = _Blocks()
        self.begun = False
        self.complete = False

    def take(self, event: Mapping[str, object]) -> None:
        """Take one event; unknown ones are passed over, as the vendor asks."""
        index = wire.count(event.get("index")) or 0
        match event.get("type"):
            case "message_start":
                self._message.update(wire.table(event.get("message")))
                self._usage.update(wire.table(self._message.get("usage")))
            case "content_block_start":
                self.begun = True
                self._blocks.put(index, wire.table(event.get("content_block")))
            case "content_block_delta":
                self.begun = True
                delta = wire.table(event.get("delta"))
                part = _ANTHROPIC_PARTS.get(wire.text(delta.get("type")))
                if part is not None:
                    self._blocks.grow(index, part[1], wire.text(delta.get(part[0])))
            case "message_delta":
                self._message.update(wire.table(event.get("delta")))
                said = wire.table(event.get("usage"))
                self._usage.update({name: value for name, value in said.items() if value is not None})
            case "message_stop":
                self.complete = True
            case "error":
                raise _said(event)

    def document(self) -> Mapping[str, object]:
        """Return the message."""
        return {**self._message, "content": self._blocks.rows(), "usage": self._usage}


class ChatFold:
    """Chunks of a chat completion, as OpenAI and others send them."""

    def __init__(self) -> None:
        self._top: dict[str, object] = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls = _Blocks()
        self._finish: str | None = None
        self.begun = False

    @property
    def complete(self) -> bool:
        """Say whether a reason to stop was given; not every server adds [DONE]."""
        return self._finish is not None

    def take(self, event: Mapping[str, object]) -> None:
        """Take one chunk."""
        if event.get("error") is not None:
            raise _said(event)
        for name in ("model", "usage"):
            if event.get(name):
                self._top[name] = event[name]
        for choice in wire.rows(event.get("choices"))[:1]:
            delta = wire.table(choice.get("delta"))
            for name, texts in self._texts.items():
                if said := wire.text(delta.get(name)):
                    texts.append(said)
                    self.begun = True
            # A thought is a word too: the model works.
            self.begun = self.begun or bool(delta.get("reasoning_content") or delta.get("reasoning"))
            for call in wire.rows(delta.get("tool_calls")):
                self.begun = True
                self._take_call(call)
            self._finish = wire.text(choice.get("finish_reason")) or self._finish

    def document(self) -> Mapping[str, object]:
        """Return the completion."""
        message: dict[str, Any] = {name: "".join(texts) or None for name, texts in self._texts.items()}
        message["tool_calls"] = [
            {"id": row.get("id"), "function": {"name": row.get("name"), "arguments": row.get("arguments")}}
            for row in self._calls.rows()
        ]
        return {**self._top, "choices": [{"message": message, "finish_reason": self._finish}]}

    def _take_call(self, call: Mapping[str, object]) -> None:
        said = wire.count(call.get("index"))
        index = max(0, len(self._calls) - 1) if said is None else said
        call_id, function = wire.text(call.get("id")), wire.table(call.get("function"))
        known = self._calls.member(index, "id")
        if call_id and known and known != call_id:
            index = len(self._calls)  # some servers give every call the same index
        self._calls.put(index, {"id": call_id} if call_id else {})
        if name := wire.text(function.get("name")):
            self._calls.put(index, {"name": name})
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = wire.written(arguments)
        self._calls.grow(index, "arguments", wire.text(arguments))


class OllamaFold:
    """Ollama's lines; the last one has `done` and the counts."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: list[Mapping[str, object]] = []
        self._last: Mapping[str, object] = {}
        self.begun = False
        self.complete = False

    def take(self, event: Mapping[str, object]) -> None:
        """Take one line."""
        if event.get("error") is not None:
            raise _said(event)
        message = wire.table(event.get("message"))
        said, calls = wire.text(message.get("content")), wire.rows(message.get("tool_calls"))
        self.begun = self.begun or bool(said or calls or message.get("thinking"))
        self._texts.append(said)
        self._calls += calls
        if len(self._calls) > MODEL_BLOCKS:
            raise wire.OversizeError(f"more than {MODEL_BLOCKS} parts")
        if event.get("done") is True:
            self._last, self.complete = event, True

    def document(self) -> Mapping[str, object]:
        """Return the answer."""
        message = {"content": "".join(self._texts), "tool_calls": self._calls}
        return {**self._last, "message": message}


def _said(event: Mapping[str, object]) -> wire.SaidError:
    error = wire.table(event.get("error"))
    kind = wire.text(error.get("type")) or str(error.get("code") or "")
    return wire.SaidError(kind, json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))

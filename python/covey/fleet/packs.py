"""Tool packs: named sets of capabilities that an agent says it has. They are words; who says them is proven.

Rules: pure. A pack that was read from another agent's words is within the same bounds as an own one.
"""

from __future__ import annotations

import json
import re
from typing import Final

from covey import limits, typed
from covey.errors import UsageError
from covey.values import dataclass

CLASS: Final = "packs"
"""The class of an agent's own scope that holds its packs, each under its name."""
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_CAPABILITY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack: its name, its capabilities, a line for people."""

    name: str
    capabilities: tuple[str, ...]
    about: str = ""

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise UsageError(
                f"pack: expected up to 24 small letters, digits, hyphens, got {self.name[:64]!r}"
            )
        most, words = limits.PACK_CAPABILITIES, self.capabilities
        if not 1 <= len(words) <= most or len(set(words)) != len(words):
            raise UsageError(f"pack {self.name}: expected 1 to {most} capabilities, each once")
        wrong = [word for word in words if _CAPABILITY.fullmatch(word) is None]
        if wrong:
            raise UsageError(f"pack {self.name}: expected words like translate.de, got {wrong[0][:64]!r}")
        if len(self.about) > limits.PACK_ABOUT_CHARS or not (self.about.isprintable()):
            raise UsageError(f"pack {self.name}: about: one line of at most {limits.PACK_ABOUT_CHARS}")

    def to_json(self) -> bytes:
        """Return the register that holds it."""
        return json.dumps({"about": self.about, "capabilities": list(self.capabilities)}).encode()


def read(name: str, data: bytes) -> Pack | None:
    """Return the pack that a register holds; None where it holds none."""
    try:
        found = typed.members(typed.loaded(data), "pack", {"about", "capabilities"})
        words = typed.texts(found["capabilities"], "capabilities", limits.PACK_CAPABILITIES, 64)
        return Pack(name, words, typed.text(found["about"], "about", limits.PACK_ABOUT_CHARS))
    except (typed.WrongTypeError, UsageError):
        return None

"""An agent's own notes: JSON values by name, nobody else's, and never the same object as anywhere else.

Rules: pure. What is written is kept as text and read anew each time, so that no two agents, and no agent and
its program, ever hold one list between them. A turn writes on a draft, which counts once the turn ended well.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from covey import limits


class NotebookError(ValueError):
    """A note that cannot be kept; says which, and why."""


class Notebook:
    """One agent's notes; past the bound the one that was written longest ago goes."""

    def __init__(self, notes: Mapping[str, object] | None = None) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self.forgotten = 0
        self.commit({name: written(name, value) for name, value in (notes or {}).items()})

    def get(self, name: str, default: object = None) -> Any:
        """Return a note, a fresh value each time; `default` where there is none."""
        text = self._texts.get(name)
        return default if text is None else json.loads(text)

    def put(self, name: str, value: object) -> None:
        """Write a note.

        Raises:
            NotebookError: The name is no text of 1 to 256 characters, or the value no JSON within the bound.
        """
        self.commit({name: written(name, value)})

    def names(self) -> list[str]:
        """Return the names of all notes, sorted."""
        return sorted(self._texts)

    def export(self) -> dict[str, Any]:
        """Return everything, as fresh values."""
        return {name: json.loads(self._texts[name]) for name in self.names()}

    def commit(self, changes: Mapping[str, str | None]) -> None:
        """Take what a draft wrote, as texts; None deletes."""
        for name, text in changes.items():
            self._texts.pop(name, None)
            if text is not None:
                self._texts[name] = text
        while len(self._texts) > limits.NOTEBOOK_ENTRIES:
            self._texts.popitem(last=False)
            self.forgotten += 1

    def text(self, name: str) -> str | None:
        """Return a note as it is kept, or None."""
        return self._texts.get(name)


class Draft:
    """What one turn writes: read over the notebook, counted once the turn has ended well."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self.changes: dict[str, str | None] = {}

    def get(self, name: str, default: object = None) -> Any:
        """Return a note as this turn sees it, a fresh value each time."""
        text = self.changes[name] if name in self.changes else self._notebook.text(name)
        return default if text is None else json.loads(text)

    def put(self, name: str, value: object) -> None:
        """Write a note; raises NotebookError where it cannot be kept."""
        self.changes[name] = written(name, value)

    def delete(self, name: str) -> None:
        """Delete a note; harmless where there is none."""
        self.changes[name] = None

    def names(self) -> list[str]:
        """Return the names of all notes as this turn sees them, sorted."""
        kept = {name for name in self._notebook.names() if name not in self.changes}
        return sorted(kept | {name for name, text in self.changes.items() if text is not None})


def written(name: str, value: object) -> str:
    """Return a note as it is kept.

    Raises:
        NotebookError: It cannot be.
    """
    if not isinstance(name, str) or not 0 < len(name) <= limits.NOTEBOOK_NAME_CHARS:
        raise NotebookError(f"note: expected a name of 1 to {limits.NOTEBOOK_NAME_CHARS} characters")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotebookError(f"note {name[:64]}: this is no JSON value: {error}") from error
    if len(text.encode("utf-8", "surrogatepass")) > limits.NOTEBOOK_VALUE_BYTES:
        raise NotebookError(f"note {name[:64]}: larger than {limits.NOTEBOOK_VALUE_BYTES} bytes as JSON")
    return text

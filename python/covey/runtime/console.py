"""The live view of a run on a terminal, and its end as a tree. Draws a Story; changes nothing.

Rules: rich is imported here and nowhere else in this floor, and only when somebody watches. Peers' text has
become harmless lines in the story before it gets here; it is drawn as text, never as markup.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from covey.runtime.story import Actor, Story, Told, line, short

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LINES = 12
_STYLES = {
    "starting": "dim",
    "ready": "cyan",
    "woken": "yellow",
    "thinking": "yellow",
    "emitting": "yellow",
    "waiting": "magenta",
    "resting": "dim",
    "closed": "green",
    "ending": "green",
    "ended": "green",
    "died": "red",
}


class LiveView:
    """A table of peers, the blocks with their verdicts, and the last lines, redrawn as the story goes on.

    Args:
        story: What is drawn.
        title: The first line.
        console: Where; rich's own console.
    """

    def __init__(self, story: Story, title: str, console: Console) -> None:
        """Prepare; nothing is drawn before the context is entered."""
        from rich.live import Live

        self._story = story
        self._title = title
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._live = Live(self._draw(), console=console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(self._draw(), refresh=True)
        self._live.stop()

    def say(self, text: str) -> None:
        """Add a line and draw anew."""
        self._lines.append(text)
        self._live.update(self._draw())

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        return Group(
            Text(self._title, style="bold"),
            _peers(self._story),
            _blocks(self._story),
            *(Text(f"  {each}", style="dim", no_wrap=True, overflow="ellipsis") for each in self._lines),
        )


def _peers(story: Story) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("peer", "state", "met", "wakes", "calls", "blocks", "cost"):
        table.add_column(heading, no_wrap=True)
    for actor in story.actors.values():
        table.add_row(
            actor.name,
            Text(actor.state, style=_STYLES.get(actor.state, "")),
            str(len(actor.met)),
            str(actor.wakes),
            str(actor.calls),
            str(actor.emitted),
            cost(actor),
        )
    return table


def _blocks(story: Story) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("block", no_wrap=True)
    table.add_column("by", no_wrap=True)
    for name in story.actors:
        table.add_column(f"at {name}", no_wrap=True)
    for told in story.blocks.values():
        verdicts = [_verdict(told, name) for name in story.actors]
        table.add_row(
            short(told.key),
            told.author + (" ✓" if told.closing else ""),
            *(Text(words, style=style) for words, style in verdicts),
        )
    return table


def _verdict(told: Told, name: str) -> tuple[str, str]:
    if told.author == name:
        return "own", "dim"
    verdict = told.verdicts.get(name)
    if verdict is None:
        return "…", "dim"
    return verdict.words(), "green" if verdict.taken else "red"


def cost(actor: Actor) -> str:
    """Return what a peer spent, for a person; what has no known price is not shown as free."""
    if not actor.calls:
        return "-"
    known = f"${actor.cost_usd:.4f}"
    return known if not actor.unpriced_calls else f"{known} + {actor.unpriced_calls} calls of unknown price"


def tree_lines(story: Story) -> Iterator[str]:
    """Yield the lineage of everything that was said, as a tree.

    A block stands under the first of its parents that is told; further parents are named beside it.
    """
    children: dict[str | None, list[Told]] = {}
    for told in story.blocks.values():
        above = next((key for key in told.parents if key in story.blocks), None)
        children.setdefault(above, []).append(told)

    def under(key: str | None, prefix: str, seen: frozenset[str]) -> Iterator[str]:
        below = [told for told in children.get(key, []) if told.key not in seen]
        for position, told in enumerate(below):
            last = position == len(below) - 1
            joint = "" if key is None else ("└─ " if last else "├─ ")
            indent = prefix + ("" if key is None else ("   " if last else "│  "))
            yield f"{prefix}{joint}{_heading(told)}"
            gap = "│  " if children.get(told.key) else "   "
            for name, text in told.said.items():
                yield f"{indent}{gap}{name}: {line(text, 160)}"
            yield from under(told.key, indent, seen | {told.key})

    yield from under(None, "", frozenset())


def _heading(told: Told) -> str:
    words = f"{short(told.key)} {told.author}"
    if told.closing:
        words += " closes its part"
    if len(told.parents) > 1:
        words += f", answers {', '.join(short(key) for key in told.parents[:8])}"
    return words

"""From a program's words to settings: the same sections and checks as agent.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey.errors import UsageError
from covey.model import CAT7, NEUTRAL, Proposal

if TYPE_CHECKING:
    from pathlib import Path

    from covey.settings import Settings


def peer_settings(name: str, mesh: Mapping[str, object], extra: Mapping[str, Any]) -> Settings:
    """Return the settings of a peer; `extra` are sections of agent.toml, which win over `mesh`.

    Raises:
        ConfigError: A value is not as agent.toml wants it; it names the key.
    """
    from covey.models import others
    from covey.settings import from_mapping

    given = {key: value for key, value in mesh.items() if value not in (None, (), [])}
    sections: dict[str, Any] = {
        "identity": {"name": name, "role": "generic"},
        "mesh": given,
    }
    if "model" not in extra:  # nobody of the settings' thinks here; the sections want one named all the same
        sections |= {"model": {"adapter": "scripted"}, "scripted": {"rules": [{"emit": {"focus": "heard"}}]}}
    for section, values in extra.items():
        base = sections.get(section)
        sections[section] = {**base, **values} if isinstance(base, dict) else values
    return _without_door(from_mapping(sections, file="<program>", others=others))


def file_settings(path: Path) -> Settings:
    """Return the settings of an agent.toml.

    Raises:
        ConfigError: It cannot be read, or a value in it is wrong; it names line and key.
    """
    from covey.models import others
    from covey.settings import load

    return _without_door(load(path, others=others))


def _without_door(settings: Settings) -> Settings:
    """Refuse what a program would leave undone without a word.

    Raises:
        UsageError: A model is to be shared.
    """
    if settings.share.door is not None:
        raise UsageError(
            f"[share] door: {settings.share.door}: covey run opens it, a program does not",
            hint="take it out, or share from a peer of its own: covey share start",
        )
    return settings


def proposal(
    categories: Mapping[str, str],
    parents: Sequence[object],
    to: str | None,
    keywords: Mapping[str, str | None],
) -> Proposal:
    """Return what to emit.

    Raises:
        UsageError: A category is unknown, is given twice, or nothing is said at all.
    """
    said = {key: text for key, text in keywords.items() if text is not None}
    twice = sorted(set(said) & set(categories))
    unknown = sorted(set(categories) | set(said), key=str)
    unknown = [name for name in unknown if name not in CAT7]
    if unknown:
        raise UsageError(f"unknown category: {unknown[0]}", hint=f"the seven are {', '.join(CAT7)}")
    if twice:
        raise UsageError(f"{twice[0]}: given twice", hint="as a keyword or in the mapping, not both")
    whole = {**categories, **said}
    if not any(text not in ("", NEUTRAL) for text in whole.values()):
        raise UsageError("nothing is said", hint="give at least one category, e.g. focus=…")
    keys = tuple(str(getattr(parent, "key", parent)) for parent in parents)
    said = {name: whole.get(name, NEUTRAL) for name in CAT7 if name in whole}
    return Proposal(said, keys, to, fresh="application")

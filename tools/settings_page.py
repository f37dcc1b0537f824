"""Write docs/configuration.md from the schema of agent.toml: `python -m tools.settings_page`.

The page says what `covey schema` says, for people: a table for each section, with type, bounds and default.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covey import settings
from covey.settings.schema import schema as schema_of

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HEAD = """# Configuration: agent.toml

One peer is one file. `covey init <peer>` writes a first one, `covey dry-run --config <file>` checks it
without joining anything, and an unknown key is an error that names line, key and the nearest known one.
Editors complete and check it by `agent.schema.json`, which `covey init` and `covey schema --out` write.

Needed are `[identity]` with a name and `[model]` with an adapter; `[role_weights]` too where the role is
none of {roles}.
Keys belong in the environment, not in the file. Written from the schema by `make settings-page`."""
ADAPTERS_HEAD = """## Adapters

| `model.adapter` | its model, if the file says none | key from | longest wait for an answer |
|---|---|---|---|"""
ENVIRONMENT = {
    "COVEY_HOME": "where everything is kept; `~/.covey`, if not said",
    "COVEY_PASSPHRASE": "opens a sealed key; `--passphrase-file` goes before it",
    "COVEY_NEW_PASSPHRASE": "the new one, for `covey keygen --reseal`",
    "COVEY_RELAY_TOKEN": "opens a channel at the relays; goes before `mesh.relay_token`",
    "COVEY_RELAY_PROXY": "HTTP proxy on the way to the relays; goes before `mesh.relay_proxy`",
    "COVEY_RELAY_BACKPLANE": "of `covey relay`: the URLs of `--backplane`, with commas between them",
    "COVEY_RELAY_TOKENS": "of `covey relay`: `channel:token,…` in the place of `--tokens`",
    "COVEY_ROLE": "leader, peer or solo: goes before every other rule of `covey role`",
    "OLLAMA_HOST": "where Ollama is, in its own form; `model.base_url` goes before it",
    "XDG_RUNTIME_DIR": "where locks lie that all homes of a user share, and sockets whose path is too long",
    "NO_COLOR": "any value: no colours on the terminal",
    "OTEL_*": "OpenTelemetry's own, where `telemetry.spans` is on",
}
"""Variables that covey reads beside the keys of vendors, which the table of adapters names."""
WIDE = 60
"""Characters of a list of words beyond which it is cut: the schema has all."""


def page() -> str:
    """Return the page."""
    schema = schema_of()
    needed = set(schema["required"])
    parts = [HEAD.format(roles=", ".join(f"`{role}`" for role in settings.PRESETS))]
    parts += [section((name,), entry, needed=name in needed) for name, entry in schema["properties"].items()]
    rows = [
        f"| `{facts.name}` | {code(facts.model)} | {code(facts.key_env)} | {facts.timeout_seconds:g} s |"
        for facts in settings.ADAPTERS.values()
    ]
    parts.append("\n".join([ADAPTERS_HEAD, *rows]))
    rows = [f"| `{name}` | {about} |" for name, about in ENVIRONMENT.items()]
    parts.append("\n".join(["## Environment", "", "| variable | what it is for |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def section(at: tuple[str, ...], entry: Mapping[str, Any], *, needed: bool = False) -> str:
    """Return one table of the file, with those inside it after it."""
    about = str(entry["description"])
    text = f"{about[0].upper()}{about[1:]}{'; needed' if needed else ''}."
    rows, inner = [], []
    for name, spec in entry["properties"].items():
        below = table_below(spec)
        if below is not None:
            inner.append((name, *below))
        else:
            required = name in entry.get("required", ()) and at != ("role_weights",)
            rows.append(f"| `{name}` | {kind(spec)} | {default(spec, required)} | {cell(about_of(spec))} |")
    place = ".".join(at)
    if place.endswith(".[]"):
        head = f"### `[[{place.removesuffix('.[]')}]]`"
    else:
        head = f"{'##' if len(at) == 1 else '###'} `[{place}]`"
    lines = [head.replace(".[].", "."), "", text]
    if rows:
        lines += ["", "| key | what it may be | if not said | meaning |", "|---|---|---|---|", *rows]
    deeper = [
        section((*at, name, *many), {**spec, "description": about}) for name, spec, about, many in inner
    ]
    return "\n\n".join(["\n".join(lines), *deeper])


def table_below(spec: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, tuple[str, ...]] | None:
    """Return a table that is this key's value, what it is for, and what marks it as one of many."""
    about = str(spec.get("description", ""))
    if "properties" in spec:
        return spec, about, ()
    for below, mark in ((spec.get("additionalProperties"), "<name>"), (spec.get("items"), "[]")):
        if isinstance(below, Mapping) and "properties" in below:
            return below, about, (mark,)
    return None


def about_of(spec: Mapping[str, Any]) -> str:
    """Return what a key is for; an older name says so itself."""
    return str(spec.get("description", ""))


def kind(spec: Mapping[str, Any]) -> str:
    """Return what a value may be, in a few words."""
    forms = [each for word in ("anyOf", "oneOf") for each in spec.get(word, ())]
    if forms:
        return ", or ".join(kind(each) for each in forms)
    if "enum" in spec:
        words = ", ".join(f"`{word}`" for word in spec["enum"])
        return words if len(words) <= WIDE * 3 else f"one of {len(spec['enum'])} words"
    word = spec.get("type", "value")
    if isinstance(word, list):
        return " or ".join(word)
    if word in ("integer", "number"):
        return " ".join(filter(None, ["whole number" if word == "integer" else "number", bounds(spec)]))
    if word == "string":
        if "pattern" in spec and "maxLength" not in spec:
            return "a name that another package offers"
        most = spec.get("maxLength")
        return f"text, at most {most:,} characters" if most and most <= 200 else "text"
    if word == "array":
        most = spec.get("maxItems")
        return (f"at most {most:,}, each " if most else "list, each ") + kind(spec["items"])
    return {"boolean": "`true` or `false`", "object": "table"}.get(word, str(word))


def bounds(spec: Mapping[str, Any]) -> str:
    """Return between what a number lies."""
    least, most = spec.get("minimum"), spec.get("maximum")
    if least is not None and most is not None:
        return f"from {figure(least)} to {figure(most)}"
    return "" if least is None else f"from {figure(least)}"


def figure(number: float) -> str:
    """Return a number as people write it."""
    return f"{int(number):,}" if float(number).is_integer() else f"{number:g}"


def default(spec: Mapping[str, Any], required: bool) -> str:
    """Return what holds where the file says nothing."""
    if required:
        return "**needed**"
    if spec.get("deprecated"):
        return "older name"
    return f"`{json.dumps(spec['default'], ensure_ascii=False)}`" if "default" in spec else "–"


def code(word: str | None) -> str:
    """Return a word as code, or a dash."""
    return "–" if word is None else f"`{word}`"


def cell(text: str) -> str:
    """Return a text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("{{", "&#123;&#123;")


def main() -> int:
    """Write the page; with `--check` only say whether it is current."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

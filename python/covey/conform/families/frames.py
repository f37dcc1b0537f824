"""Published schemas against the implementation's own parsers, on values beside a valid one.

What a schema refuses must be refused. What it allows must be taken, where nothing else binds the value; for a
frame under a proof or a seal, only the frame itself can be taken. Stated choices are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from covey.conform import choices
from covey.conform.families import flat, parsers, retired
from covey.conform.family import Family
from covey.conform.folder import Artifact, Collection
from covey.conform.instances import beside, example
from covey.conform.reference import minified
from covey.conform.report import Case, chosen, failed, not_covered, passed
from covey.conform.schema import Schema, SchemaError, Validator
from covey.conform.subject import Subject
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """One frame of a schema: its part, a valid base, the parser, and whether more than a schema binds it."""

    label: str
    schema: Schema
    base: Any
    taken: parsers.Taken
    bound: bool = False


def _run(artifact: Artifact, collection: Collection, subject: Subject) -> Iterator[Case]:
    validator = Validator(collection.schemas_beside(artifact))
    if artifact.name == "frame-registry.schema.json":
        yield from _registries(artifact, collection, validator)
        return
    if artifact.name == "authority-frame.schema.json" and "grantFrame" in artifact.value.get("$defs", {}):
        yield from retired.tried(artifact, subject, validator)
        return
    made = _trials(artifact, collection, subject, validator)
    if isinstance(made, str):
        yield not_covered("whole artifact", made)
        return
    for trial in made:
        yield from _tried(trial, validator, artifact)


def _registries(artifact: Artifact, collection: Collection, validator: Validator) -> Iterator[Case]:
    """The registries of the folder, under their schema: nothing an implementation could be asked."""
    for registry in collection.having("frames", "protocolVersion"):
        good = validator.is_valid(artifact.value, registry.value, artifact.name)
        yield passed(registry.path) if good else failed(registry.path, "not valid under it")


def _trials(
    artifact: Artifact, collection: Collection, subject: Subject, validator: Validator
) -> list[Trial] | str:
    """Return the trials of a schema, or why there are none."""
    if flat.is_flat(artifact, collection):
        base, taken = flat.reader(artifact.name, subject)
        return [Trial(f"1.1 {artifact.name.removesuffix('.schema.json')}", artifact.value, base, taken, True)]
    maker = parsers.PARSERS.get(f"published {artifact.name}" if _is_published(artifact) else artifact.name)
    if maker is None:
        return "no operation for these frames yet"
    trials = []
    for label, schema in parts(artifact.value):
        try:
            base = example(validator, schema, artifact.name)
        except SchemaError:
            base = None
        parser = maker(label, base, subject, collection)
        if isinstance(parser, str):
            return parser
        trials.append(Trial(label, schema, parser.base, parser.taken, parser.bound))
    if artifact.name == "control-frame.schema.json" and "mood" not in artifact.value["$defs"]:
        trials += _in_the_clear(trials, subject)
    return trials


def _in_the_clear(trials: list[Trial], subject: Subject) -> list[Trial]:
    """The control frames of the published text also travel in the clear; update 1 seals them."""

    def taken(value: Any) -> bool | None:
        answer = subject.ask("read_published_frame", json=minified(value))
        return None if answer.unsupported else answer.ok

    return [replace(trial, label=f"{trial.label} in the clear", taken=taken) for trial in trials]


def _is_published(artifact: Artifact) -> bool:
    """Tell a form that only the published text has from the one that update 1 gave the same file name."""
    own = {
        "cmb-frame.schema.json": "cmb",
        "cmb-fetch.schema.json": "from",
        "cmb-fetch-result.schema.json": "cmb",
    }
    return own.get(artifact.name) in artifact.value.get("properties", {})


def parts(schema: Schema) -> list[tuple[str, Schema]]:
    """Return each frame that a schema describes, by itself."""
    if "oneOf" in schema:
        names = [branch["$ref"].rpartition("/")[2] for branch in schema["oneOf"]]
        return [(name, schema["$defs"][name]) for name in names]
    return [("frame", schema)]


def _tried(trial: Trial, validator: Validator, artifact: Artifact) -> Iterator[Case]:
    home = artifact.name
    if not validator.is_valid(trial.schema, trial.base, home):
        yield not_covered(trial.label, "no valid value to start from")
        return
    taken = trial.taken(trial.base)
    if taken is None:
        yield not_covered(trial.label, "the implementation has no operation for it")
        return
    yield passed(f"{trial.label}: as it is") if taken else failed(f"{trial.label}: as it is", "refused")
    for what, value in beside(validator, trial.schema, home, trial.base):
        if value == trial.base and type(value) is type(trial.base):
            continue
        yield _judged(trial, what, validator.is_valid(trial.schema, value, home), value)


def _judged(trial: Trial, what: str, valid: bool, value: Any) -> Case:
    label, taken = f"{trial.label}: {what}", trial.taken(value)
    if taken is None:
        return not_covered(label, "the implementation has no operation for it")
    if taken == valid or (valid and trial.bound and not taken):
        return passed(label)
    why = choices.reason(trial.label, what, taken=taken)
    if why is not None:
        return chosen(label, why)
    return failed(label, "taken, though the schema refuses it" if taken else "refused, though it is valid")


FAMILY = Family(
    "schema",
    lambda artifact: artifact.name.endswith(".schema.json") and isinstance(artifact.value, dict),
    _run,
)

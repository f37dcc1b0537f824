"""`artifact-manifest` and `SOURCES`: the published digests of the files themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from covey.conform.family import Family
from covey.conform.folder import Artifact, Collection
from covey.conform.report import Case, not_covered, same
from covey.conform.subject import Subject


def _run(artifact: Artifact, collection: Collection, _: Subject) -> Iterator[Case]:
    beside = {other.path: other for other in collection.artifacts}
    for name, listed in sorted(artifact.value["files"].items()):
        digest = listed if isinstance(listed, str) else listed["sha256"]
        found = beside.get(f"{artifact.place}/{name}".lstrip("/"))
        if found is None:
            yield not_covered(name, "not in this folder")
        else:
            yield same(name, digest, hashlib.sha256(found.raw).hexdigest())


def _recognises(artifact: Artifact) -> bool:
    files = artifact.value.get("files") if isinstance(artifact.value, dict) else None
    if not isinstance(files, dict) or not files:
        return False
    return all(isinstance(e, str) or (isinstance(e, dict) and "sha256" in e) for e in files.values())


FAMILY = Family("published digests", _recognises, _run)

"""`fuzz/Cargo.lock` is of a workspace of its own: a change of the core's dependencies leaves it behind."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from tests.tidy import tree

UNDER_TEST = {"covey-core": "rust/core", "covey-kernels": "rust/kernels", "covey-legacy": "rust/legacy"}
"""The crates that are fuzzed, with where their manifests are."""
NEXT_STEP = "cd fuzz && cargo metadata --offline --format-version 1 >/dev/null"


def packages(lock: str) -> dict[str, list[dict[str, Any]]]:
    """Return the packages of a lock file by name: a name may stand there in several versions."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in tomllib.loads(lock)["package"]:
        found.setdefault(each["name"], []).append(each)
    return found


def behind(main: str, fuzz: str, manifests: Mapping[str, str]) -> list[str]:
    """Return what the fuzz targets' lock says otherwise of the crates they test than the main one.

    A member of the main workspace is locked with what its tests need; of that nothing is compared.
    """
    here, there, found = packages(main), packages(fuzz), list[str]()
    for crate, manifest in manifests.items():
        wanted = set(tomllib.loads(manifest).get("dependencies", {}))
        (ours,), (theirs,) = here[crate], there[crate]
        locked = {line.partition(" ")[0]: line for line in theirs.get("dependencies", [])}
        if locked.keys() != wanted:
            found.append(f"{crate}: needs {sorted(wanted)}, fuzz/Cargo.lock has {sorted(locked)}")
        used = [
            line for line in ours.get("dependencies", []) if line.partition(" ")[0] in wanted & locked.keys()
        ]
        for line in used:
            name = line.partition(" ")[0]
            one, other = version(here, line), version(there, locked[name])
            if one != other:
                found.append(f"{crate}: {name} is {one}, in fuzz/Cargo.lock {other}")
    return found


def version(locked: Mapping[str, list[dict[str, Any]]], line: str) -> str:
    """Return which version a dependency is locked to: said beside its name only where there are several."""
    name, _, said = line.partition(" ")
    return said.partition(" ")[0] or str(locked[name][0]["version"])


def test_the_fuzz_targets_are_locked_as_the_core_is():
    manifests = {crate: tree.text(f"{folder}/Cargo.toml") for crate, folder in UNDER_TEST.items()}
    assert behind(tree.text("Cargo.lock"), tree.text("fuzz/Cargo.lock"), manifests) == [], NEXT_STEP


def lock(*crates: tuple[str, str, str]) -> str:
    """Return a lock file of (name, version, dependencies) rows."""
    return "".join(
        f'[[package]]\nname = "{name}"\nversion = "{number}"\ndependencies = [{needs}]\n'
        for name, number, needs in crates
    )


@pytest.mark.parametrize(
    ("fuzz", "says"),
    [
        (lock(("a", "1.0", '"b"'), ("b", "2.0", "")), []),
        (lock(("a", "1.0", '"b"'), ("b", "2.1", "")), ["a: b is 2.0, in fuzz/Cargo.lock 2.1"]),
        (lock(("a", "1.0", ""), ("b", "2.0", "")), ["a: needs ['b'], fuzz/Cargo.lock has []"]),
        (
            lock(("a", "1.0", '"b", "c"'), ("b", "2.0", ""), ("c", "1.0", "")),
            ["a: needs ['b'], fuzz/Cargo.lock has ['b', 'c']"],
        ),
        (
            lock(("a", "1.0", '"b 2.1"'), ("b", "2.0", ""), ("b", "2.1", "")),
            ["a: b is 2.0, in fuzz/Cargo.lock 2.1"],
        ),
    ],
)
def test_a_lock_that_fell_behind_is_found(fuzz, says):
    main = lock(("a", "1.0", '"b", "only-for-tests"'), ("b", "2.0", ""), ("only-for-tests", "1.0", ""))
    assert (
        behind(main, fuzz, {"a": '[dependencies]\nb = "2"\n[dev-dependencies]\nonly-for-tests = "1"\n'})
        == says
    )

"""M-35, M-36, M-38, M-40, M-44: what a bundle is, and what can never be in one."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import typing

import pytest

from covey.substrate import bundle as bundles
from covey.substrate import values
from covey.substrate.bundle import compose, read
from covey.substrate.container import members_of, written
from covey.substrate.identity import IdentityFilter
from covey.substrate.learning import Episode
from covey.substrate.manifest import Filtered
from covey.substrate.strict_json import dumped
from covey.substrate.values import BundleError, ShareableSubstrate
from tests.unit.substrate.kit import FILTERED, bundle_of, episode, learned, signer, usual


def code_of(raw: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        read(raw)
    return caught.value.code


def changed(raw: bytes, name: str, **members: object) -> bytes:
    """Return an unsigned bundle with members of one file changed, its manifest made to fit."""
    found = {each: json.loads(body) for each, body in members_of(raw).items() if each != "signature.json"}
    found[name].update(members)
    bodies = {each: dumped(value) for each, value in found.items()}
    if name != "manifest.json":
        entry = {"bytes": len(bodies[name]), "file": name, "sha256": hashlib.sha256(bodies[name]).hexdigest()}
        found["manifest.json"]["contents"][name.removesuffix(".json")] = entry
        bodies["manifest.json"] = dumped(found["manifest.json"])
    return written(bodies)


def test_m35_the_same_learning_makes_the_same_bytes_and_they_read_back() -> None:
    raw = bundle_of(usual())
    assert raw == bundle_of(usual())
    found = read(raw)
    assert found.substrate.concepts == usual().concepts
    assert [link.effect for link in found.substrate.links] == [link.effect for link in usual().links]
    assert (found.manifest.contributor, found.signer) == ("ada", signer(1).public_key)
    assert list(found.members) == ["manifest.json", "admission.json", "ec.json", "nac.json", "signature.json"]


@pytest.mark.parametrize("word", ["_identity", "_consensus", "_", "__x"])
def test_m40_reserved_contributors_are_refused_where_a_bundle_is_made_and_read(word: str) -> None:
    with pytest.raises(BundleError, match="begin with _") as caught:
        compose(usual(), word, FILTERED)
    assert caught.value.code == "reserved"
    raw = bundle_of(usual(), by=None)
    assert code_of(changed(raw, "manifest.json", contributor_id=word)) == "reserved"
    for name in ("nac.json", "ec.json", "admission.json"):
        assert code_of(changed(raw, name, contributor=word)) == "reserved"


def test_m40_a_slice_of_another_contributor_is_refused() -> None:
    assert code_of(changed(bundle_of(usual(), by=None), "nac.json", contributor="bob")) == "other_contributor"


@pytest.mark.parametrize("word", ["", "a b", "ä", "a/b", "a" * 129, "a\n"])
def test_ids_of_contributors_are_of_one_form(word: str) -> None:
    with pytest.raises(BundleError):
        compose(usual(), word, FILTERED)


CANARY = "Zebrafinch sings under the xylophone"


def test_m36_no_text_of_a_block_is_in_a_bundle_whatever_the_options() -> None:
    said = [episode(CANARY, "validated", key=f"cmb-{at}") for at in range(6)]
    for guess, threshold, known, by in itertools.product(
        (True, False), (1, 50), ((), ("xylophone",)), (None, 1)
    ):
        identities = IdentityFilter(frozenset(known), threshold, guess)
        found = learned(*said, identities=identities)
        raw = compose(
            found.substrate,
            "ada",
            Filtered(guess, threshold, len(known)),
            sign=None if by is None else (signer(by).public_key, signer(by).sign_statement),
        )
        for word in (*CANARY.split(), CANARY.casefold(), *CANARY.casefold().split(), "cmb-"):
            if len(word) > 4 or word == "cmb-":
                assert word.encode() not in raw, (word, guess, threshold, known, by)


def test_m36_what_can_be_composed_has_no_place_for_an_episode() -> None:
    """Walk every type that a bundle's maker can be given: none is an episode, none holds free text."""
    seen: set[object] = set()
    texts: list[str] = []

    def walk(kind: object, where: str) -> None:
        assert kind is not Episode
        if dataclasses.is_dataclass(kind):
            if kind in seen:
                return
            seen.add(kind)
            hints = typing.get_type_hints(kind, vars(values))
            for each in dataclasses.fields(typing.cast("type", kind)):
                walk(hints[each.name], f"{getattr(kind, '__name__', '')}.{each.name}")
        elif kind is str:
            texts.append(where)
        for inner in typing.get_args(kind):
            walk(inner, where)

    walk(ShareableSubstrate, "")
    hints = typing.get_type_hints(compose)
    assert hints["substrate"] is ShareableSubstrate
    closed = {"ShareableSubstrate.kernel", "Link.cause", "Link.effect"}
    names = {"Statistics.decisions", "Statistics.drifts", "Statistics.weights"}
    assert set(texts) == closed | names, "ids and words of closed lists, which reading holds to them"


def test_m38_inspecting_reads_within_bounds_and_refuses_what_is_larger() -> None:
    with pytest.raises(BundleError) as caught:
        read(b"PK" + bytes(600_000))
    assert caught.value.code == "too_large"


def test_m44_a_newer_schema_is_refused_and_an_older_one_brought_forward() -> None:
    raw = bundle_of(usual(), by=None)
    assert code_of(changed(raw, "manifest.json", schema_version=3)) == "newer"
    for bad in (0, "2", True, None):
        assert code_of(changed(raw, "manifest.json", schema_version=bad)) == "malformed"
    members = {name: body for name, body in members_of(raw).items() if name != "admission.json"}
    manifest = json.loads(members["manifest.json"])
    manifest["schema_version"] = 1
    del manifest["contents"]["admission"]
    old = read(written({**members, "manifest.json": dumped(manifest)}))
    assert old.manifest.schema_version == 1 and old.substrate.statistics.decisions == {}
    assert old.substrate.concepts == usual().concepts


def test_m44_a_signature_holds_over_every_byte_of_its_algorithm_and_key() -> None:
    raw = bundle_of(usual())
    members = members_of(raw)
    for name in members:
        if name != "signature.json":
            other = {**members, name: members[name].replace(b"}", b" }", 1)}
            assert code_of(written(other)) in ("bad_signature", "digest")
    said = json.loads(members["signature.json"])

    def signed(**changes: object) -> bytes:
        return written({**members, "signature.json": dumped({**said, **changes})})

    assert code_of(signed(algorithm="rsa")) == "unknown_algorithm"
    assert code_of(signed(algorithm=None)) == "unknown_algorithm"
    assert code_of(signed(public_key=signer(2).public_key.hex())) == "bad_signature"
    assert code_of(signed(signature="00" * 64)) == "bad_signature"
    assert code_of(signed(signature=said["signature"].upper())) == "malformed"
    assert code_of(signed(more=1)) == "malformed"


def test_an_export_without_a_signature_says_so() -> None:
    assert read(bundle_of(usual(), by=None)).signer_fingerprint is None
    assert bundles.compose is compose

"""Records against the published data: projection, size, signature, application; every negative refused."""

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from covey import core

Read = Callable[[str], Any]
Json = dict[str, Any]

SIGNATURE_FILES = [
    "v2/published/conformance/v2/record-signature-v2.json",
    "v2/earlier/record-signature-v2.json",
    "v2/sym-tests/mmp-v2-record-signature.vector.json",
]
TEST_KEY = core.SigningKey(b"\x42" * 32)


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check(record: Json, public_key: bytes) -> core.Record:
    return core.verify(core.Unverified.parse(encode(record)), public_key)


@pytest.mark.parametrize("name", SIGNATURE_FILES)
def test_record_signatures(vectors: Read, name: str) -> None:
    data = vectors(name)
    key = unpadded(data["testKey"]["publicKeyBase64url"])
    assert key == TEST_KEY.public_key
    keys = set()
    for case in data["cases"]:
        record = check(case["record"], key)
        assert record.assertion_id == case["expectedAssertionId"]
        assert record.signature == unpadded(case["expectedSignature"])
        keys.add(record.key)
    assert len(keys) == 1, "both cases have one cognition key"


@pytest.mark.parametrize("name", ["transport-cmb", "feedback-directive", "feedback-dismissal"])
def test_published_examples_verify(vectors: Read, name: str) -> None:
    record = vectors(f"v2/published/examples/v2/{name}.json")["cmb"]
    assert check(record, TEST_KEY.public_key).assertion_id == record["metadata"]["assertionId"]
    parsed = json.loads(core.Unverified.parse(encode(record)).to_json())
    texts = {name: value["text"] for name, value in record["categories"].items()}
    assert parsed["metadata"]["key"] == core.content_key(texts)
    for name, value in record["categories"].items():
        assert value["meta"]["key"] == core.category_key(name, value["text"])


def test_a_record_that_another_runtime_emitted(vectors: Read) -> None:
    data = vectors("v2/sym-tests/mmp-v2-cross-device.fixture.json")
    key = unpadded(data["authorPublicKeyBase64url"])
    record = check(data["record"], key)
    assert record.assertion_id == data["record"]["metadata"]["assertionId"]
    assert check(vectors("v2/sym-tests/mmp-v2-public-record.vector.json"), TEST_KEY.public_key)


def test_projection(vectors: Read) -> None:
    data = vectors("v2/update1/record-projection-v2.json")
    key = unpadded(data["testKey"]["publicKeyBase64url"])
    assert len(data["cases"]) == 21
    for case in data["cases"]:
        expected = case["expected"]
        if not expected["accepted"]:
            with pytest.raises(core.CoreError):
                check(case["record"], key)
            continue
        projection = core.Unverified.parse(encode(case["record"])).to_json()
        assert json.loads(projection) == expected["projection"], case["label"]
        digest = next(value for name, value in expected.items() if "sha256" in name.lower())
        assert hashlib.sha256(projection).hexdigest() == digest.removeprefix("sha256-"), case["label"]
        assert check(case["record"], key).to_json() == projection
        assert check(json.loads(projection), key).to_json() == projection


def expand(base: Json, case: Json) -> Json:
    record = copy.deepcopy(base)
    for name, fill in case.get("fill", {}).items():
        record["categories"][name]["text"] = fill["unit"] * fill["count"]
    if "applicationBytes" in case:
        data = b"\x61" * case["applicationBytes"]
        record["metadata"]["application"] = {
            "mediaType": "application/octet-stream",
            "schema": "https://meshcognition.org/schema/size-fixture-v1.json",
            "encoding": "base64url",
            "byteLength": len(data),
            "digest": "sha256-" + hashlib.sha256(data).hexdigest(),
            "data": base64.urlsafe_b64encode(data).decode().rstrip("="),
        }
    return record


def test_sizes(vectors: Read) -> None:
    data = vectors("v2/update1/record-size-v2.json")
    for case in data["cases"]:
        record = encode(expand(data["base"], case))
        assert len(record) == case["expected"]["recordBytes"]
        if case["expected"]["within"]:
            core.Unverified.parse(record)
        else:
            with pytest.raises(core.CoreError) as refused:
                core.Unverified.parse(record)
            assert refused.value.reason == "too_large", case["label"]


def test_applications(vectors: Read) -> None:
    # The commitment stands inside the signed payload: carrying the bytes must give the pinned assertion.
    published = vectors(SIGNATURE_FILES[0])["cases"]
    application = next(case for case in published if case["record"]["metadata"]["application"])
    given = application["record"]["metadata"]["application"]
    record = check(application["record"], TEST_KEY.public_key)
    assert record.application is not None
    assert record.application.data == unpadded(given["data"])
    for case in vectors("v2/published/conformance/v2/application-v2.json")["cases"]:
        if case["application"]:
            assert unpadded(case["application"]["data"]).decode() == case["decodedDataUtf8"]


def mutations(record: Json) -> Iterator[tuple[str, Json]]:
    """Every way to spoil one leaf, drop one member, or add one."""

    def walk(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        yield path
        if isinstance(node, dict):
            for name, child in node.items():
                yield from walk(child, (*path, name))
        elif isinstance(node, list):
            for index, child in enumerate(node):
                yield from walk(child, (*path, index))

    def changed(path: tuple[Any, ...], edit: Callable[[Any, Any], None]) -> Json:
        copied = copy.deepcopy(record)
        parent: Any = copied
        for step in path[:-1]:
            parent = parent[step]
        edit(parent, path[-1])
        return copied

    def spoil(parent: Any, name: Any) -> None:
        value = parent[name]
        if isinstance(value, str):
            parent[name] = value[:-1] + ("a" if value[-1:] != "a" else "b")
        elif isinstance(value, int):
            parent[name] = value + 1
        else:
            parent[name] = "x"

    for path in walk(record, ()):
        # `method`, valence and arousal are covered by nothing, so changing them mutates no assertion.
        if not path or path[-1] in ("method", "valence", "arousal"):
            continue
        yield f"spoil {path}", changed(path, spoil)
        if isinstance(path[-1], str):
            yield f"drop {path}", changed(path, lambda parent, name: parent.pop(name))
            yield f"null {path}", changed(path, lambda parent, name: parent.update({name: None}))
            if path[0] != "categories" or len(path) > 2:
                yield f"extra beside {path}", changed(path, lambda parent, _: parent.update({"extra": 1}))


def test_every_mutation_is_refused(vectors: Read) -> None:
    count = 0
    for case in vectors(SIGNATURE_FILES[0])["cases"]:
        for label, mutated in mutations(case["record"]):
            unsigned = {("metadata", "application"), ("metadata", "to")}
            if label.startswith("null") and any(label.endswith(str(path)) for path in unsigned):
                path = ("metadata", "application")
                if label.endswith(str(path)) and case["record"]["metadata"]["application"] is None:
                    continue
            if label == "drop ('metadata', 'application')" and not case["record"]["metadata"]["application"]:
                continue
            with pytest.raises(core.CoreError):
                check(mutated, TEST_KEY.public_key)
                pytest.fail(f"accepted: {label}")
            count += 1
    assert count > 150


def test_signing_the_same_twice_verifies_twice() -> None:
    # Signature bytes are never compared (§17.4): only their acceptance is a fact.
    draft = core.Draft(
        {"focus": "one assertion"},
        node_id="018f47a0-7b21-7abc-8def-0123456789ab",
        author="tester",
        created_ms=1,
        room="default",
    )
    for _ in range(2):
        assert core.verify(core.sign(draft, TEST_KEY), TEST_KEY.public_key).key.startswith("cmb-")


def test_golden_addresses_and_payloads(golden: Read) -> None:
    data = golden("cmb-keys-signatures.json")
    public_key = unpadded(data["testKeypair"]["publicKeyB64url"])
    verified = 0
    for case in data["cases"]:
        record = case["expect"]["record"]
        texts = {name: value["text"] for name, value in record["categories"].items()}
        keys = [core.category_key(name, texts[name]) for name in core.CATEGORIES]
        assert keys == case["expect"]["categoryKeys"], case["i"]
        assert core.content_key(texts) == case["expect"]["blockKeyV2"], case["i"]
        verified += _check_golden_v2(case["expect"].get("v2_0"), public_key)
    assert len(data["cases"]) == 120
    assert verified >= 30


def _check_golden_v2(v2: Json | None, public_key: bytes) -> int:
    """Verify a golden mmp-sig-v2.0 record where covey would mint it too; else expect a refusal."""
    if not v2:
        return 0
    record = copy.deepcopy(v2["record"])
    record["metadata"].setdefault("application", None)
    try:
        core.verify(core.Unverified.parse(encode(record)), public_key)
    except core.CoreError as refused:
        # The recorded set holds forms that the strict projection refuses: no NFC, no room, odd label lengths.
        assert refused.reason in {"not_nfc", "schema", "invalid_id", "invalid_room"}, refused
        return 0
    return 1

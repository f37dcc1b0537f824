"""The lineage tether as Python holds it: what a remix may still claim to descend from, and who says so."""

import pytest

from covey import core

WHO = core.Identity("018f47a0-7b21-7abc-8def-00000000000a", "integrator", b"\xad" * 32)
ROOT = {"focus": "the release of the parser waits for its tests", "intent": "release the parser"}
KEY, OTHER = "cmb-" + "a" * 64, "cmb-" + "b" * 64


def test_a_faithful_remix_keeps_its_parents_and_a_departed_one_is_a_fresh_root():
    near = core.Tether.of_texts({"focus": "the parser's release waits for its tests"}, ROOT)
    far = core.Tether.of_texts({"focus": "xylophone quartz", "intent": "dance"}, ROOT)
    assert (near.checked, near.tethered, near.lineage([KEY])) == (True, True, [KEY])
    assert (far.checked, far.tethered, far.lineage([KEY])) == (True, False, [])
    assert near.drift is not None
    assert far.drift is not None
    assert near.drift < 0.5 < far.drift
    assert near.kernel == "ngram-h32"


def test_what_cannot_be_compared_severs_nothing_and_is_not_attested():
    unknown = core.Tether.of_texts({"mood": "calm"}, ROOT)
    assert (unknown.checked, unknown.tethered, unknown.drift) == (False, True, None)
    with pytest.raises(core.CoreError) as error:
        unknown.attest(WHO, of=KEY, root=OTHER, at_ms=1)
    assert error.value.reason == "invalid_argument"


def test_weights_decide_and_the_floor_is_the_integrators():
    remix = {"focus": [1.0, 0.0], "intent": [0.0, 1.0]}
    root = {"focus": [1.0, 0.0], "intent": [1.0, 0.0]}
    even = core.Tether.of_vectors(remix, root, kernel="k")
    leaning = core.Tether.of_vectors(remix, root, kernel="k", weights={"focus": 3.0})
    strict = core.Tether.of_vectors(remix, root, kernel="k", floor=0.4)
    assert (even.drift, leaning.drift) == (0.5, 0.25)
    assert (even.tethered, leaning.tethered, strict.tethered) == (True, True, False)


def test_an_attestation_holds_under_its_signers_key_and_no_other():
    told = core.Tether.of_texts(ROOT, ROOT).attest(WHO, of=KEY, root=OTHER, at_ms=7)
    read = core.TetherAttestation.parse(told.to_json())
    read.verify(WHO.public_key)
    assert (read.of, read.root, read.by, read.verdict, read.at_ms) == (KEY, OTHER, WHO.node_id, "tethered", 7)
    assert read.drift == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(core.CoreError) as forged:
        read.verify(core.SigningKey(b"\x01" * 32).public_key)
    assert forged.value.reason == "bad_signature"
    other = core.Tether.of_vectors({"focus": [1.0]}, {"focus": [1.0]}, kernel="minilm-l6-v2-h192")
    assert not read.is_comparable(other.attest(WHO, of=KEY, root=OTHER, at_ms=7))
    with pytest.raises(core.CoreError):
        core.Tether.of_texts(ROOT, ROOT).attest(WHO, of="cmb1-old", root=OTHER, at_ms=7)

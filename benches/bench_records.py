"""Address, sign, verify: one block, and 256 in one call as a socket read brings them."""

import json

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.signing import SigningKey as SodiumKey

from benches import reference, samples
from benches.reference import base64url
from covey import core

BATCH = 256
SODIUM = SodiumKey(samples.SEED)
TEXTS = samples.categories(1)
WIRE = [core.sign(samples.draft(number), samples.IDENTITY).to_json() for number in range(BATCH)]
PUBLIC = samples.IDENTITY.public_key
CLAIMS = [core.Unverified.parse(wire) for wire in WIRE]


def test_address_core(measure):
    assert core.content_key(TEXTS) == reference.content_key(TEXTS)
    measure("address: 7 categories", "covey", lambda: core.content_key(TEXTS))


def test_address_python(measure):
    measure("address: 7 categories", "pure Python", lambda: reference.content_key(TEXTS))


def test_sign_core(measure):
    measure("sign: address and signature", "covey", lambda: core.sign(samples.draft(1), samples.IDENTITY))


def test_sign_sodium(measure):
    def work():
        return reference.sign(TEXTS, samples.NODE_ID, "writer", samples.CREATED_MS + 1, samples.ROOM, SODIUM)

    public = SODIUM.verify_key.encode()
    assert public == PUBLIC
    assert core.sign(samples.draft(1), samples.IDENTITY).signature == work()
    measure("sign: address and signature", "pure Python + PyNaCl", work)


def test_verify_core(measure):
    measure(
        "verify: JSON to verified record",
        "covey",
        lambda: core.verify(core.Unverified.parse(WIRE[1]), PUBLIC),
    )


def test_verify_sodium(measure):
    verified = core.verify(core.Unverified.parse(WIRE[1]), PUBLIC)
    assert reference.verify(WIRE[1], SODIUM.verify_key) == verified.assertion_id
    measure(
        "verify: JSON to verified record",
        "pure Python + PyNaCl",
        lambda: reference.verify(WIRE[1], SODIUM.verify_key),
    )


def test_verify_batch_core(measure):
    keys = [PUBLIC] * BATCH
    results = core.verify_batch(CLAIMS, keys)
    assert all(isinstance(result, core.Record) for result in results)
    measure("verify a batch of 256, parsed", "covey", lambda: core.verify_batch(CLAIMS, keys), records=BATCH)


def test_subgroup_sodium(measure):
    """What one equation for a batch needs of every R beside itself, or it accepts what a check refuses."""
    nonces = [base64url(json.loads(wire)["metadata"]["sig"])[:32] for wire in WIRE]

    def work():
        return all(crypto_core_ed25519_is_valid_point(nonce) for nonce in nonces)

    assert work()
    measure("one equation for a batch, PyNaCl", "the test of each R's subgroup alone", work, records=BATCH)


def test_subgroup_whole_checks(measure):
    public, message = SODIUM.verify_key.encode(), bytes(500)
    signed = [SODIUM.sign(message + bytes([number])) for number in range(BATCH)]

    def work():
        for each in signed:
            crypto_sign_open(each, public)

    measure("one equation for a batch, PyNaCl", "whole checks, one by one", work, records=BATCH)


def test_verify_batch_one_by_one(measure):
    def work():
        return [core.verify(claim, PUBLIC) for claim in CLAIMS]

    measure("verify a batch of 256, parsed", "covey, one by one", work, records=BATCH)

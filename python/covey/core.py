"""The native core by itself: address, sign, verify, encode and judge records, without a mesh.

Everything here is pure: no clock, no socket, no file. Each function names the section of the Mesh Memory
Protocol 2.0 it implements. Errors are `CoreError`, whose `reason` is a stable word.
"""

from __future__ import annotations

from covey._core import (
    CATEGORIES,
    Application,
    AuthorKeys,
    CategoryVerdict,
    CoreError,
    Draft,
    Evaluation,
    Identity,
    MergeReport,
    Record,
    SigningKey,
    StateMap,
    StateStanding,
    Tether,
    TetherAttestation,
    Unverified,
    VectorClock,
    author_of,
    category_key,
    content_key,
    encode,
    evaluate,
    evaluate_vectors,
    sign,
    verify,
    verify_batch,
    verify_signature,
    verify_statement,
)

__all__ = [
    "CATEGORIES",
    "Application",
    "AuthorKeys",
    "CategoryVerdict",
    "CoreError",
    "Draft",
    "Evaluation",
    "Identity",
    "MergeReport",
    "Record",
    "SigningKey",
    "StateMap",
    "StateStanding",
    "Tether",
    "TetherAttestation",
    "Unverified",
    "VectorClock",
    "author_of",
    "category_key",
    "content_key",
    "encode",
    "evaluate",
    "evaluate_vectors",
    "sign",
    "verify",
    "verify_batch",
    "verify_signature",
    "verify_statement",
]

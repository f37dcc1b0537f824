"""Signatures at the edges of strict Ed25519, as vectors: crafted with the curve's equations, by no library.

`python -m tests.conformance.strict` writes strict-v1.json anew, the same every time. The rule is update 1's
(§18.3.2): A and R are canonical and of prime order, S is below the order, and [S]B = R + [k]A.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("strict-v1.json")
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SIGN = 1 << 255
Point = tuple[int, int]
Fraction = tuple[int, int, int]
"""A point whose x and y are over the third number."""
ZERO: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points, by the law of the curve."""
    return whole(added((*one, 1), (*other, 1)))


def added(one: Fraction, other: Fraction) -> Fraction:
    """Return the same of fractions: dividing is what takes time, so it is left to the end."""
    (x1, y1, z1), (x2, y2, z2) = one, other
    a, b, c, d = z1 * z2, z1 * z2 * z1 * z2 % P, x1 * x2 % P, y1 * y2 % P
    both = D * c * d % P
    less, more = b - both, b + both
    x = a * less * (x1 * y2 + x2 * y1)
    y = a * more * (d + c)
    return x % P, y % P, less * more % P


def whole(point: Fraction) -> Point:
    """Return a point whose fractions are divided."""
    x, y, z = point
    over = pow(z, -1, P)
    return x * over % P, y * over % P


def times(number: int, point: Point) -> Point:
    """Return a multiple of a point."""
    found, power = (*ZERO, 1), (*point, 1)
    while number:
        if number & 1:
            found = added(found, power)
        power, number = added(power, power), number >> 1
    return whole(found)


def lift(y: int) -> Point | None:
    """Return the point of a height whose x is even; None where the curve has none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (x if x % 2 == 0 else P - x), y


def encoded(point: Point) -> int:
    """Return the canonical encoding of a point, as a number."""
    return point[1] | (point[0] & 1) << 255


def the_point(y: int) -> Point:
    """Return the point of a height that has one."""
    point = lift(y)
    if point is None:
        raise ValueError(f"no point at {y}")
    return point


def eighth() -> Point:
    """Return a point of order 8."""
    for y in range(2, 100):
        point = lift(y)
        if point is not None and times(4, small := times(ORDER, point)) != ZERO:
            return small
    raise ValueError("no point of order 8 among the first")


BASE = the_point(4 * pow(5, -1, P) % P)
EIGHTH = eighth()
TORSION = [times(number, EIGHTH) for number in range(8)]
"""The eight points of small order; the first is the identity."""


def order(point: Point) -> int:
    """Return the order of a point of small order."""
    return next(number for number in (1, 2, 4, 8) if times(number, point) == ZERO)


def secret(name: str) -> int:
    """Return a scalar for a name."""
    return int.from_bytes(hashlib.sha512(f"covey {name}".encode()).digest(), "little") % ORDER


A = secret("strict key")
KEY = times(A, BASE)
MESSAGE = b"covey: signatures at the edge"


class Case(NamedTuple):
    """One signature; encodings as numbers, which a case may have beyond their bounds."""

    name: str
    key: int
    r: int
    s: int
    message: bytes = MESSAGE
    holds: bool = False


def challenge(r: int, key: int, message: bytes = MESSAGE) -> int:
    """Return k, over the encodings as they are sent."""
    sent = r.to_bytes(32, "little") + key.to_bytes(32, "little") + message
    return int.from_bytes(hashlib.sha512(sent).digest(), "little") % ORDER


def signed(name: str, r: int, nonce: int = 0, key: int | None = None, **more: Any) -> Case:
    """Return a case whose S is r + k a, as its signer makes it, whatever stands for R."""
    key = encoded(KEY) if key is None else key
    message = more.get("message", MESSAGE)
    return Case(name, key, r, (nonce + challenge(r, key, message) * A) % ORDER, **more)


def halves(seed: bytes) -> tuple[int, bytes]:
    """Return the scalar and the prefix of a seed (RFC 8032, §5.1.5)."""
    whole = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(whole[:32], "little")
    return scalar & ~7 & (1 << 254) - 1 | 1 << 254, whole[32:]


def public(seed: bytes) -> bytes:
    """Return the public key of a seed."""
    return encoded(times(halves(seed)[0], BASE)).to_bytes(32, "little")


def signature(seed: bytes, message: bytes) -> bytes:
    """Sign, by the equations (RFC 8032, §5.1.6)."""
    scalar, prefix = halves(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % ORDER
    r = encoded(times(nonce, BASE))
    s = (nonce + challenge(r, int.from_bytes(public(seed), "little"), message) * scalar) % ORDER
    return r.to_bytes(32, "little") + s.to_bytes(32, "little")


def commitments() -> Iterator[Case]:
    """Return signatures whose R is bent, under a good key: their S is right, and the key's table is asked."""
    nonce = secret("strict nonce")
    point = times(nonce, BASE)
    for torsion in TORSION[1:]:
        name = f"R moved by a point of order {order(torsion)}"
        yield signed(name, encoded(add(point, torsion)), nonce)
    for torsion in TORSION:
        yield signed(f"R of order {order(torsion)}", encoded(torsion))
    yield signed("R the identity, x = 0 with the sign bit", 1 | SIGN)
    yield signed("R the identity beyond p", P + 1)
    yield signed("R the identity beyond p, with the sign bit", P + 1 | SIGN)
    yield signed("R of order 2, x = 0 with the sign bit", P - 1 | SIGN)
    yield signed("R of order 4 beyond p", P)
    yield signed("R no point", next(y for y in range(2, 100) if lift(y) is None))
    yield signed("R negated", encoded(point) ^ SIGN, nonce)


def responses() -> Iterator[Case]:
    """Return signatures whose S is bent, and good ones."""
    nonce = secret("strict nonce")
    r = encoded(times(nonce, BASE))
    good = signed("as it should be", r, nonce, holds=True)
    yield good
    yield signed("of no bytes", r, nonce, message=b"", holds=True)
    yield signed("of two hundred bytes", r, nonce, message=b"\xff" * 200, holds=True)
    yield good._replace(name="of another message", message=MESSAGE + b"!", holds=False)
    for turns in (1, 2, 7, 8, 15):
        yield good._replace(name=f"S and {turns} times the order", s=good.s + turns * ORDER, holds=False)
    yield good._replace(name="S the order", s=ORDER, holds=False)
    yield good._replace(name="S nothing", s=0, holds=False)
    yield good._replace(name="S negated", s=ORDER - good.s, holds=False)
    yield good._replace(name="S with its top bit", s=good.s | SIGN, holds=False)


def keys() -> Iterator[Case]:
    """Return signatures for which an unchecked equation holds under a key that is none."""
    for torsion in TORSION:
        yield multiple(f"A of order {order(torsion)}", encoded(torsion), 0)
        yield multiple(f"A moved by a point of order {order(torsion)}", encoded(add(KEY, torsion)), A)
    yield multiple("A the identity beyond p", P + 1, 0)
    yield multiple("A the identity, x = 0 with the sign bit", 1 | SIGN, 0)
    yield multiple("A of order 4 beyond p", P, 0)
    yield multiple("A negated", encoded(KEY) ^ SIGN, A)


def multiple(name: str, key: int, a: int) -> Case:
    """Return a case with a challenge that is a multiple of 8: it takes away what is of small order."""
    if name == "A moved by a point of order 1":
        name = "A moved by nothing"
    for turn in range(1_000):
        nonce = secret(f"{name} {turn}")
        r = encoded(times(nonce, BASE))
        if (k := challenge(r, key)) % 8 == 0:
            return Case(name, key, r, (nonce + k * a) % ORDER, holds=key == encoded(KEY))
    raise ValueError(name)


def vectors() -> dict[str, Any]:
    """Return the whole file."""
    rows = [
        {
            "name": case.name,
            "publicKeyHex": case.key.to_bytes(32, "little").hex(),
            "messageHex": case.message.hex(),
            "signatureHex": (case.r.to_bytes(32, "little") + case.s.to_bytes(32, "little")).hex(),
            "holds": case.holds,
        }
        for case in (*responses(), *commitments(), *keys())
    ]
    return {"format": "covey-strict-v1", "cases": rows}


def written() -> str:
    """Return the file's text."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")

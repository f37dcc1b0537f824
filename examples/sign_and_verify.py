"""Make a block, sign it, carry it as bytes, verify it on the other side; then forge a word: it is refused.

Run it: .venv/bin/python examples/sign_and_verify.py
"""

import secrets
import time

from covey import core

author = core.Identity("01997c00-0000-7000-8000-000000000001", "writer", secrets.token_bytes(32))

draft = core.Draft(
    {
        "focus": "the parser drops the last frame of a burst",
        "issue": "an answer can be lost when two arrive together",
        "intent": "ask for a reviewer",
    },
    node_id=author.node_id,
    author="writer",
    created_ms=time.time_ns() // 1_000_000,
    room="default",
)
record = core.sign(draft, author)
wire = record.to_json()
print(f"signed:   {record.key}")
print(f"          {len(wire)} bytes on the wire, assertion {record.assertion_id[:17]}…")

heard = core.verify(core.Unverified.parse(wire), author.public_key)
print(f"verified: {heard.categories['focus']!r} by {heard.author}")

forged = wire.replace(b"drops the last frame", b"never drops a frame!")
try:
    core.verify(core.Unverified.parse(forged), author.public_key)
except core.CoreError as refusal:
    print(f"refused:  {refusal.reason}: {refusal.detail}")

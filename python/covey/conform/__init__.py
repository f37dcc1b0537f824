"""The conformance kit: published vectors, schemas and examples against an implementation of MMP 2.0.

Rules: the kit judges answers and computes what it expects by itself; it never asks the core what is right.
The implementation under test is a `Subject`, this build or another process. Signature bytes are never
compared (§17.4).
"""

"""Bounds of names and keys at rest."""

from __future__ import annotations

from typing import Final

# --- names ---------------------------------------------------------------------------------------------
PEER_NAME_BYTES: Final = 64  # MMP 2.0 §3.1
ROOM_NAME_CHARS: Final = 64  # MMP 2.0 §5.8

# --- keys at rest --------------------------------------------------------------------------------------
PASSPHRASE_BYTES: Final = 1_024  # a file that is longer is not a passphrase file
PASSPHRASE_CHARS_LEAST: Final = 8  # of a new one: argon2id cannot make up for less
SEAL_OPERATIONS_LEAST: Final = 1  # argon2id's least number of passes
SEAL_OPERATIONS_MOST: Final = 16  # passes; with the memory below some half a minute, then somebody lies to us
SEAL_MEMORY_LEAST: Final = 8_388_608  # below, a guess costs nothing worth the name
SEAL_MEMORY_MOST: Final = 1_073_741_824  # libsodium's "sensitive" limit: a file must not take more from us

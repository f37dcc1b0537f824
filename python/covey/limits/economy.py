"""Bounds of ledgers."""

from __future__ import annotations

from typing import Final

# --- ledgers ---------------------------------------------------------------------------------------------
LEDGER_AMOUNT: Final = 9_007_199_254_740_991  # one posting, and all of a row: 2^53 - 1, as the core's numbers
LEDGER_MEMO_BYTES: Final = 256  # what a transfer is for: a line that a person reads
LEDGER_UNIT_CHARS: Final = 32  # name of a unit: a word
LEDGER_ENTRY_BYTES: Final = 2_048  # one signed entry with the longest memo, escaped, is below
LEDGER_ENTRIES: Final = 1_000  # kept of one author's journal in one account; older ones are deleted by it
LEDGER_ACCOUNTS: Final = 64  # of one peer's own book: units that it moved or capped
LEDGER_BUCKETS: Final = 64  # hours of one account whose outgoings are kept: a day, and clocks that were ahead
LEDGER_LISTED: Final = 1_000  # entries in one answer; the newest

"""Bounds of model calls and what a model is shown."""

from __future__ import annotations

from typing import Final

# --- model calls ---------------------------------------------------------------------------------------
MODEL_OUTPUT_TOKENS: Final = 128_000  # the largest output any listed model can give
MODEL_TIMEOUT_SECONDS: Final = 600.0  # the vendors' own default; a local model on a small machine is slow
MODEL_TIMEOUT_DEFAULT_SECONDS: Final = 60.0  # a block-sized answer takes 2 to 20 s
MODEL_REPLY_BYTES: Final = 8_388_608  # raw HTTP body: 128,000 tokens as JSON stay under 1 MiB
MODEL_LINE_BYTES: Final = 1_048_576  # one event of a stream: a whole answer in one delta stays below
MODEL_FIRST_TOKEN_SECONDS: Final = 600.0  # what a configuration may wait for a first word: the whole call
MODEL_TOOL_CALLS: Final = 16  # calls read from one reply; a wake has few to spend
MODEL_BLOCKS: Final = 256  # content blocks of one streamed answer: texts, thoughts and calls
MODEL_ROLES: Final = 64  # roles with a table of their own in [model.roles]
MODEL_TAPE_FILES: Final = 10_000  # calls on one tape: a day of the default wake budget, ten times
MODEL_RETRY_AFTER_SECONDS: Final = 3_600.0  # a vendor may ask for a pause, not for ever
MODEL_ERROR_CHARS: Final = 200  # of a vendor's own words in our message
MODEL_PROBE_SECONDS: Final = 0.4  # is Ollama there? loopback answers in 2 ms, start-up must not hang
MODEL_ADAPTERS: Final = 64  # offered by other distributions; a machine has a handful
PROBE_OUTPUT_TOKENS: Final = 64  # one word, and room for a model that thinks a little first
CHARS_PER_TOKEN: Final = 4  # the usual estimate for English text (feature notes §4.4)
BYTES_PER_TOKEN_FLOOR: Final = 2  # for reserves: code and other scripts reach 2 bytes a token

# --- scripted adapter ----------------------------------------------------------------------------------
SCRIPTED_RULES: Final = 256  # looked at in order for each wake
SCRIPTED_MATCH_CHARS: Final = 2_000  # of one category a pattern sees: the operator's regex, a peer's text
SCRIPTED_QUOTE_CHARS: Final = 200  # of a peer's text quoted into our own block
SCRIPTED_TEMPLATE_CHARS: Final = 4_000  # one emitted category
SCRIPTED_THREADS: Final = 4_096  # threads whose `max_times` are remembered, oldest forgotten first

# --- context -------------------------------------------------------------------------------------------
CONTEXT_TOKENS_MIN: Final = 256  # a preamble and one block need about 150
CONTEXT_TOKENS_MAX: Final = 1_000_000  # the largest window on the market
CONTEXT_BLOCKS: Final = 200  # each of lineage, own and room recents

"""Bounds of curation, and of questions that a whole mesh answers."""

from __future__ import annotations

from typing import Final

# --- words of texts ------------------------------------------------------------------------------------
TERMS_CHARS: Final = 4_096  # of one text that are compared word by word: two pages
TERMS_TEXTS: Final = 1_024  # texts whose words are remembered: 16 MB with the longest, whatever peers send

# --- curation (MMP 2.0 §12.4) --------------------------------------------------------------------------
CURATED_BLOCKS: Final = 128  # of one subgraph: ancestors and what else answers them; scoring reads each
CURATED_DEPTH: Final = 6  # generations above: a thread is closed after three to six
CURATED_TOKENS: Final = 500  # what §12.4 expects twenty blocks with three categories each to cost
CURATED_TOKENS_MOST: Final = 100_000  # a whole window of today's models: beyond it nothing is curated

# --- ask: the asking side (§12.8) ----------------------------------------------------------------------
ASK_SECONDS: Final = 10.0  # until the answer is made of what came: a store of a million answers in a second
ASK_SECONDS_MOST: Final = 120.0  # a person has gone by then
ASK_QUESTION_CHARS: Final = 2_000  # a question, not a document
ASK_RUNNING: Final = 8  # questions of one peer at once
ASK_HELD: Final = 16  # gathered answers that wait for their sentences, the newest
ASK_PEERS: Final = 256  # peers that one question is put to: as many sessions as a node is made for
ASK_CONTRIBUTIONS: Final = 48  # that one answer weighs: each names three sources, and a record 256 parents
ASK_CLAIM_CHARS: Final = 1_200  # of one contribution as a claim: it is a summary of three blocks
ASK_SENTENCES: Final = 64  # of one answer; what a model says beyond is withheld
ASK_SENTENCE_CHARS: Final = 1_500  # one sentence: past it, a page
ASK_ANSWER_TOKENS: Final = 1_024  # of a model's answer: some forty sentences
ASK_ANSWER_BYTES: Final = 262_144  # of a model's answer as it is parsed: far beyond its tokens
ASK_PROMPT_TOKENS: Final = 24_000  # of the question to a model: 48 contributions of the longest, and room
ASK_MODEL_SECONDS: Final = 120.0  # for that one call

# --- ask: the answering side (§12.10) ------------------------------------------------------------------
SELF_SELECT_THRESHOLD: Final = 0.1  # MMP 2.0 §19
ASK_MARGIN: Final = 0.6  # of the best score: sources below it are not cited (§12.11)
ASK_SOURCES: Final = 3  # blocks that one contribution is drawn from (§12.11)
ASK_CANDIDATES: Final = 48  # blocks of the own store that are scored for one question: some milliseconds
ASK_SOURCE_BYTES: Final = 262_144  # of the signed sources that travel with one contribution: half a record's
ASK_TEXT_CHARS: Final = 400  # of one category of a contribution
ASK_ANSWERING: Final = 4  # questions that one peer looks into at once
ASK_ANSWERING_WAITS: Final = 32  # and those that wait for it; beyond, the asker hears that it is busy
ASKED_PER_SECOND: Final = 1.0  # questions of one peer that are looked into …
ASKED_BURST: Final = 8.0  # … and at once: a person's, not a program's in a loop
ASK_FRAME_BYTES: Final = 16_384  # the longest question, escaped, and its envelope
ASK_REASON_CHARS: Final = 64  # a reason is a word of a closed list

"""Bounds of the agent loop, its safety envelope and its tools."""

from __future__ import annotations

from typing import Final

# --- budgets and safety --------------------------------------------------------------------------------
WAKES_PER_WINDOW: Final = 100_000  # stamps held in memory and in the state row: 0.8 MB at worst
WAKE_SOFT_RATIO: Final = 0.8  # feature notes §6: warn when four fifths of a window are used
COST_USD: Final = 1_000_000.0  # a cap above this is a typing mistake
COST_BUCKET_SECONDS: Final = 60  # money is remembered by the minute: 1,440 sums hold a day
COST_OVERRUN_PERMILLE: Final = 20_000  # a vendor that bills 20 times its estimate is stopped by the caps
TEAM_MEMBERS: Final = 256  # peers that one purse knows; those not seen for a day make room
TEAM_RESERVE_SECONDS: Final = 660  # set aside so long without an end, it is spent: no call lasts longer
TEAM_AGAIN_SECONDS: Final = 2.0  # to ask again where only what others hold back is in the way
TEAM_BUSY_SECONDS: Final = 5.0  # to wait for another process's transaction, which takes milliseconds
CYCLE_DEPTH: Final = 64  # ancestors' depth one may ask to be searched
CYCLE_NODES: Final = 512  # blocks visited in one walk: a wide lineage must not stall the loop
THREAD_HOPS: Final = 24  # a chain from task to block longer than this is talk without an end
THREADS: Final = 4_096  # threads remembered as closed or called for, oldest forgotten first: 0.4 MB
THREAD_CALLS: Final = 4  # model calls of one peer in one thread: a triad ends a task in twelve at most
THREAD_CALLS_MAX: Final = 1_000  # what a configuration may raise it to
GATE_TEXT_CHARS: Final = 16_384  # of one category looked at; a longer one is held, not skipped
GATE_TEXTS: Final = 4_096  # texts looked at in one application payload
GATE_PATTERNS: Final = 64  # of the operator's own
GATE_PATTERN_CHARS: Final = 512  # one of them
QUARANTINE_ENTRIES: Final = 64  # answers that wait for a person: more than anybody looks through
QUARANTINE_BYTES: Final = 2_000_000  # of their texts: the document stays under STATE_BYTES, escaped
QUARANTINE_DECIDED: Final = 128  # decisions remembered, so that a second word gets a true answer
QUARANTINE_SECONDS: Final = 259_200.0  # three days by default: a weekend passes
QUARANTINE_SECONDS_MAX: Final = 2_592_000.0  # a month; later nobody knows what it was about
RECALLED_OWN_BLOCKS: Final = 256  # own blocks looked through for an answer that was approved before a crash
LOOP_SECONDS: Final = 3_600.0  # turns remembered: what goes round slower costs little
LOOP_REACTION_SECONDS: Final = 300.0  # a block later than this after ours is no reaction to it
LOOP_TURNS: Final = 256  # turns remembered: 0.3 MB saved at worst
LOOP_WORDS: Final = 64  # content words of one turn
LOOP_ALIKE: Final = 0.5  # half of the content words in common (Dice): paraphrases reach it, tasks do not
LOOP_ROUNDS: Final = 4  # rounds of one matter by default: ask, answer, correct, thank
LOOP_ROUNDS_MAX: Final = 100  # what a configuration may raise it to
BREAKER_FAILURES: Final = 5  # in a row until the breaker opens (feature notes §6)
BREAKER_RESET_SECONDS: Final = 60.0  # open this long, then one probe
BREAKER_BACKOFF_FIRST_SECONDS: Final = 1.0  # doubling from here
BREAKER_BACKOFF_LAST_SECONDS: Final = 30.0  # up to here
BREAKER_JITTER: Final = 0.2  # of a pause, added at most: a room that failed together spreads out
STATE_BYTES: Final = 4_194_304  # one restored state row; ours stay under 2 MB

# --- agent loop ----------------------------------------------------------------------------------------
LINEAGE_BLOCKS: Final = 256  # resolved by one walk: four generations of four parents
THREAD_BLOCKS: Final = 4_096  # kept at hand for walking; older ones are read from the store
THREAD_SEARCHED: Final = 512  # newest blocks looked through for a thread's authors, at each wake
THREAD_CLOSINGS: Final = 1_024  # closing blocks remembered: a hundred threads of ten agents
AGENT_WOKEN: Final = 8_192  # past wakes kept in memory; the store keeps more, this spares the question
AGENT_IN_FLIGHT: Final = 64  # wakes at once that a configuration may ask for
AGENT_DECISIONS: Final = 16  # latest decisions that `status` lists
AGENT_DECISION_WORDS: Final = 256  # pairs of event and reason that are counted; ours are some sixty
AGENT_RETRY_SECURE_SECONDS: Final = 5.0  # after the disk refused to keep what a call would spend
WAITING_SECONDS: Final = 86_400.0  # a deferred block older than a day is answered by nobody
AGENT_RECALLED_BLOCKS: Final = 512  # read at start, so that threads go on where they stood
AGENT_RESTORED: Final = 256  # blocks an earlier run had not come to, taken up: as many as may wait
AGENT_EARLY_NEWS: Final = 4_096  # heard before the agent has read its state: some 50 ms of a busy room
AGENT_SETTLED: Final = 4_096  # ends of sends remembered until the emission's own answer is in
AGENT_SETTLE_SECONDS: Final = 3.0  # at the end of a run: a receipt on loopback takes milliseconds
AGENT_DRAIN_SECONDS: Final = 30.0  # told to stop: most answers take 2 to 20 s and are paid for already
AGENT_DRAIN_SECONDS_MOST: Final = 3_600.0  # what `covey stop --timeout` may allow it
STOP_SECONDS: Final = 12.0  # after the drain: last receipts, goodbyes, the store's last write
RUN_PARTICIPANTS: Final = 256  # agents of one run; a thread of more is not read by anybody
RUN_IDLE_SECONDS: Final = 604_800.0  # a week of silence; who waits longer does not want an end
RUN_CALLS: Final = 1_000_000  # a bound above this is a typing mistake
ANSWER_CATEGORY_CHARS: Final = 16_384  # one category of an answer: far over any sane one
ANSWER_SCANNED_CHARS: Final = 262_144  # of a reply without tool call, searched for JSON
ANSWER_CANDIDATES: Final = 32  # opening braces tried in it
API_QUEUE: Final = 1_024  # deliveries that wait for one handler; the oldest goes, and that is told
API_DRAIN_SECONDS: Final = 5.0  # what handlers hold may still be finished when a program leaves the context

# --- tools ---------------------------------------------------------------------------------------------
TOOLS: Final = 64  # offered to a model: vendors advise some 20, and each costs tokens in every question
TOOL_SOURCES: Final = 16  # MCP servers of one peer, and Python files: each server is a process or connection
PACKS: Final = 16  # tool packs of one agent: names that others still read
PACK_CAPABILITIES: Final = 64  # of one pack: as many as a model takes tools
PACK_ABOUT_CHARS: Final = 200  # one line about a pack
PACKS_LOOK_SECONDS: Final = 0.25  # between two looks whether somebody who can do it has come
PACKS_LOST_LOOKS: Final = 8  # in a row without the peer that was asked: two seconds, as long as a break takes
PACKS_LISTED: Final = 1_000  # in one answer: of sixty agents at their most
TOOL_NAME_CHARS: Final = 64  # of an offered name: what the vendors' APIs take
TOOL_DESCRIPTION_CHARS: Final = 2_000  # of a tool's own words about itself; longer ones are cut
TOOL_SCHEMA_BYTES: Final = 8_192  # of a tool's input schema; a larger one is not offered
TOOL_COMMAND_WORDS: Final = 64  # of the command that starts a server
TOOL_VARIABLES: Final = 64  # of its environment
TOOL_CALLS: Final = 64  # of one wake that a configuration may allow
TOOL_RESULT_BYTES: Final = 65_536  # of one result: about 16,000 tokens
TOOL_ARGUMENT_BYTES: Final = 16_384  # of one call: what a person or a gate still looks at
TOOL_SECONDS: Final = 600.0  # one call; longer work belongs behind a block, not inside a wake
TOOL_ASK_SECONDS: Final = 86_400.0  # a person decides within a day or not at all
TOOL_ASKS: Final = 64  # calls that wait for a person at once
TOOL_START_SECONDS: Final = 30.0  # a server's start: npx and uvx load what they run first
TOOL_STOP_SECONDS: Final = 5.0  # and its end; the library kills what stays longer
TOOL_RESTART_SECONDS: Final = 5.0  # a server that ended is started again at most this often
TOOL_PAGES: Final = 16  # of a server's list of tools
TOOL_STDERR_BYTES: Final = 2_048  # of a server's last words, shown when it does not start

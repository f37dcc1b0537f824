"""Bounds of tasks: what one may hold, how long anybody waits, how often it is tried."""

from __future__ import annotations

from typing import Final

TASK_PAYLOAD_BYTES: Final = 131_072  # what a task asks, and what its result says, as JSON: half a message
TASK_KEY_CHARS: Final = 128  # an order number or a URL's digest, not a text
TASK_DETAIL_CHARS: Final = 1_024  # why it ended so, or how far it is: a few lines
TASKS_OPEN: Final = 2_000  # of one submitter, waiting or out: with small payloads some 4 MB
TASKS_KEPT: Final = 2_000  # that are over and can still be shown, and are not done again under their key
TASKS_BYTES: Final = 134_217_728  # of both together, as they are kept: a thousand of the largest
TASK_EVENTS: Final = 32  # of one task's story; the first ones stay, of the later ones the newest
TASK_SECONDS: Final = 600.0  # until nobody wants the result any more, where the submitter says nothing else
TASK_SECONDS_MOST: Final = 86_400.0  # a day: how long the outbox keeps a result for a submitter that is away
TASK_TRIES: Final = 5  # a task that ended badly five times will a sixth time
TASK_TRIES_MOST: Final = 100  # and nobody asks for more than that
TASK_LEASE_SECONDS: Final = 10.0  # without a word of the worker: membership finds a dead one before that
TASK_BEATS_PER_LEASE: Final = 3  # so two lost frames cost no lease
TASK_BACKOFF_SECONDS: Final = 0.5  # before the second try; doubled for each further one, times 0.5 to 1.5
TASK_BACKOFF_SECONDS_MOST: Final = 30.0  # the longest of those
TASK_REFUSAL_SECONDS: Final = 5.0  # before an agent that refused a task is asked again
TASK_WORD_SECONDS: Final = 2.0  # a worker's own word on its load outlives the gossip's period once
TASK_LOOK_SECONDS: Final = 0.25  # between two looks at who can, while a task waits
TASK_HOPS: Final = 4  # hand-ons of one task: each holds a lease of its own for as long as it lasts
TASK_FORWARDS: Final = 2  # neighbours that are asked whether they know somebody: 2 + 4 + 8 at the most
TASK_RESULTS_REMEMBERED: Final = 256  # of one worker, for a submitter that asks again: 32 MB of the largest
TASK_CAPACITY_MOST: Final = 256  # runs of one agent at once: each is a coroutine and a heartbeat
TASK_WAITING_WRITES: Final = 4_096  # changes that wait for the disk; beyond, submitters hear that it is busy
TASK_NOBODY_SECONDS: Final = 2.0  # until a task that may not wait is known to have somebody, or nobody
TASK_WAIT_SECONDS: Final = 8.0  # of one request of a command that waits; it asks again

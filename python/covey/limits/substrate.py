"""Bounds of substrate bundles: what is learned, carried, merged and offered."""

from __future__ import annotations

from typing import Final

BUNDLE_BYTES: Final = 524_288  # one bundle: as base64 it still fits one line of the control socket
BUNDLE_MEMBERS: Final = 8  # files in one: manifest, three slices, signature, and some to call too many
BUNDLE_JSON_DEPTH: Final = 8  # ours is four deep
CONCEPTS_KEPT: Final = 128  # concepts of one bundle that turned out well: 1.4 kB each with 1,024 numbers
CONCEPTS_AGAINST: Final = 32  # and badly: a receiver should not mostly hear what to turn away
CONCEPT_DIMENSIONS: Final = 1_024  # numbers of one vector: the core's largest encoder
CONCEPT_MEMBERS: Final = 2  # blocks that a concept is of, and that share each dimension of it: never one
LINKS: Final = 1_024  # of one bundle, the most counted first: 120 bytes each
COUNT: Final = 1_000  # any count in a bundle; what is larger is read as this
CONFIDENCE: Final = 0.9  # of anything foreign, whatever it says of itself
LEARNED_BLOCKS: Final = 4_096  # newest blocks that are learned from: what admission itself compares with
LEARNED_CHARS: Final = 8_192  # of one category: what a matter is about stands in its first pages
LEARNED_DECISIONS: Final = 4_096  # newest decisions likewise
CONTRIBUTORS: Final = 32  # merged into one peer: 16 MB of bundles, read at its start
JOURNAL_ENTRIES: Final = 1_024  # acts of merging and undoing; a full journal says so
CONTRIBUTOR_CHARS: Final = 128  # of a contributor's id
DENIED_IDENTITIES: Final = 4_096  # words of the list that --deny names
DENIED_BYTES: Final = 262_144  # of that file
IDENTITY_MARKS: Final = 2  # at which a block is left out: see docs/substrate.md for the direction
OFFERS: Final = 16  # bundles that a peer offers at once
OFFERED_TO: Final = 64  # peers that one of them is offered to
OFFERS_HEARD: Final = 256  # from all peers together; from one of them as many as it may make
PULLS: Final = 2  # under way at once: a pull is a person's act
PULL_PART_BYTES: Final = 65_536  # of a bundle in one frame
PULL_SECONDS: Final = 20.0  # without a further part, then a pull has failed
PULL_SERVED_PER_SECOND: Final = 32.0  # parts that one peer is given: 2 MB, four whole bundles
PULL_SERVED_BURST: Final = 64  # likewise at once
PRIOR_BLOCKS: Final = 6.0  # blocks that all merged bundles count as together; the core has the same bound
PRIOR_OWN: Final = 4.0  # and that memory counts as before it holds any, likewise
PRIOR_FOR: Final = 768  # folded concepts that count for a block
PRIOR_AGAINST: Final = 256  # and against one; both together the core's bound

"""How far replicas reach: a holder says where its writes stand, keepers say when they have all of that.

What a keeper says it has is on its disk. From these answers follows the last acknowledged replication point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from covey.proto.continuity import frames
from covey.proto.continuity.book import Book, beat_due, concerns
from covey.proto.continuity.case import Beat, Case

if TYPE_CHECKING:
    from covey.proto.turn import Turn


class Marks:
    """The holder's and the keeper's part of replication."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def tick(self, case: Case, turn: Turn) -> None:
        """Say where writes stand, or look whether what was said has come."""
        book = self._book
        if case.line.holder.author == book.author:
            self._say(case, turn)
        elif case.role(book.author) in ("owner", "standby"):
            self._weigh(case, turn)

    def heard_beat(self, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Take a holder's word of where it stands."""
        case = self._book.cases.get(said["agent"])
        if case is None or case.role(self._book.author) not in ("owner", "standby"):
            return
        if (author, said["epoch"]) != (case.line.holder.author, case.line.epoch):
            turn.count("continuity.fenced.beats")
            # one of us has missed a term: whoever of two has the older line is answered with the newer one
            self._book.send(author, frames.write("line", line=case.line.wire()), turn)
            return
        beat = Beat((said["epoch"], said["write"]), said["heads"])
        if beat.mark > case.mark and (not case.beats or beat.mark > case.beats[-1].mark):
            case.beats.append(beat)
        self._weigh(case, turn)
        if beat.mark <= case.mark or case.promised:
            self._answer(case, turn)

    def heard_held(self, author: str, said: dict[str, Any]) -> None:
        """Take a keeper's word that it has everything up to a mark."""
        case = self._book.cases.get(said["agent"])
        if case is None or case.line.holder.author != self._book.author:
            return
        if said["epoch"] > case.line.epoch:
            case.least = max(case.least, min(said["epoch"], case.plan.epochs))
            case.contested = True
            return
        member = case.plan.member(author)
        written = self._book.written(case)
        mark = (said["epoch"], said["write"])
        if member is None or member.role == "witness" or mark[0] != case.line.epoch:
            return
        if written is not None and mark <= written:  # nobody has more than was written
            case.acked[author] = max(mark, case.acked.get(author, (0, 0)))

    def _say(self, case: Case, turn: Turn) -> None:
        book, now = self._book, turn.now.monotonic
        mark = book.written(case)
        if mark is None:
            return
        case.mark, case.source = mark, book.author
        if case.said is not None and case.said.mark == mark and not beat_due(case, now):
            return
        case.said, case.said_at = Beat(mark, {}), now
        self._remind(case, turn)
        for keeper in case.keepers(book.author):
            heads = book.heads(case, book.author, keeper.author)
            scopes = (book.scope(case, book.author, keeper.author, label) for label in case.plan.classes)
            if heads is None or not all(map(book.served, scopes)):
                continue  # it does not get everything, so it must not believe that it has
            frame = frames.write("beat", agent=case.line.agent, epoch=mark[0], write=mark[1], heads=heads)
            book.send(keeper.author, frame, turn)

    def _remind(self, case: Case, turn: Turn) -> None:
        """Tell the line to somebody at random: what a slow peer missed still comes."""
        here = sorted(author for author in self._book.present if concerns(case.line, author))
        if here:
            chosen = here[int.from_bytes(turn.draw()[:4], "big") % len(here)]
            self._book.send(chosen, frames.write("line", line=case.line.wire()), turn)

    def _weigh(self, case: Case, turn: Turn) -> None:
        """Move the mark past every word whose operations are all durable here."""
        book = self._book
        holder = case.line.holder.author
        if case.promised:
            return  # what is confirmed now would be lost to whom this peer has voted for
        here = book.heads(case, holder, book.author) if case.beats else None
        moved = False
        while here is not None and case.beats:
            beat = case.beats[0]
            if any(here.get(label, 0) < count for label, count in beat.heads.items()):
                break
            case.beats.popleft()
            if beat.mark > case.mark:
                case.mark, case.source, moved = beat.mark, holder, True
        if moved:
            book.keep(turn, lambda later: self._answer(case, later))

    def _answer(self, case: Case, turn: Turn) -> None:
        if case.promised:
            word = frames.write("held", agent=case.line.agent, epoch=case.promise.epoch, write=0)
            self._book.send(case.line.holder.author, word, turn)
        elif case.mark[0] == case.line.epoch:
            frame = frames.write("held", agent=case.line.agent, epoch=case.mark[0], write=case.mark[1])
            self._book.send(case.line.holder.author, frame, turn)

"""Who hears a node's news."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from covey.proto.effects import Notify
    from covey.proto.news import News

Listener = Callable[["News"], None]


class Subscribers:
    """Listeners in the order they came.

    Args:
        watch: Told when the first one comes and when the last one goes.
        failed: Told what a listener raised, which stays subscribed: its fault must not stop the peer.
    """

    def __init__(self, watch: Callable[[bool], None], failed: Callable[[Exception], None]) -> None:
        self._watch = watch
        self._failed = failed
        self._listeners: tuple[Listener, ...] = ()
        """Made anew at every change: one that goes while it is told takes nobody's place."""

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell one more; return the way to end it."""
        self._listeners += (listener,)
        if len(self._listeners) == 1:
            self._watch(True)

        def end() -> None:
            if listener in self._listeners:
                left = list(self._listeners)
                left.remove(listener)
                self._listeners = tuple(left)
                if not left:
                    self._watch(False)

        return end

    def tell(self, effect: Notify) -> None:
        """Tell them all."""
        for listener in self._listeners:
            try:
                listener(effect.news)
            except Exception as error:  # whose fault it is, is said by `failed`
                self._failed(error)

"""What doctor asks of other distributions: the model adapters they offer, and which of them are not taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from covey.cli.doctor.finding import Finding
from covey.errors import ModelError

_SECTION: Final = "model adapters of other packages"


def look() -> Iterator[Finding]:
    """Yield each offered adapter; none is imported."""
    from covey.models.custom import offers

    try:
        found = offers()
    except ModelError as error:
        yield Finding(_SECTION, "entry points", "FAIL", error.message, error.hint)
        return
    for offer in found:
        detail = f"{offer.target} of {offer.distribution}"
        if offer.complaint is None:
            yield Finding(_SECTION, offer.name, "ok", detail)
        else:
            step = "uninstall it, or have its entry point renamed; no peer uses it"
            yield Finding(_SECTION, offer.name, "warn", f"{detail}; {offer.complaint}", step)

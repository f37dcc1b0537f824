"""The functions that do tasks of others, out of files and modules that agent.toml names.

Rules: the file is the operator's own program and runs with the peer's rights; loading it runs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from covey.errors import CoveyError
from covey.settings.work import WorkOfferSettings, WorkSettings
from covey.tools.bounds import one_line
from covey.tools.functions import from_file


def handlers(settings: WorkSettings) -> dict[str, Callable[..., Any]]:
    """Return the function of each capability. Blocks: files are loaded.

    Raises:
        CoveyError: One cannot be loaded, or has no such function; it says which and why.
    """
    return {capability: _handler(capability, offer) for capability, offer in settings.offers.items()}


def _handler(capability: str, offer: WorkOfferSettings) -> Callable[..., Any]:
    name = offer.function or capability.replace(".", "_").replace("-", "_")
    where = str(offer.file) if offer.file is not None else str(offer.module)
    try:
        loaded = (
            importlib.import_module(offer.module or "")
            if offer.file is None
            else from_file(f"work-{capability.replace('.', '-')}", offer.file)
        )
    except Exception as error:  # the operator's file may raise anything while it is loaded
        said = one_line(f"{type(error).__name__}: {error}")
        raise CoveyError(f"work.offers.{capability}: {where}: {said}", code="work_not_loaded") from None
    found = getattr(loaded, name, None)
    if not callable(found):
        raise CoveyError(
            f"work.offers.{capability}: {where} has no function {name}",
            code="work_not_loaded",
            hint="name another with function = …",
        )
    return found  # type: ignore[no-any-return]  # callable, which is all that can be known of it

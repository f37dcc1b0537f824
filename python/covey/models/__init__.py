"""Models: one adapter for each kind of vendor, built by the factory. Importing this imports no SDK."""

from __future__ import annotations

from collections.abc import Collection

from covey.models.factory import Detected, PricedModel, build, check, detect
from covey.models.prices import PRICES_DATE, Quote, quote

__all__ = ["PRICES_DATE", "Detected", "PricedModel", "Quote", "build", "check", "detect", "others", "quote"]


def others() -> Collection[str]:
    """Return the names of adapters that other distributions offer; only this reads their entry points."""
    from covey.models.custom import names

    return names()

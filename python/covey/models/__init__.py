"""Models: one adapter for each kind of vendor, built by the factory. Importing this imports no SDK."""

from covey.models.factory import Detected, PricedModel, build, check, detect
from covey.models.prices import PRICES_DATE, Quote, quote

__all__ = ["PRICES_DATE", "Detected", "PricedModel", "Quote", "build", "check", "detect", "quote"]

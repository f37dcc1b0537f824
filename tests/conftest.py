"""What every test stands on: a busy machine is slow, which is no finding, and a commit can be tried twice."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Bounds on time are held by tests that say so, generously; hypothesis would hold each example to 200 ms.
_SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("covey", **_SETTINGS)
# Where a commit is decided upon, examples follow from the test alone: the same commit passes or fails again.
settings.register_profile("same", derandomize=True, database=None, **_SETTINGS)
settings.load_profile("same" if os.environ.get("COVEY_SAME_EXAMPLES") else "covey")

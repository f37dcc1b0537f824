"""The section [svaf], and what `covey run` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from covey.cli.run import admission
from covey.errors import ConfigError, CoveyError
from covey.settings import from_mapping

BASE = {
    "identity": {"name": "ann", "role": "writer"},
    "model": {"adapter": "scripted"},
    "scripted": {"rules": [{"emit": {"focus": "x"}}]},
}


def test_the_section_becomes_the_policy() -> None:
    said = {"path": "selective", "kernel": "ngram-h64", "profile": "coding", "redundancy": 0.2}
    policy = admission(from_mapping({**BASE, "svaf": said}))
    assert (policy.path, policy.kernel, policy.freshness_seconds) == ("selective", "ngram-h64", 7_200.0)
    assert (policy.redundancy, policy.stable, policy.encoder) == (0.2, None, None)
    own = admission(from_mapping({**BASE, "svaf": {"profile": "coding", "freshness_seconds": 60}}))
    assert own.freshness_seconds == 60.0


def test_what_it_cannot_mean_is_refused(tmp_path: Path) -> None:
    for wrong in ({"path": "neural"}, {"kernel": "ngram-h32"}, {"stable": 2}, {"profile": "cooking"}):
        with pytest.raises(ConfigError):
            from_mapping({**BASE, "svaf": wrong})
    with pytest.raises(CoveyError, match="cannot read"):
        admission(from_mapping({**BASE, "svaf": {"path": "selective", "table": str(tmp_path)}}))

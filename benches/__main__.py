"""`python -m benches`: run the benches and print one table. Arguments go to pytest (`-k intake`)."""

import json
import sys
import tempfile
from pathlib import Path

import pytest

from benches import table

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    """Run the benches quietly; print figures and ratios, or what failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["-q", "--no-header", "-o", "python_files=bench_*.py", f"--benchmark-json={report}"]
        status = pytest.main([str(HERE), *options, "--benchmark-quiet", *arguments])
        if status == 0:
            print("\n".join(table.lines(table.figures(json.loads(report.read_text())))))
        return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

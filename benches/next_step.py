"""What to type where a package that a bench measures covey beside is not installed."""


def install(requirements: str) -> str:
    """Return the command that installs one of the pinned lists in requirements/."""
    return f"next: python -m pip install --require-hashes -r requirements/{requirements}.txt"

"""Reading the two files of a static-embedding table, within bounds, and saying what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from covey import _core, limits
from covey.errors import CoveyError

_FILES: Final = {
    "model.safetensors": limits.TABLE_MATRIX_BYTES,
    "tokenizer.json": limits.TABLE_TOKENIZER_BYTES,
}


def load_table(folder: Path) -> _core.Encoder:
    """Read a table in the layout of model2vec.

    Raises:
        CoveyError: A file is missing, too large, or not understood; the message says which and why.
    """
    matrix, tokenizer = (_read(folder.expanduser() / name, most) for name, most in _FILES.items())
    try:
        return _core.Encoder.table(matrix, tokenizer)
    except _core.CoreError as error:
        raise CoveyError(
            f"cannot use the table in {folder}: {error.detail}",
            code="table",
            hint="a table is a folder with model.safetensors and tokenizer.json, as model2vec saves it",
        ) from error


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise CoveyError(
            f"cannot read {path}: {error.strerror or error}",
            code="table",
            hint="[svaf] table names the folder",
        ) from error
    if len(found) > most:
        raise CoveyError(f"{path}: more than {most} bytes", code="table")
    return found

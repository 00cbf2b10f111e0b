"""Files of rows that are appended to, and of which a crash leaves all rows but the last whole."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

BLOCK = 2**16


def append(path: Path, text: str) -> None:
    """Appends rows, or nothing: a part that was written before an error is taken back.

    Raises:
      OSError: The rows cannot be written, or only in part.
    """
    data = text.encode()
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if file.write(data) < len(data):
                raise OSError(f"only a part of a row fitted into {path}: is the disk full?")
        except BaseException:
            file.truncate(size)
            raise


def opened(path: str | os.PathLike[str], head: str, whole: Callable[[bytes], bool]) -> Path:
    """Makes a file ready to be appended to: makes its folder, or mends its end.

    Args:
      path: The file.
      head: What a file of this kind begins with.
      whole: Says whether a last row, that has no line break, lacks nothing else.

    Returns:
      The path.

    Raises:
      ValueError: The file is there and of another kind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return path
    if not path.is_file():
        raise ValueError(f"{path} is not a file; expected one to append to, or none.")
    with path.open("rb+") as file:
        beginning = file.read(len(head.encode()))
        # A file that was cut off within its first bytes is of this kind too.
        if not head.encode().startswith(beginning):
            raise ValueError(
                f"{path} begins with {beginning.decode(errors='replace')!r} and not with {head!r}, "
                "so this writer did not write it. Give another path, or remove the file."
            )
        _mend(path, file, whole)
    return path


def _mend(path: Path, file: BinaryIO, whole: Callable[[bytes], bool]) -> None:
    start, row = _after_last_line_break(file)
    if not row:
        return
    if whole(row):
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
        return
    file.truncate(start)
    warnings.warn(
        f"{path} ended within a row, as where the process that wrote it was killed. These "
        f"{len(row)} bytes were removed: {row[:60].decode(errors='replace')!r}",
        stacklevel=4,  # the line that made the writer
    )


def _after_last_line_break(file: BinaryIO) -> tuple[int, bytes]:
    """Returns where the last row begins, and the row: empty if the file ends in a line break."""
    start, end = file.seek(0, os.SEEK_END), b""
    while start and b"\n" not in end:
        size = min(BLOCK, start)
        start = file.seek(start - size)
        end = file.read(size) + end
    cut = end.rfind(b"\n") + 1
    return start + cut, end[cut:]

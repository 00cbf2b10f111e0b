"""Writers of files: JSON lines and CSV."""

import csv
import io
import json
import math
import os
from typing import Any

from wdjax.tracking.writers.appending import append, opened
from wdjax.tracking.writers.writer import Flatten, Row, Writer, summary


class JSONLWriter(Writer):
    """Appends a JSON object per step, one per line, to a file.

    Numbers that are not finite are written as "NaN", "Infinity" and "-Infinity", in quotes, since
    JSON has no numbers for them.

    Args:
      path: The file; its folder is made. If it is there, it is continued.
      flatten: Makes a row of the measures: `summary`, `full`, or a function of one's own.

    Raises:
      ValueError: The file is there and was not written by a `JSONLWriter`.

    Example:
      >>> import pathlib, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder, "run.jsonl")
      ...     JSONLWriter(file).write(0, {}, loss=2.5)
      ...     JSONLWriter(file).write(1, {}, loss=1.5)
      ...     print(file.read_text())
      {"step": 0, "loss": 2.5}
      {"step": 1, "loss": 1.5}
    """

    def __init__(self, path: str | os.PathLike[str], flatten: Flatten = summary) -> None:
        self.flatten = flatten
        self._path = opened(path, '{"step":', whole=_is_json_object)

    def put(self, step: int, row: Row) -> None:
        """Appends one line."""
        named = {name: _json_number(value) for name, value in row.items()}
        append(self._path, json.dumps({"step": step, **named}, ensure_ascii=False) + "\n")


class CSVWriter(Writer):
    """Appends a row per step to a CSV file; the first row names the columns.

    All steps of a file have the same columns. Numbers that are not finite are written as nan, inf
    and -inf.

    Args:
      path: The file; its folder is made. If it is there, it is continued.
      flatten: Makes a row of the measures: `summary`, `full`, or a function of one's own.

    Raises:
      ValueError: The file is there and was not written by a `CSVWriter`; at `write`, if the columns
        are not those of the file.

    Example:
      >>> import pathlib, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder, "run.csv")
      ...     CSVWriter(file).write(0, {}, loss=2.5)
      ...     CSVWriter(file).write(1, {}, loss=1.5)
      ...     print(file.read_text())
      step,loss
      0,2.5
      1,1.5
    """

    def __init__(self, path: str | os.PathLike[str], flatten: Flatten = summary) -> None:
        self.flatten = flatten
        # Of a last row that is cut off the last number may be a part of a number.
        self._path = opened(path, "step", whole=lambda row: False)
        self._columns = self._header()

    def put(self, step: int, row: Row) -> None:
        """Appends one row, and before the first the names of the columns."""
        columns = self._columns or ["step", *row]
        values = {"step": step, **row}
        if columns != list(values) and sorted(columns) != sorted(values):
            raise ValueError(
                f"{self._path} has other columns than this step: only in the file: "
                f"{sorted(set(columns) - set(values))}; only in the step: "
                f"{sorted(set(values) - set(columns))}. Write to another file."
            )
        rows = [[values[column] for column in columns]]
        append(self._path, _csv(rows if self._columns else [columns, *rows]))
        self._columns = columns

    def _header(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])


def _json_number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()

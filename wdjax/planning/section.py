"""A titled table of a plan."""

from typing import NamedTuple


class Section(NamedTuple):
    """One table of a plan.

    Attributes:
      title: What it is about.
      rows: Its lines, each of as many cells.
      headings: Of its columns; empty if the cells explain themselves.
      note: What holds for all of it.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    headings: tuple[str, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        """The title, and below it the table with its columns aligned."""
        lines = [self.headings] if self.headings else []
        lines += list(self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *table, *([f"  ({self.note})"] if self.note else [])])


def number(value: float, digits: int = 4) -> str:
    """A number as people write it: 16,667 or 0.001234.

    Example:
      >>> number(16666.7), number(0.00123456), number(float("inf"))
      ('16,667', '0.001235', '∞')
    """
    if value == float("inf"):
        return "∞"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.{digits}g}"

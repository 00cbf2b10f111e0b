"""One fault of a training set-up."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One fault, or one thing worth knowing, with what to do about it.

    Attributes:
      code: Stable name of the kind of finding, as "WD101".
      severity: "warning" if the set-up most likely does not do what is wanted; "note" if it is as
        often wanted as not.
      leaves: Paths of the leaves concerned; empty for the set-up as a whole.
      what: What was found, with its numbers.
      fix: What to do.
    """

    code: str
    severity: Literal["warning", "note"]
    leaves: tuple[str, ...]
    what: str
    fix: str

    def __str__(self) -> str:
        """The finding on three lines."""
        return f"{self.code} {self.severity}: {self.what}\n    fix: {self.fix}"

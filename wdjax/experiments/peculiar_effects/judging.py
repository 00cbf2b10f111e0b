"""What the verdicts of these experiments are put together with."""

from typing import Any

import numpy as np

SOURCE = "andylolu2, Weight Decay and Its Peculiar Effects"


def spread(values: np.ndarray, form: str = ".2f") -> str:
    """Returns "low to high" of some numbers, or the one that they all are in print."""
    low, high = format(np.min(values), form), format(np.max(values), form)
    return low if low == high else f"{low} to {high}"


def because(*reasons: tuple[Any, str]) -> str:
    """Returns those reasons, given as (whether it is one, sentences), that are some.

    Example:
      >>> because((True, "It is late."), (False, "It is dark."), (True, "It is far."))
      'It is late. It is far.'
    """
    return " ".join(text for applies, text in reasons if applies)

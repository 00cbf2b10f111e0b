"""Parts of the sentences of findings."""

from collections.abc import Iterable, Sequence

import numpy as np


def listed(names: Iterable[str], most: int = 3) -> str:
    """Returns names in one line; of many the first ones and how many more there are."""
    found = list(names)
    if len(found) <= most:
        return ", ".join(found)
    return f"{', '.join(found[: most - 1])} and {len(found) - most + 1} more"


def plural(names: Sequence[str], one: str, several: str) -> str:
    """Returns the verb that goes with so many names."""
    return one if len(names) == 1 else several


def span(values: Iterable[float]) -> str:
    """Returns the smallest and the largest of some numbers."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "(not known)"
    return " to ".join(dict.fromkeys(f"{value:.2g}" for value in (min(known), max(known))))


def largest(values: np.ndarray) -> float:
    """Returns the number of the largest size along a course; NaN where none is known."""
    known = values[np.isfinite(values)]
    return float(known[np.argmax(np.abs(known))]) if known.size else float("nan")

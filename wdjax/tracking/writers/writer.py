"""What all writers share: measures become rows of numbers, and the rows are handed on."""

import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.tracking.measures import Measures

Row: TypeAlias = dict[str, float]
Flatten: TypeAlias = Callable[[Mapping[str, Measures]], Row]


def summary(measures: Mapping[str, Measures]) -> Row:
    """Returns a number per measure of a group; of arrays their mean, least and largest entry.

    Example:
      >>> step = Measures(*(np.array([1.0, 3.0]) for _ in Measures._fields))
      >>> row = summary({"kernel": step})
      >>> row["kernel/angle/mean"], row["kernel/angle/min"], row["kernel/angle/max"]
      (2.0, 1.0, 3.0)
    """
    row: Row = {}
    for tag, values in _tagged(measures):
        if values.ndim == 0:
            row[tag] = _number(values)
        elif values.size:
            parts = {"mean": values.mean(), "min": values.min(), "max": values.max()}
            row |= {f"{tag}/{name}": _number(part) for name, part in parts.items()}
    return row


def full(measures: Mapping[str, Measures]) -> Row:
    """Returns every number; those of an array with their index.

    Example:
      >>> step = Measures(*(np.array([1.0, 3.0]) for _ in Measures._fields))
      >>> full({"kernel": step})["kernel/angle[1]"]
      3.0
    """
    return {
        tag + (str(list(index)) if index else ""): _number(value)
        for tag, values in _tagged(measures)
        for index, value in np.ndenumerate(values)
    }


class Writer(abc.ABC):
    """What takes rows; a writer of one's own sets `flatten` and defines `put`.

    Attributes:
      flatten: Makes a row of the measures of a step: `summary`, `full`, or a function of one's own.
    """

    flatten: Flatten

    @abc.abstractmethod
    def put(self, step: int, row: Row) -> None:
        """Takes the row of one step."""

    def write(self, step: ArrayLike, measures: Mapping[str, Measures], **scalars: Any) -> None:
        """Writes one step.

        Args:
          step: Its number, from 0.
          measures: Per group, its measures, as `metrics` returns them.
          **scalars: Other numbers of this step, such as `loss=loss`.

        Raises:
          ValueError: The step is no whole number from 0 on, one of the scalars is not a number or
            has the name of a measure, or the call is inside jit.
        """
        number, measures, scalars = _on_host((step, dict(measures), scalars))
        if number.ndim or number.dtype.kind not in "iu" or number < 0:
            raise ValueError(f"step is {step!r}; expected a whole number from 0 on.")
        row = {name: _scalar(name, value) for name, value in scalars.items()}
        measured = self.flatten(measures)
        both = sorted(row.keys() & measured.keys())
        if both:
            raise ValueError(f"{both[0]!r} is the name of a measure: give it another name.")
        self.put(int(number), row | measured)

    def write_all(self, steps: ArrayLike, measures: Mapping[str, Measures]) -> None:
        """Writes the steps of a ring, oldest first, without those that were not recorded yet.

        Args:
          steps: Shape (time,), from `tracking.steps`; a step below 0 is not written.
          measures: Per group, measures with a leading axis of time, from `metrics`.

        Raises:
          ValueError: The measures have no axis of time, or one of another length.
        """
        numbers, measures = _on_host((steps, dict(measures)))
        lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(measures)}
        if numbers.ndim != 1 or lengths - {numbers.shape}:
            raise ValueError(
                f"the steps have shape {numbers.shape} and the measures the leading axes "
                f"{sorted(lengths)}; expected both of one length, as tracking.ring records them."
            )
        for row in np.flatnonzero(numbers >= 0):
            self.write(numbers[row], jax.tree.map(lambda leaf, row=row: leaf[row], measures))


def _tagged(measures: Mapping[str, Measures]) -> Iterator[tuple[str, np.ndarray]]:
    for group, of_group in measures.items():
        for field, values in of_group._asdict().items():
            yield f"{group}/{field}", np.asarray(values)


def _number(value: Any) -> float:
    # By way of its decimals: 0.1 in float32 is to read 0.1, and not 0.10000000149011612.
    return float(str(value))


def _scalar(name: str, value: np.ndarray) -> float:
    real = any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.floating, jnp.integer))
    if value.shape or not real:
        raise ValueError(f"{name} is {value!r}; expected one real number.")
    return _number(value)


def _on_host(tree: Any) -> Any:
    """Returns the tree with NumPy arrays for leaves, in one transfer."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree)):
        raise ValueError(
            "a writer was called inside of jit. Return metrics(state) from the jitted function and "
            "write it there, or use jax.debug.callback(writer.write, step, metrics(state))."
        )
    return jax.tree.map(np.asarray, jax.device_get(tree))

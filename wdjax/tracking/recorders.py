"""What the optimiser state keeps of the measured steps: the last, an average, or the last several.

A *recorder* makes a *record* and adds measured steps to it; the record, which is what the state
holds, says itself what there is to read. `last`, `ema` and `ring` are recorders, and a pair of
functions of one's own is one too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax import trees
from wdjax.scalars import require_momentum, require_scalar
from wdjax.tracking.averages import Moments, measures_of, moments
from wdjax.tracking.measures import Measures

NEVER = -1
"""The step number of a record that holds no step yet."""


class Record(Protocol):
    """What a record says of itself; it is a NamedTuple of arrays whose shapes never change."""

    @property
    def steps(self) -> jax.Array:
        """Number of the step that was recorded last, or of each; −1 for none yet."""
        ...

    @property
    def measures(self) -> dict[str, Measures]:
        """What was recorded, per norm group."""
        ...


class Recorder(NamedTuple):
    """A pair of pure functions that keep a record of steps, for `tracked(..., record=...)`.

    Attributes:
      init: `measures -> record`, from the measures before the first step: ‖w‖ and zeros, in the
        shapes and dtypes of those that will come.
      update: `(record, step, measures) -> record`, with the number of the step, counted from 0 as
        Optax's schedules count. The record keeps its structure, shapes and dtypes.
    """

    init: Callable[[dict[str, Measures]], Any]
    update: Callable[[Any, jax.Array, dict[str, Measures]], Any]


class LastRecord(NamedTuple):
    """Record of `last`.

    Attributes:
      steps: int32 scalar, the number of the step.
      measures: Per group, the measures of that step.
    """

    steps: jax.Array
    measures: dict[str, Measures]


def last() -> Recorder:
    """Keeps the step that was measured last; before the first, ‖w‖ and zeros.

    Example:
      >>> from wdjax.tracking import tracked
      >>> import optax
      >>> tx = tracked(optax.sgd(0.1), record=last())
    """

    def init(measures: dict[str, Measures]) -> LastRecord:
        return LastRecord(_never(), measures)

    def update(record: LastRecord, step: jax.Array, measures: dict[str, Measures]) -> LastRecord:
        return LastRecord(step, measures)

    return Recorder(init, update)


class EMARecord(NamedTuple):
    """Record of `ema`.

    Attributes:
      steps: int32 scalar, the number of the step that was averaged in last.
      weight: 1 − βⁿ after n records, a scalar: what the moments are to be divided by.
      moments: Per group, (1−β) Σ β^k of the moments of the record before k others.
    """

    steps: jax.Array
    weight: jax.Array
    moments: dict[str, Moments]

    @property
    def measures(self) -> dict[str, Measures]:
        """The averages of the measures; zeros before the first record."""

        def averaged(total: Moments) -> Measures:
            return measures_of(
                jax.tree.map(lambda x: trees.safe_divide(x, self.weight.astype(x.dtype)), total)
            )

        return {name: averaged(total) for name, total in self.moments.items()}


def ema(decay: ArrayLike) -> Recorder:
    """Keeps an exponential moving average over the measured steps, free of the bias of its start.

        m ← β m + (1−β) x;   read as m / (1 − βⁿ) after n records

    The x are the squares and products that `average` averages, and the quotients are formed when it
    is read, so that it is what the theory speaks of. A step that is not finite stays in the
    average: put `optax.apply_if_finite` around `tracked` where such steps are to be passed over.

    Args:
      decay: β in [0, 1). The average is over some 1/(1−β) records, `every` steps apart.

    Raises:
      ValueError: The decay is NaN, negative, 1 or more, or not one number.

    Example:
      >>> from wdjax.tracking import metrics, tracked
      >>> import optax
      >>> tx = tracked(optax.sgd(0.1), record=ema(0.99))
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> _, state = tx.update({"w": jnp.array([0.0, 3.0])}, tx.init(params), params)
      >>> print(f"{metrics(state)['w'].angle:.4f}")
      0.1489
    """
    require_momentum(decay, "decay")
    require_scalar("decay", decay)

    def init(measures: dict[str, Measures]) -> EMARecord:
        zeros = {name: jax.tree.map(jnp.zeros_like, moments(m)) for name, m in measures.items()}
        dtype = trees.accumulation_dtype(*jax.tree.leaves(zeros))
        return EMARecord(_never(), jnp.zeros((), dtype), zeros)

    def update(record: EMARecord, step: jax.Array, measures: dict[str, Measures]) -> EMARecord:
        def mixed(old: jax.Array, new: ArrayLike) -> jax.Array:
            beta = jnp.asarray(decay, old.dtype)
            return beta * old + (1 - beta) * new

        now = {name: moments(of_group) for name, of_group in measures.items()}
        total = jax.tree.map(mixed, record.moments, now)
        return EMARecord(step, mixed(record.weight, 1.0), total)

    return Recorder(init, update)


class RingRecord(NamedTuple):
    """Record of `ring`.

    Attributes:
      position: int32 scalar, the row that is written next.
      step_of_row: int32 of shape (length,).
      rows: Per group, measures with a leading axis of that length.
    """

    position: jax.Array
    step_of_row: jax.Array
    rows: dict[str, Measures]

    @property
    def steps(self) -> jax.Array:
        """The step numbers, oldest first; −1 where nothing was recorded yet."""
        return self._in_order(self.step_of_row)

    @property
    def measures(self) -> dict[str, Measures]:
        """The measures, oldest first along the leading axis; zeros where the step is −1."""
        return jax.tree.map(self._in_order, self.rows)

    def _in_order(self, rows: jax.Array) -> jax.Array:
        return jnp.roll(rows, -self.position, axis=0)


def ring(length: int) -> Recorder:
    """Keeps the last `length` measured steps, each with its number.

    `metrics` then returns arrays with a leading axis of time, oldest first, and `steps` the numbers
    of the steps. Until the ring is full its first rows are empty: zeros, of step −1.

    Args:
      length: How many. Each takes as much memory as `last` does.

    Raises:
      ValueError: The length is not a whole number from 1 on.

    Example:
      >>> from wdjax.tracking import metrics, steps, tracked
      >>> import optax
      >>> tx = tracked(optax.sgd(0.1), record=ring(3))
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> state = tx.init(params)
      >>> for _ in range(2):
      ...     _, state = tx.update({"w": jnp.array([0.0, 3.0])}, state, params)
      >>> print(steps(state), metrics(state)["w"].norm)
      [-1  0  1] [0. 2. 2.]
    """
    require_count("length", length)

    def init(measures: dict[str, Measures]) -> RingRecord:
        def empty(like: jax.Array) -> jax.Array:
            return jnp.broadcast_to(jnp.zeros_like(like), (length, *like.shape))

        position = jnp.zeros((), jnp.int32)
        return RingRecord(
            position, jnp.full(length, NEVER, jnp.int32), jax.tree.map(empty, measures)
        )

    def update(record: RingRecord, step: jax.Array, measures: dict[str, Measures]) -> RingRecord:
        def written(rows: jax.Array, row: jax.Array) -> jax.Array:
            return rows.at[record.position].set(row)

        return RingRecord(
            (record.position + 1) % length,
            written(record.step_of_row, step),
            jax.tree.map(written, record.rows, measures),
        )

    return Recorder(init, update)


def require_count(name: str, count: int) -> None:
    """Raises ValueError unless a number is a whole one from 1 on.

    Example:
      >>> require_count("every", 0)
      Traceback (most recent call last):
      ValueError: every is 0; expected a whole number from 1 on.
    """
    # A bool is an int, and would pass.
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{name} is {count!r}; expected a whole number from 1 on.")


def _never() -> jax.Array:
    return jnp.full((), NEVER, jnp.int32)

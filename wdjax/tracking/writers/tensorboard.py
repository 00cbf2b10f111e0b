"""An adapter to TensorBoard, and to all that takes scalars one by one."""

from collections.abc import Callable
from typing import Any

from wdjax.tracking.writers.writer import Flatten, Row, Writer, summary


class TensorBoardWriter(Writer):
    """Hands each number to a function `add_scalar(tag, value, step)`.

    Such a function is `SummaryWriter(logdir).add_scalar` of `torch.utils.tensorboard` and of
    `tensorboardX`, and `SummaryWriter(logdir).scalar` of `flax.metrics.tensorboard`; wdjax needs
    none of them.

    Args:
      add_scalar: Called with a tag such as "kernel/angle", a float, and the number of the step.
      flatten: Makes a row of the measures: `summary`, `full`, or a function of one's own.

    Raises:
      ValueError: `add_scalar` is not a function.

    Example:
      >>> writer = TensorBoardWriter(print)
      >>> writer.write(3, {}, loss=0.5)
      loss 0.5 3
    """

    def __init__(
        self, add_scalar: Callable[[str, float, int], Any], flatten: Flatten = summary
    ) -> None:
        if not callable(add_scalar):
            raise ValueError(
                f"add_scalar is {add_scalar!r}; expected a function (tag, value, step), such as "
                "SummaryWriter(logdir).add_scalar."
            )
        self.flatten = flatten
        self._add_scalar = add_scalar

    def put(self, step: int, row: Row) -> None:
        """Hands over one step."""
        for tag, value in row.items():
            self._add_scalar(tag, value, step)

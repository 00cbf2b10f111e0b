"""Which examples are in which batch, as a function of seed and step alone."""

import functools

import numpy as np


def batch_indices(seed: int, steps: range, count: int, batch_size: int) -> np.ndarray:
    """Returns the examples of some batches: each epoch a fresh permutation, the rest of it dropped.

    Being a function of seed and step, it needs no state, and a run that is resumed at a step sees
    the batches that it would have seen.

    Args:
      seed: The seed of the run.
      steps: The steps whose batches are wanted.
      count: Number of examples.
      batch_size: Examples per batch, at most `count`.

    Returns:
      Indices of shape (len(steps), batch_size), int32.

    Raises:
      ValueError: The batch size is not between 1 and the number of examples.

    Example:
      >>> batch_indices(0, range(2), count=4, batch_size=2).shape
      (2, 2)
    """
    if not 1 <= batch_size <= count:
        raise ValueError(
            f"batch_size is {batch_size}; expected 1 to {count}, the number of images."
        )
    per_epoch = count // batch_size
    rows = [
        _permutation(seed, step // per_epoch, count)[step % per_epoch * batch_size :][:batch_size]
        for step in steps
    ]
    return np.stack(rows)


@functools.lru_cache(maxsize=64)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count).astype(np.int32)

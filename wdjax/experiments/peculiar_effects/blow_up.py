"""What `addition-collapses` and `batch-norm-instability` ask alike of jumps and variances.

These rules were changed when both records were known. That variances come near zero was judged by
their smallest over the run, by another bound in each experiment, and not by what they are when the
loss jumps. That the jumps are periodic and that the variance recovers were not asked.
"""

from collections.abc import Sequence

import numpy as np

from wdjax.experiments.peculiar_effects.judging import because, spread
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

BLOWN_UP = 3.0  # by what factor a quantity at the jumps exceeds itself between or before them
MOSTLY = 0.9  # of the jumps, of the gaps, or of what is between the jumps
REGULAR = 0.25  # relative distance of a gap from the median of its run
MARGIN = 3  # places around a jump that belong to it

Course = tuple[np.ndarray, np.ndarray]
"""The variance over a run, and the places of the jumps in it."""


def regular(gaps: Sequence[np.ndarray]) -> float:
    """Returns which share of the gaps of some runs is near the median of its run; 0 without gaps.

    Example:
      >>> regular([np.array([10, 10, 12, 20]), np.array([5])])
      0.8
    """
    near = [np.abs(run / np.median(run) - 1) <= REGULAR for run in gaps if len(run)]
    return float(np.mean(np.concatenate(near))) if near else 0.0


def irregular(gaps: Sequence[np.ndarray]) -> str:
    """Returns a sentence on how the gaps of some runs differ."""
    some = [run for run in gaps if len(run)]
    if not some:
        return "There are no two in any run."
    ratio = np.array([run.min() / run.max() for run in some])
    falls = sum(run[0] == run.max() for run in some)
    return (
        f"The intervals differ: the shortest of a run has {spread(ratio, '.0%')} of the steps of "
        f"its longest, which is the first in {falls} of {len(some)} runs."
    )


def at_jumps(courses: Sequence[Course]) -> np.ndarray:
    """Returns the variances at the jumps of all runs."""
    return np.concatenate([np.zeros(0), *(variance[jumps] for variance, jumps in courses)])


def variance_near_zero(
    courses: Sequence[Course],
    epsilon: float,
    outputs: Sequence[float],
    measured: str,
    instead: str,
) -> Verdict:
    """Returns the verdict on the article's mechanism: variances near zero, outputs that blow up.

    Args:
      courses: Of the runs with the small ε.
      epsilon: That ε.
      outputs: How many times larger normalised values are at the jumps than between them, first in
        training.
      measured: What was measured of that, and more.
      instead: What does happen at the jumps.
    """
    over = at_jumps(courses) / epsilon
    share = float(np.mean(over <= 1)) if over.size else 0.0
    small, blown = share >= MOSTLY, outputs[0] >= BLOWN_UP
    variance = (
        f"the smallest variance at the jumps is {spread(over, '.3g')} ε ({np.median(over):.3g} in "
        f"the median), at most ε = {epsilon:g} at {share:.0%}"
        if over.size
        else "no jump"
    )
    return verdict(
        "variance-near-zero",
        "The variance of features comes near zero, and batch norm's outputs blow up.",
        f"the largest normalised value at the jumps at least {BLOWN_UP:g} times that between them, "
        f"and the smallest variance at most ε at {MOSTLY:.0%} of the jumps",
        f"{measured}; {variance}",
        graded(small and blown, small or max(outputs) >= BLOWN_UP),
        because(
            (
                not blown,
                "With the mean and variance of the batch a normalised value is at most √(B−1), "
                "however small the variance.",
            ),
            (
                over.size and not small,
                f"At {1 - share:.0%} of the jumps no variance is as small as ε.",
            ),
            (True, instead),
        ),
        training=np.nan_to_num(outputs[0]),
        near_zero=share,
        largest=over.max(initial=0),
    )


def variance_recovers(courses: Sequence[Course], places: str) -> Verdict:
    """Returns the verdict on what the jumps do to the variance.

    Args:
      courses: Of the runs with the small ε.
      places: What the variance is the smallest of, in the plural.
    """
    pairs = [
        (variance[at - 1], variance[at + 1 : at + MARGIN + 1].max())
        for variance, jumps in courses
        for at in jumps
        if 0 < at < len(variance) - 1
    ]
    before, after = np.array(pairs).reshape(-1, 2).T
    ratio = after / before
    high, rises = (float(np.mean(ratio >= f)) if pairs else 0.0 for f in (BLOWN_UP, 1))
    ends = [(v[jumps[0]], v[jumps[-1]]) for v, jumps in courses if len(jumps)]
    first, last = np.array(ends).reshape(-1, 2).T
    return verdict(
        "variance-recovers",
        "After a jump has changed the weights, the variance is high again.",
        f"the largest of the {MARGIN} {places} after a jump at least {BLOWN_UP:g} times that right "
        f"before, at {MOSTLY:.0%} of the jumps",
        f"{spread(ratio, '.3g')} times ({np.median(ratio):.3g} in the median, {BLOWN_UP:g} or more "
        f"at {high:.0%} of {ratio.size} jumps); at the first jump of a run the variance is "
        f"{spread(first, '.1g')}, at the last {spread(last, '.1g')}"
        if pairs
        else "no jump",
        graded(high >= MOSTLY, rises >= MOSTLY),
        because(
            (
                rises >= MOSTLY,
                "The variance rises at the jumps, but by less, and is not high again.",
            ),
            (pairs and rises < MOSTLY, "Many jumps leave the variance as it was, or lower."),
            (not pairs, "There is no jump."),
        ),
        median=np.median(ratio) if pairs else 0,
        share=high,
    )

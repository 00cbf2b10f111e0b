"""What is claimed of the three regimes, each checked against the measured runs.

The rules were written after pilots with seeds from 100 on, and before the run that counts, but for
those that say so. Which regime a run belongs to is decided by `measured.regimes`, from the training
loss alone.
"""

from collections.abc import Callable

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.changed_rate import arrives, lowered, raised
from wdjax.experiments.regimes.sphere.first_regime import below_edge, better, flatter
from wdjax.experiments.regimes.sphere.measured import (
    CONVERGENT,
    DRIFT,
    FALLS,
    REGIMES,
    by_rate,
    ends,
    listed,
    quarter,
    regime_of_rates,
    regimes,
    table,
)
from wdjax.experiments.regimes.sphere.second_regime import (
    at_edge,
    best_start,
    flat_start,
    learns_anew,
    level,
    returns,
)
from wdjax.experiments.regimes.sphere.third_regime import random_level, random_walk
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

COSINE = 1e-3
"""Largest root mean square of cos(w, ∇L)."""
RATE = 1e-3
"""Largest relative error of the effective rate that a step has."""


def invariance(arrays: Arrays) -> Verdict:
    """All trained weights are scale-invariant, and the effective rate is what was set."""
    proven = arrays["proven"]
    cosine = float(np.sqrt(arrays["own_cosine"].mean(axis=1)).max())
    # Smaller steps are rounding; the chord of larger ones is shorter than the tangent step.
    moves = (arrays["own_angle"] > 1e-4) & (arrays["own_angle"] < 0.03)
    error = np.abs(arrays["own_effective_rate"] / arrays["rate"][:, None] - 1)[moves]
    off = float(np.median(error)) if error.size else np.inf
    return verdict(
        "R1",
        "Every trained weight is scale-invariant, and trained at a fixed effective rate.",
        predicted="all kernels proven by symmetry.find; cos(w, ∇L) = 0; η_e as set",
        measured=(
            f"{proven.sum()} of {len(proven)} kernels proven, each output channel by itself; rms "
            f"cosine at most {cosine:.1e}; the effective rate of the steps differs by {off:.1e} "
            "(median)"
        ),
        outcome=graded(
            proven.all() and cosine <= COSINE and off <= RATE,
            proven.all() and cosine <= 10 * COSINE,
        ),
        because="The ε of the batch norms breaks the invariance where a channel hardly varies.",
        numbers={"proven": proven.mean(), "cosine": cosine, "rate_error": off},
    )


def three_regimes(arrays: Arrays) -> Verdict:
    """With a rising rate, every seed is convergent, then chaotic, then divergent."""
    rates = np.unique(arrays["rate"])
    order = table(arrays, np.vectorize(REGIMES.index)(regimes(arrays)), rates)
    ordered = np.all(np.diff(order, axis=1) >= 0, axis=1)
    complete = np.array([set(row) == {0, 1, 2} for row in order])
    share = float(np.mean(ordered & complete))
    ends = [_range(values) for values in regime_of_rates(arrays).values()]
    return verdict(
        "R2",
        "As the effective rate grows, training converges, then stays chaotic, then diverges.",
        predicted="three regimes in this order, for every seed",
        measured=(
            f"in order and complete for {share:.0%} of {len(order)} seeds; all seeds converge at "
            f"{ends[0]}, are chaotic at {ends[1]}, and diverge at {ends[2]}"
        ),
        outcome=graded(share == 1, share >= 0.5),
        because="Near a boundary a run can go back and forth, or decide late.",
        numbers={"share": share},
    )


def gradient_norm(arrays: Arrays) -> Verdict:
    """The effective gradient falls on in the first regime, and has a level in the others.

    The rule is new since the record was known; its limits and quarters are those by which the loss
    is judged: `FALLS` from the second quarter to the last, and `DRIFT` from the third to the last.
    """
    converges, rate = regimes(arrays) == CONVERGENT, arrays["rate"]
    early, third, last = (quarter(arrays["own_effective_gradient"], n) for n in (1, 2, 3))
    falls, steady = last / early <= FALLS, np.abs(last / third - 1) <= DRIFT
    share, share_steady = (
        float(np.mean(as_claimed)) if as_claimed.size else 0.0
        for as_claimed in (falls[converges], steady[~converges])
    )
    odd = np.where(converges, ~falls, ~steady)
    records = arrays["own_effective_gradient"][
        :, -(arrays["own_effective_gradient"].shape[1] // 4) :
    ]
    peak = (records.max(axis=1) / np.median(records, axis=1))[odd]
    levels = by_rate(arrays, last, np.unique(rate[~converges])).mean
    return verdict(
        "R16",
        "The effective gradient norm keeps falling in the first regime, and stays at a level in "
        "the second and third.",
        predicted=(
            f"‖w‖‖g‖ falls to less than {FALLS:g} of it from the second quarter of a run to the "
            f"last; it drifts by at most {DRIFT:.0%} from the third to the last"
        ),
        measured=(
            f"so in {share:.0%} of {converges.sum()} convergent runs, by a factor of "
            f"{_extremes((early / last)[converges])}; a level in {share_steady:.0%} of "
            f"{(~converges).sum()} other runs, from {ends(levels)} by rate. It is the mean of the "
            "norms of batch gradients, as in the article's public code, and not the norm of the "
            "mean gradient"
        ),
        outcome=graded(min(share, share_steady) == 1, min(share, share_steady) >= 0.5),
        because=(
            f"Not so in {odd.sum()} runs, at η_e = {listed(np.unique(rate[odd]))}: it comes in "
            f"bursts there, of up to {np.max(peak, initial=0):.2g} times its median in the last "
            "quarter."
        ),
        numbers={"falls": share, "steady": share_steady},
    )


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (
    invariance,
    three_regimes,
    gradient_norm,
    flatter,
    better,
    below_edge,
    lowered,
    raised,
    arrives,
    level,
    returns,
    at_edge,
    learns_anew,
    best_start,
    flat_start,
    random_walk,
    random_level,
)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims."""
    return tuple(claim(arrays) for claim in CLAIMS)


def _range(values: np.ndarray) -> str:
    return f"η_e = {values.min():.2g} to {values.max():.2g}" if len(values) else "no rate"


def _extremes(values: np.ndarray) -> str:
    return f"{values.min():.2g} to {values.max():.2g}" if len(values) else "none"

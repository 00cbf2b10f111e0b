"""What is claimed of the third regime: training that is no better than guessing.

The rules were written after pilots with seeds from 100 on, and before the run that counts. One rule
then asked for a random walk and for the loss of random directions; the latter is more than the
article says, and has a verdict of its own since the record was known.
"""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import DIVERGENT, listed, quarter, regimes
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

TURN = 0.05
"""Largest mean cosine between successive steps of a random walk."""
WALK = 0.1
"""Largest relative difference of a loss from that of random directions."""


def random_walk(arrays: Arrays) -> Verdict:
    """In the third regime the loss is never below that of guessing, and steps are uncorrelated."""
    chosen = regimes(arrays) == DIVERGENT
    turn = np.abs(arrays["own_turn"].mean(axis=1))[chosen]
    lowest = arrays["own_loss"][chosen].min(initial=np.inf)
    guessing = np.log(float(arrays["classes"]))
    wrong = arrays["own_test_error"][chosen]
    shown = f"{wrong.mean():.0%}" if wrong.size else "none"
    above = turn.size > 0 and lowest >= guessing
    return verdict(
        "R13",
        "In the third regime training does not go below the loss of guessing, and moves like a "
        "random walk.",
        predicted=(
            f"loss at least ln(classes) = {guessing:.3g} in every record; steps uncorrelated; test "
            f"error {1 - 1 / float(arrays['classes']):.0%} (published: about 90 %)"
        ),
        measured=(
            f"{turn.size} runs: lowest loss {lowest:.3g}; cosine of successive steps at most "
            f"{np.max(turn, initial=0):.3f} (the rule allows {TURN:g}); test error {shown}"
        ),
        outcome=graded(above and turn.max() <= TURN, above),
        because=(
            f"{np.sum(turn > TURN)} runs have correlated steps, at η_e = "
            f"{listed(np.unique(arrays['rate'][chosen][turn > TURN]))}; the lowest loss is "
            f"{lowest:.3g}."
        ),
        numbers={
            "turn": np.max(turn) if turn.size else 1.0,
            "lowest": min(lowest, 1e9),
            "runs": turn.size,
        },
    )


def random_level(arrays: Arrays) -> Verdict:
    """In the third regime the loss is that of a random direction on the sphere."""
    chosen = regimes(arrays) == DIVERGENT
    rate, random = arrays["rate"][chosen], arrays["random_loss"].mean()
    off = quarter(arrays["own_loss"], 3)[chosen] / random - 1
    near = np.abs(off) <= WALK
    worst = np.max(np.abs(off)) if off.size else np.inf
    return verdict(
        "R13",
        "Beyond the article: in the third regime the loss is that of random directions.",
        predicted=f"a mean loss within {WALK:.0%} of that of random directions, {random:.3g}",
        measured=(
            f"so in {near.sum()} of {off.size} runs, at η_e = {listed(np.unique(rate[near]))}; off "
            f"by {np.min(off, initial=0):+.1%} to {np.max(off, initial=0):+.1%}"
        ),
        outcome=graded(off.size and near.all(), off.size and np.mean(near) >= 0.5),
        because=(
            f"{np.sum(off > WALK)} runs have more than that loss, {np.sum(off < -WALK)} less, at "
            f"η_e = {listed(np.unique(rate[~near]))}. Likely steps that are far too long still "
            "follow the gradient, and so do not visit all directions alike."
        ),
        numbers={"loss": min(worst, 1e9), "near": near.sum()},
    )

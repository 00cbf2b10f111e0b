"""What is claimed of training with decay, each checked against the runs and their twins.

The rules were written after pilots with seeds from 100 on, and before the run that counts (that of
`keeps_with_momentum` when the other verdicts were known, before runs with momentum).
"""

from collections.abc import Callable

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import (
    CHAOTIC,
    CONVERGENT,
    REGIMES,
    half,
    regimes,
)
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

LEVEL = 0.2
"""Largest relative difference of the levels of a run with decay and of its twin (mean of seeds)."""
ANGLE = 0.1
"""Largest relative difference of the angle per step from arccos(1 − ηλ)."""


def passes_through(arrays: Arrays) -> Verdict:
    """With a rising ηλ, training with decay goes through the three regimes in order."""
    share, some = _in_order(arrays)
    return verdict(
        "R14",
        "Training with weight decay has the same three regimes, in the order of ηλ.",
        predicted="convergent, chaotic, divergent with a rising ηλ",
        measured=(
            f"all three in order for {share:.0%} of {len(np.unique(arrays['seed']))} seeds, all "
            f"three for {some:.0%}: {_ends(arrays)}"
        ),
        outcome=graded(share == 1, some >= 0.5),
        because="Near a boundary, decay takes a run back and forth between two regimes.",
        numbers={"share": share, "complete": some},
    )


def by_its_rate(arrays: Arrays) -> Verdict:
    """A run with decay is in the regime of its effective rate, and has its level."""
    same = regimes(arrays, "decay_loss") == regimes(arrays, "fixed_loss")
    share = float(same.mean())
    with_decay, fixed = half(arrays["decay_loss"]), half(arrays["fixed_loss"])
    chosen = np.unique(arrays["product"][regimes(arrays, "decay_loss") != CONVERGENT])
    off = np.array([_mean(arrays, with_decay, x) / _mean(arrays, fixed, x) - 1 for x in chosen])
    largest = np.abs(off).max() if off.size else np.inf
    median = np.median(np.abs(off)) if off.size else np.inf
    return verdict(
        "R14",
        "Which regime it is, and the level of the loss, is decided by the effective rate.",
        predicted="a twin on the sphere, at the effective rate that decay came to, does the same",
        measured=(
            f"the same regime in {share:.0%} of {len(same)} pairs; where the loss has a level, it "
            f"differs by {median:.1%} (median over ηλ), by {largest:.0%} at most"
        ),
        outcome=graded(share >= 0.9 and largest <= LEVEL, share >= 0.75),
        because=(
            "With decay the effective rate is not fixed: it falls after every long step and rises "
            "again, and a mean rate is not what a fluctuating one does."
        ),
        numbers={"share": share, "median": min(median, 1e9), "largest": min(largest, 1e9)},
    )


def rises_to_the_edge(arrays: Arrays) -> Verdict:
    """From the first regime decay raises the effective rate, as fast as the norm can decay."""
    rates, product = arrays["decay_effective_rate"], arrays["product"]
    chosen = regimes(arrays, "decay_loss") == CONVERGENT
    steps = (rates.shape[1] - 1) * float(arrays["record"])
    growth = np.log(rates[:, -1] / rates[:, 0])[chosen]
    most = (-2 * np.log1p(-product) * steps)[chosen]
    rises = float(np.mean(growth > 0)) if growth.size else 0.0
    bound = float(np.mean(growth <= most + 0.01)) if growth.size else 0.0
    chaotic = arrays["rate"][regimes(arrays, "decay_loss") == CHAOTIC]
    edge = chaotic.min() if chaotic.size else np.nan
    return verdict(
        "R14",
        "A run in the first regime does not stay at its rate: decay raises it towards the edge.",
        predicted="growth of the effective rate above 0, and at most by (1 − ηλ)⁻² per step",
        measured=(
            f"the rate rises in {rises:.0%} of {growth.size} convergent runs, within the bound in "
            f"{bound:.0%}, by {np.exp(np.max(growth, initial=0)):.2g}× at most; the lowest "
            f"effective rate of a chaotic run is {edge:.2g}"
        ),
        outcome=graded(rises == 1 and bound == 1, rises >= 0.5),
        because="Early in training the gradients are large, and the norm grows at first.",
        numbers={"rises": rises, "bound": bound},
    )


def angle(arrays: Arrays) -> Verdict:
    """In the second and third regime the angle per step is that of equilibrium."""
    chosen = regimes(arrays, "decay_loss") != CONVERGENT
    expected = np.arccos(1 - arrays["product"])
    ratio = (half(arrays["decay_angle"]) / expected)[chosen]
    median = float(np.median(ratio)) if ratio.size else np.inf
    off = np.abs(ratio - 1)
    return verdict(
        "R14",
        "Outside the first regime the norm is at equilibrium, where ηλ sets the angle per step.",
        predicted="mean angle per step arccos(1 − ηλ), which is √(2ηλ) for small ηλ",
        measured=(
            f"measured over predicted {median:.3f} (median of {ratio.size} runs), "
            f"{np.min(ratio, initial=1):.3f} to {np.max(ratio, initial=1):.3f}"
        ),
        outcome=graded(ratio.size and off.max() <= ANGLE, abs(median - 1) <= ANGLE),
        because=(
            "The angle is the right one in the mean of ln cos, not of the angle: where it "
            "fluctuates, long steps are rare and short ones many."
        ),
        numbers={"median": min(median, 1e9)},
    )


def keeps_with_momentum(arrays: Arrays) -> Verdict:
    """With momentum, training with decay goes through the three regimes in the same order."""
    share, some = _in_order(arrays, "momentum_")
    return verdict(
        "R15",
        "With momentum, training with weight decay has the same three regimes, in the order of ηλ.",
        predicted="convergent, chaotic, divergent with a rising ηλ/(1 − μ)",
        measured=(
            f"μ = {float(arrays['momentum']):g}: all three in order for {share:.0%} of "
            f"{len(np.unique(arrays['seed']))} seeds, all three for {some:.0%}: "
            f"{_ends(arrays, 'momentum_', 'ηλ/(1 − μ)')} (without momentum {_ends(arrays)}). Which "
            "regime a run is in is all that was measured with momentum"
        ),
        outcome=graded(share == 1, some >= 0.5),
        because="Near a boundary, decay takes a run back and forth between two regimes.",
        numbers={"share": share, "complete": some},
    )


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (
    passes_through,
    by_its_rate,
    rises_to_the_edge,
    angle,
    keeps_with_momentum,
)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims."""
    return tuple(claim(arrays) for claim in CLAIMS)


def _mean(arrays: Arrays, values: np.ndarray, product: float) -> float:
    return float(values[arrays["product"] == product].mean())


def _in_order(arrays: Arrays, arm: str = "") -> tuple[float, float]:
    """The share of seeds with all regimes in the order of ηλ, and that with all of them."""
    found = np.vectorize(REGIMES.index)(regimes(arrays, f"{arm or 'decay_'}loss"))
    seeds = arrays[f"{arm}seed"]
    rows = [found[seeds == seed] for seed in np.unique(seeds)]
    complete = np.array([set(row) == {0, 1, 2} for row in rows])
    ordered = np.array([np.all(np.diff(row) >= 0) for row in rows])
    return float(np.mean(complete & ordered)), float(np.mean(complete))


def _ends(arrays: Arrays, arm: str = "", symbol: str = "ηλ") -> str:
    """For each regime, the range of ηλ in which runs are in it."""
    found = regimes(arrays, f"{arm or 'decay_'}loss")
    parts = [
        f"{regime} from {symbol} = {chosen.min():.2g} to {chosen.max():.2g}"
        for regime in REGIMES
        if (chosen := arrays[f"{arm}product"][found == regime]).size
    ]
    return ", ".join(parts)

"""The claims of `batch-norm-instability`; the constants, and those of `blow_up`, are its rules.

That jumps are regular was not asked by `fluctuations` until its record was known.
"""

import itertools
from typing import Any

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects import descent, events
from wdjax.experiments.peculiar_effects.blow_up import (
    BLOWN_UP,
    MARGIN,
    MOSTLY,
    REGULAR,
    Course,
    irregular,
    regular,
    variance_near_zero,
    variance_recovers,
)
from wdjax.experiments.peculiar_effects.instability.run import DETAILS, WINDOW, chosen
from wdjax.experiments.peculiar_effects.judging import because, spread
from wdjax.experiments.verdicts import graded, verdict
from wdjax.theory.instability import period
from wdjax.training import Verdict

JUMP, BACK = 10.0, 2.0  # a chunk's largest loss over that median: a jump, and its end
SEVERAL = 2  # jumps in a run that count as fluctuations
TYPICAL, MOST = 0.1, 0.25  # relative error of the period: its median, and in nine of ten
UNSTABLE = 2.0  # ηλ_max beyond which gradient descent leaves a minimum
BEFORE = 20  # chunks before a jump in which it has to be exceeded


def detail(arrays: Arrays, name: str, run: Any) -> np.ndarray:
    """Returns the course of a measure in one run; `DETAILS` are kept of some runs only."""
    if name not in DETAILS:
        return arrays[name][run]
    return arrays[name][list(arrays["detailed"]).index(run)]


def jumps(arrays: Arrays, run: Any) -> np.ndarray:
    """Returns the chunks in which the loss of a run jumps, once it has been quiet."""
    return events.jumps(arrays["loss"][run], window=WINDOW, factor=JUMP, back=BACK)


def counts(arrays: Arrays, which: str) -> np.ndarray:
    """Returns the number of jumps of each of the chosen runs."""
    return np.array([len(jumps(arrays, run)) for run in chosen(arrays, which)])


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claims; the rules are the constants of this module."""
    return tuple(
        judge(arrays)
        for judge in (
            fluctuations,
            periods,
            blown_up,
            recovers,
            unstable,
            remedy,
            remedy_in_one,
        )
    )


def fluctuations(arrays: Arrays) -> Verdict:
    """The loss jumps again and again, periodically."""
    found = counts(arrays, "small")
    apart = [np.diff(arrays["step"][jumps(arrays, run)]) for run in chosen(arrays, "small")]
    share = regular(apart)
    return verdict(
        "fluctuations",
        "With decay and a small ε of the batch norms, training is disturbed periodically: again "
        "and again, at regular intervals.",
        f"{SEVERAL} jumps of the loss in every run, at least; {MOSTLY:.0%} of the intervals within "
        f"{REGULAR:.0%} of the median of their run",
        f"{spread(found, 'd')} jumps in {arrays['step'][-1] + descent.CHUNK:,} steps, {share:.0%} "
        "of the intervals near the median of their run",
        graded(found.min() >= SEVERAL and share >= MOSTLY, found.max() >= SEVERAL),
        because(
            (found.min() < SEVERAL, "Some runs are too short for their period."),
            (share < MOSTLY, irregular(apart)),
        ),
        least=found.min(),
        most=found.max(),
        regular=share,
    )


def gaps(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns the steps from jump to jump, and those that free decay takes, of all such runs."""
    measured, predicted = [], []
    rates = float(arrays["learning_rate"]), float(arrays["weight_decay"])
    for run in chosen(arrays, "small"):
        found = jumps(arrays, run)
        for start, end in itertools.pairwise(found):
            largest = detail(arrays, "norm", run)[start : start + MARGIN + 1].max()
            least = detail(arrays, "least_norm", run)[end - MARGIN : end + 1].min()
            measured.append(arrays["step"][end] - arrays["step"][start])
            predicted.append(float(period(largest, least, *rates)))
    return np.array(measured, float), np.array(predicted, float)


def periods(arrays: Arrays) -> Verdict:
    """A jump makes the weights large; free decay takes them back to the next."""
    measured, predicted = gaps(arrays)
    ratio = measured / np.maximum(predicted, 1e-9) if measured.size else np.zeros(1)
    near = float(np.mean(np.abs(ratio - 1) <= MOST))
    typical = abs(np.median(ratio) - 1) <= TYPICAL
    return verdict(
        "decay-and-growth",
        "A jump makes the weights large, they decay until the next, and so it repeats.",
        "gaps of ln(‖w‖²_max/‖w‖²_min)/(2ηλ) steps, ‖w‖ right after a jump and right before the "
        f"next: the median within {TYPICAL:.0%}, nine of ten within {MOST:.0%}",
        f"measured over predicted: median {np.median(ratio):.3f}, {spread(ratio)}, over "
        f"{measured.size} gaps of {spread(measured, ',.0f')} steps"
        if measured.size
        else "no two jumps in any run",
        graded(measured.size > 0 and typical and near >= 0.9, measured.size > 0 and near >= 0.5),
        "Between the jumps the decay is not free: the gradient and ε hold the norm up.",
        median=np.median(ratio),
        share=near,
        gaps=measured.size,
    )


def at_jumps_and_between(arrays: Arrays, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns an array at the jumps of the runs with the small ε, and between them."""
    at, between = [np.zeros(0)], [np.zeros(0)]
    for run in chosen(arrays, "small"):
        found = jumps(arrays, run)
        calm = events.quiet(arrays["step"].size, found, WINDOW, MARGIN)
        at.append(detail(arrays, name, run)[found])
        between.append(detail(arrays, name, run)[calm])
    return np.concatenate(at), np.concatenate(between)


def risen(arrays: Arrays, name: str) -> float:
    """Median at the jumps over median between them; 0 without jumps."""
    at, between = at_jumps_and_between(arrays, name)
    return float(np.median(at) / np.median(between)) if at.size and between.size else 0.0


def blown_up(arrays: Arrays) -> Verdict:
    """The article's mechanism: outputs of batch norm blow up."""
    outputs, gradient = risen(arrays, "normalised"), risen(arrays, "gradient_norm")
    return variance_near_zero(
        _courses(arrays),
        arrays["first"].min(),
        (outputs,),
        f"{outputs:.2f} times; the norm of the gradient {gradient:.0f} times",
        "What grows is the gradient. " * (gradient >= BLOWN_UP)
        + "For the curvature see the claim of the cited paper.",
    )


def _courses(arrays: Arrays) -> list[Course]:
    runs = chosen(arrays, "small")
    return [(detail(arrays, "variance", run), jumps(arrays, run)) for run in runs]


def recovers(arrays: Arrays) -> Verdict:
    """After a jump the variance is high again."""
    return variance_recovers(_courses(arrays), f"chunks of {descent.CHUNK} steps")


def unstable(arrays: Arrays) -> Verdict:
    """The paper's mechanism: curvature."""
    before = []
    for run in chosen(arrays, "small"):
        course = detail(arrays, "sharpness", run)
        before += [course[max(at - BEFORE, 0) : at + 1].max() for at in jumps(arrays, run)]
    _, between = at_jumps_and_between(arrays, "sharpness")
    share = float(np.mean(np.array(before) >= UNSTABLE)) if before else 0.0
    usual = float(np.median(between)) if between.size else 0.0
    return verdict(
        "further-details",
        "The cited paper: the curvature grows as the weights shrink, until ηλ_max exceeds 2.",
        f"ηλ_max of {UNSTABLE:g} or more in the {BEFORE * descent.CHUNK:,} steps before nine of "
        "ten jumps, and less in the median between them",
        f"before {share:.0%} of {len(before)} jumps; largest there "
        f"{spread(np.array(before or [0.0]))}, median between jumps {usual:.2f}",
        graded(share >= 0.9 and usual < UNSTABLE, share >= 0.5),
        "It is measured every 50 steps, in which it changes by a third now and then, and does not "
        "see the kinks of the ReLUs, which a step can cross.",
        share=share,
        usual=usual,
    )


def remedy(arrays: Arrays) -> Verdict:
    """A larger ε in all batch norms."""
    without, with_small = counts(arrays, "raised"), counts(arrays, "small")
    loss = {w: np.median(arrays["loss"][chosen(arrays, w)]) for w in ("raised", "small")}
    larger = np.unique(arrays["first"][chosen(arrays, "raised")])
    return verdict(
        "larger-epsilon",
        "A larger ε avoids the instabilities.",
        f"no jump in any run with ε of {', '.join(f'{e:g}' for e in larger)} in both batch norms, "
        "some in every run with the small ε",
        f"{spread(without, 'd')} against {spread(with_small, 'd')} jumps per run; median loss "
        f"{loss['raised']:.1g} against {loss['small']:.1g}",
        graded(without.max() == 0 and with_small.min() > 0, without.sum() < with_small.sum()),
        "ε bounds the curvature by a number that has to be below 2/η.",
        larger=without.max(),
        smaller=with_small.min(),
        loss_ratio=loss["raised"] / loss["small"],
    )


def remedy_in_one(arrays: Arrays) -> Verdict:
    """A larger ε in one batch norm of two."""
    runs = chosen(arrays, "one")
    in_first = arrays["first"][runs] > arrays["second"][runs]
    found = counts(arrays, "one")
    return verdict(
        "larger-epsilon",
        "It is enough to raise ε in one of the two batch norms.",
        "no jump in any run with the larger ε in one of them",
        f"{spread(found[in_first], 'd')} jumps per run with the larger ε in the first alone, "
        f"{spread(found[~in_first], 'd')} in the second alone",
        graded(found.max() == 0, found[in_first].max() == 0 or found[~in_first].max() == 0),
        "The curvature of the weights before the other batch norm is not bounded. The article "
        "raised ε in all of them.",
        first=found[in_first].max(),
        second=found[~in_first].max(),
    )

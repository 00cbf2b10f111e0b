"""Claims about the weights and the size of the steps."""

import numpy as np

from wdjax.experiments.l2_batch_norm.grading import Arrays, floats, reason
from wdjax.experiments.l2_batch_norm.replicated.arms import BASELINE, FREE, SCALED, TWIN
from wdjax.experiments.l2_batch_norm.replicated.config import KNOTS
from wdjax.experiments.l2_batch_norm.replicated.measured import (
    distance,
    in_phase,
    noise,
    of_arm,
    quarter,
)
from wdjax.experiments.verdicts import graded
from wdjax.training import Verdict

GROWTH = 2.0  # Σw² without L2 over Σw² with it at the end of the first phase: "much faster"
FALL = 0.8  # relative step without L2, last quarter of the first phase over the first quarter
SHARE = 2 / 3  # relative step without L2 over that with it, last quarter of the first phase
DRIFT = 0.10  # change of the baseline's Σw² from the third to the last quarter of the first phase
CONSTANT = 1.2  # largest over smallest Σw² up to which it would count as constant
PIECES = 0.05  # rms relative error of the four linear pieces
STEPS = 0.10  # rms of log(angle per step / baseline's) over the quarters of the phases
FAR = 100.0  # Σw² over the baseline's at the end of the first phase: "quite extreme values"
STRAIGHT = 0.98  # R² of log Σw² against the step, without the first quarter of the first phase


def weights_grow(arrays: Arrays) -> Verdict:
    """Without L2 the sum of squares grows much faster than with it."""
    free, base = (of_arm(arrays, "squared_norm", arm) for arm in (FREE, BASELINE))
    rises = bool(np.all(np.diff(in_phase(arrays, free, 0), axis=1) > 0))
    ratio = quarter(arrays, free, 0, 3) / quarter(arrays, base, 0, 3)
    grown = in_phase(arrays, free, 0)[:, -1] / arrays["initial"]
    outcome = graded(rises and ratio.min() >= GROWTH, ratio.min() > 1)
    return Verdict(
        of="weights grow",
        claim="Without L2 the sum of squares of the convolutions grows much faster than with it.",
        predicted=f"it rises all through the first phase, to {GROWTH:g} times the baseline's",
        measured=(
            f"it {'rises in every record' if rises else 'does not rise in every record'} of the "
            f"first phase, to {grown.mean():.2f} times its initial value and {ratio.min():.1f} to "
            f"{ratio.max():.1f} times the baseline's"
        ),
        outcome=outcome,
        because=reason(outcome, "The steps are likely too small, or the run too short, to grow."),
        numbers=floats({"ratio": ratio.mean(), "grown": grown.mean()}),
    )


def decaying_rate(arrays: Arrays) -> Verdict:
    """Without L2 the relative step decays."""
    free, base = (of_arm(arrays, "relative_step", arm) for arm in (FREE, BASELINE))
    fall = (quarter(arrays, free, 0, 3) / quarter(arrays, free, 0, 0)).mean()
    base_fall = (quarter(arrays, base, 0, 3) / quarter(arrays, base, 0, 0)).mean()
    share = (quarter(arrays, free, 0, 3) / quarter(arrays, base, 0, 3)).mean()
    squares = of_arm(arrays, "squared_norm", FREE)
    inverse = (quarter(arrays, squares, 0, 0) / quarter(arrays, squares, 0, 3)).mean()
    outcome = graded(fall <= FALL and share <= SHARE, fall < 1 and share < 1)
    return Verdict(
        of="decaying rate",
        claim="Without L2 the relative step of the convolutions decays at a constant η.",
        predicted=f"it falls to {FALL:g} times, and to {SHARE:.2f} of the baseline's, at most",
        measured=(
            f"from the first to the last quarter of the first phase to {fall:.2f} times (baseline: "
            f"{base_fall:.2f}), which is {share:.2f} of the baseline's; 1/‖w‖² alone to "
            f"{inverse:.2f} times, and ‖w‖‖∇L‖ falls, too"
        ),
        outcome=outcome,
        because=reason(outcome, "Gradients that grow as training goes on work against it."),
        numbers=floats({"fall": fall, "baseline_fall": base_fall, "share": share}),
    )


def equilibrium(arrays: Arrays) -> Verdict:
    """With L2 the sum of squares settles, and the relative step with it."""
    drifts = {
        name: np.log(quarter(arrays, base, 0, 3).mean() / quarter(arrays, base, 0, 2).mean())
        for name in ("squared_norm", "relative_step")
        for base in [of_arm(arrays, name, BASELINE)]
    }
    worst = max(abs(drift) for drift in drifts.values())
    outcome = graded(worst <= DRIFT, worst <= 2.5 * DRIFT)
    return Verdict(
        of="equilibrium",
        claim="With L2 the weights come to an equilibrium, and the relative step stops decaying.",
        predicted=f"from the third to the last quarter of the first phase within {DRIFT:.0%}",
        measured=(
            f"Σw² {drifts['squared_norm']:+.1%}, relative step {drifts['relative_step']:+.1%} "
            "(mean over seeds)"
        ),
        outcome=outcome,
        because=reason(
            outcome,
            "The equilibrium itself moves while the network learns: ‖w‖⁴ = ηG/(2λ(1−μ)) with the "
            "moment G of its gradients.",
        ),
        numbers=floats(drifts),
    )


def piecewise_factor(arrays: Arrays) -> Verdict:
    """The baseline's sum of squares varies, and four linear pieces follow its inverse."""
    base = of_arm(arrays, "squared_norm", BASELINE)
    wanted = arrays["initial"][:, None] / base
    chunks = base.shape[1]
    middles = (np.arange(chunks) + 0.5) / chunks
    pieces = np.stack([np.interp(middles, KNOTS, values) for values in arrays["knots"]])
    error = np.abs(pieces / wanted - 1)
    rms, varies = np.sqrt(np.mean(error**2)), (base.max(axis=1) / base.min(axis=1)).min()
    outcome = graded(varies >= CONSTANT and rms <= PIECES, varies >= CONSTANT and rms <= 3 * PIECES)
    return Verdict(
        of="piecewise factor",
        claim="The baseline's sum of squares is not constant; four linear pieces follow it.",
        predicted=f"it varies by {CONSTANT:g} times or more; pieces within {PIECES:.0%} (rms)",
        measured=(
            f"it varies by {varies:.2f} times (the least of the seeds); the pieces are off by "
            f"{rms:.1%} (rms), {error.max():.0%} at most"
        ),
        outcome=outcome,
        because=reason(
            outcome,
            "What changes fast, after the start and after a drop of the learning rate, is shorter "
            "than a piece.",
        ),
        numbers=floats({"varies": varies, "rms": rms, "largest": error.max()}),
    )


def steps_replicated(arrays: Arrays) -> Verdict:
    """The compensated run turns its weights by the baseline's angles.

    Of ‖Δw‖/‖w‖ the article plots the whole; in its run the part along w, by which decay shrinks the
    weights, is a thousandth of it. In a short run λ is larger, and after the drop of the learning
    rate decay is most of the step, which the compensated run cannot and need not have. The angle is
    the part across w.
    """
    apart = {arm: distance(arrays, "angle", arm, BASELINE) for arm in (SCALED, TWIN, FREE)}
    whole, rms = distance(arrays, "relative_step", SCALED, BASELINE), apart[SCALED]
    chance = noise(arrays, "angle", BASELINE)
    most = STEPS if np.isinf(chance) else max(STEPS, 2 * chance)
    tells = apart[FREE] >= 3 * rms
    outcome = graded(tells and rms <= most, tells and rms <= 2.5 * most)
    return Verdict(
        of="step sizes replicated",
        claim="The compensated run has the step sizes of the baseline.",
        predicted=(
            f"angles per step: rms of the log-ratio over quarters of phases at most {STEPS:g}, or "
            f"twice what seeds differ by ({2 * chance:.3f})"
        ),
        measured=(
            f"{rms:.3f} with the article's factor, {apart[TWIN]:.3f} for the exact twin; "
            f"{apart[FREE]:.2f} without L2 and uncompensated. ‖Δw‖/‖w‖, which the article plots "
            "and the rule before the pilot was about, has the part along w that decay takes, too: "
            f"{whole:.3f} with the article's factor"
        ),
        outcome=outcome,
        because=reason(
            outcome,
            "The factor stands before the momentum buffer, whose gradients were taken at smaller "
            "norms: that makes steps smaller by some 2δμ/(1−μ) where weights grow by δ per step, "
            f"{_momentum_error(arrays):.0%} here (0.4 % in the article's longer run). And its "
            "pieces are crude.",
        ),
        numbers=floats(
            {"factor": rms, "twin": apart[TWIN], "free": apart[FREE], "noise": chance}
            | {"whole_step": whole}
        ),
    )


def exponential_growth(arrays: Arrays) -> Verdict:
    """The compensated weights grow exponentially, far beyond the baseline's."""
    scaled, base = (of_arm(arrays, "squared_norm", arm) for arm in (SCALED, BASELINE))
    first = arrays["phase"] == 0
    logs = np.log(scaled[:, first]).mean(axis=0)
    straight = _straightness(logs[len(logs) // 4 :])
    ratio = np.exp(np.log(scaled[:, first][:, -1] / base[:, first][:, -1]).mean())
    predicted = arrays["decay_factor"][first][-1] ** -2.0
    outcome = graded(straight >= STRAIGHT and ratio >= FAR, ratio >= FAR / 10)
    return Verdict(
        of="exponential growth",
        claim="The weights of the compensated run grow exponentially, far beyond the baseline's.",
        predicted=(
            f"log Σw² straight (R² ≥ {STRAIGHT:g}) and {FAR:g} times the baseline's or more after "
            f"the first phase; of the exact twin {predicted:.0f} times"
        ),
        measured=f"R² = {straight:.4f}; {ratio:.0f} times the baseline's",
        outcome=outcome,
        because=reason(outcome, "The factor held the relative steps too small to grow as far."),
        numbers=floats({"straightness": straight, "ratio": ratio, "predicted": predicted}),
    )


def _momentum_error(arrays: Arrays) -> float:
    mu = arrays["momentum"]
    return float(2 * arrays["decay_per_step"] * mu / (1 - mu))


def _straightness(values: np.ndarray) -> float:
    """R² of a straight line through equally spaced values."""
    x = np.arange(len(values)) - (len(values) - 1) / 2
    y = values - values.mean()
    return float(np.sum(x * y) ** 2 / (np.sum(x**2) * np.sum(y**2)))

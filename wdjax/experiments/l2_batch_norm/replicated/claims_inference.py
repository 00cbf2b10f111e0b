"""Claims about inference: running averages that lag behind growing weights."""

import numpy as np

from wdjax.experiments.l2_batch_norm.grading import Arrays, floats, reason
from wdjax.experiments.l2_batch_norm.replicated.arms import BASELINE, SCALED, TWIN
from wdjax.experiments.l2_batch_norm.replicated.measured import (
    LONG,
    RESCALED,
    SHORT,
    difference,
    in_phase,
    of_arm,
    phase_mean,
)
from wdjax.experiments.verdicts import graded
from wdjax.training import Verdict

FIRST = 0  # the phase of the large learning rate
POOR = 0.02  # loss of accuracy from which on it is "a lot worse"
LAG = 0.20  # relative error of 1 − (running over true variance), long window
SHORT_LAG = 0.005  # absolute error of that ratio, short window, where it is nearly 1

NAMES = {LONG: "long", SHORT: "short"}


def early_accuracy(arrays: Arrays) -> Verdict:
    """In the first phase the compensated run is a lot worse."""
    lost = difference(arrays, "accuracy", FIRST, (BASELINE, LONG), (SCALED, LONG))
    base, scaled = (phase_mean(arrays, "accuracy", a, FIRST)[:, LONG] for a in (BASELINE, SCALED))
    losses = [
        phase_mean(arrays, "test_loss", a, FIRST)[:, LONG].mean() for a in (BASELINE, SCALED, TWIN)
    ]
    outcome = graded(lost.positive and lost.value >= POOR, lost.likely)
    return Verdict(
        of="early accuracy",
        claim="In the first phase the test accuracy of the compensated run is a lot worse.",
        predicted=f"below the baseline's by {POOR:.0%} or more on average over the phase",
        measured=(
            f"baseline {base.mean():.2%}, compensated {scaled.mean():.2%}: {lost.percent()}; test "
            f"loss {losses[0]:.2f}, compensated {losses[1]:.2f} (exact twin {losses[2]:.2f})"
        ),
        outcome=outcome,
        because=reason(outcome, _own_lag(arrays)),
        numbers=floats({"lost": lost.value, "lost_error": lost.error}),
    )


def lagging_variances(arrays: Arrays) -> Verdict:
    """The running variances are too small by (1−ρ)/(1−ρ(1−δ)²)."""
    found = {arm: variance_ratios(arrays, arm) for arm in (SCALED, TWIN)}
    predicted = {arm: lag_of_growth(arrays, growth_per_step(arrays, arm)) for arm in found}
    long = max(abs((1 - found[a][LONG]) / (1 - predicted[a][LONG]) - 1) for a in found)
    short = max(abs(found[a][SHORT] - predicted[a][SHORT]) for a in found)
    smaller = all(ratios[LONG] < 1 for ratios in found.values())
    outcome = graded(long <= LAG and short <= SHORT_LAG, smaller and long <= 2.5 * LAG)
    return Verdict(
        of="lagging averages",
        claim="The running variances are too small: they cannot keep up with growing weights.",
        predicted=(
            "(1−ρ)/(1−ρ(1−δ)²) times the variance where weights grow by 1/(1−δ) per step: "
            f"{_pair(predicted[SCALED])} with the article's factor, {_pair(predicted[TWIN])} for "
            "the exact twin (long and short window)"
        ),
        measured=(
            f"{_pair(found[SCALED])} and {_pair(found[TWIN])}, relative to the baseline, in the "
            "second half of the first phase"
        ),
        outcome=outcome,
        because=reason(outcome, "The growth is not steady, and variances change as training does."),
        numbers=floats(
            {f"factor_{n}": found[SCALED][w] for w, n in NAMES.items()}
            | {f"twin_{n}": found[TWIN][w] for w, n in NAMES.items()}
            | {f"predicted_factor_{n}": predicted[SCALED][w] for w, n in NAMES.items()}
            | {f"predicted_twin_{n}": predicted[TWIN][w] for w, n in NAMES.items()}
        ),
    )


def inference_alone(arrays: Arrays) -> Verdict:
    """With averages in the units of the weights the early accuracy is the baseline's."""
    lost = difference(arrays, "accuracy", FIRST, (BASELINE, LONG), (TWIN, LONG))
    left = difference(arrays, "accuracy", FIRST, (BASELINE, LONG), (TWIN, RESCALED))
    repaired = lost.positive and abs(left.value) <= lost.value / 3
    outcome = graded(repaired, abs(left.value) < abs(lost.value))
    return Verdict(
        of="lagging averages",
        claim="The early accuracy is a matter of inference alone, not of training.",
        predicted=(
            "averages rescaled with the weights of the exact twin leave a third of its loss of "
            "early accuracy at most"
        ),
        measured=f"lost {lost.percent()}; with rescaled averages {left.percent()}",
        outcome=outcome,
        because=reason(outcome, "The loss is small against what seeds and records differ by."),
        numbers=floats(
            {"lost": lost.value, "lost_error": lost.error}
            | {"left": left.value, "left_error": left.error}
        ),
    )


def shorter_window(arrays: Arrays) -> Verdict:
    """A shorter window repairs the early accuracy."""
    lost = difference(arrays, "accuracy", FIRST, (BASELINE, LONG), (SCALED, LONG))
    left = difference(arrays, "accuracy", FIRST, (BASELINE, LONG), (SCALED, SHORT))
    outcome = graded(
        lost.positive and left.value <= lost.value / 3,
        lost.likely and left.value <= 2 * lost.value / 3,
    )
    return Verdict(
        of="shorter window",
        claim="A shorter window of the running averages repairs the early accuracy.",
        predicted="a third of the loss of early accuracy is left at most",
        measured=(
            f"lost {lost.percent()}; with the short window {left.percent()} (less than nothing is "
            "more than the baseline with the long one)"
        ),
        outcome=outcome,
        because=reason(outcome, _own_lag(arrays)),
        numbers=floats({"lost": lost.value, "left": left.value, "left_error": left.error}),
    )


def overshoot(arrays: Arrays) -> Verdict:
    """With the short window the compensated run exceeds the baseline, whose averages lag too."""
    above = difference(arrays, "accuracy", FIRST, (SCALED, SHORT), (BASELINE, LONG))
    own = difference(arrays, "accuracy", FIRST, (BASELINE, SHORT), (BASELINE, LONG))
    outcome = graded(above.positive and own.positive, above.likely)
    return Verdict(
        of="overshoot",
        claim="With the short window early accuracy exceeds the baseline's, whose averages lag.",
        predicted="compensated (short) above baseline (long), and baseline (short) above it too",
        measured=f"compensated {above.percent()}; baseline {own.percent()}",
        outcome=outcome,
        because=reason(outcome, "Seeds differ by more than the windows do."),
        numbers=floats({"above": above.value, "own": own.value, "own_error": own.error}),
    )


def _own_lag(arrays: Arrays) -> str:
    gains = [
        difference(arrays, "accuracy", FIRST, (arm, SHORT), (arm, LONG)).percent()
        for arm in (BASELINE, SCALED)
    ]
    return (
        "In this short run the averages of the long window lag in the baseline, too: it gains "
        f"{gains[0]} by the short window, the compensated run {gains[1]}."
    )


def lag_of_growth(arrays: Arrays, growth: float) -> np.ndarray:
    """Returns (1−ρ)/(1−ρ(1−δ)²) for both windows, with (1−δ)² = e^−growth."""
    rho = arrays["windows"]
    return (1 - rho) / (1 - rho * np.exp(-growth))


def growth_per_step(arrays: Arrays, arm: str) -> float:
    """Returns the growth of log Σw² per step over the baseline's, late in the first phase."""
    logs = np.log(of_arm(arrays, "squared_norm", arm) / of_arm(arrays, "squared_norm", BASELINE))
    late = _second_half(in_phase(arrays, logs, FIRST)).mean(axis=0)
    steps = arrays["step"][1] - arrays["step"][0]
    return float((late[-1] - late[0]) / (steps * (len(late) - 1)))


def variance_ratios(arrays: Arrays, arm: str) -> np.ndarray:
    """Returns running over true variance of an arm, relative to the baseline's, both windows."""
    lag = in_phase(arrays, of_arm(arrays, "lag", arm) - of_arm(arrays, "lag", BASELINE), FIRST)
    return np.exp(_second_half(lag).mean(axis=(0, 1)))


def _second_half(values: np.ndarray) -> np.ndarray:
    return values[:, values.shape[1] // 2 :]


def _pair(ratios: np.ndarray) -> str:
    return f"{ratios[LONG]:.3f} and {ratios[SHORT]:.3f}"

"""What theory predicts, each number held against what was measured in training.

The tolerances and rules were written down before the first run. For each optimiser there are four
claims, each about both models. A claim on angles or norms holds if *every* group, averaged over
the seeds, is within the tolerance; it holds in part if the average over all groups is.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from wdjax.training import Outcome, Verdict

Arrays = dict[str, np.ndarray]

ANGLE = 0.015  # relative error of the root-mean-square angle per step
NORM = 0.03  # relative error of the root-mean-square norm
RELAXATION = 0.10  # relative error of the time in which a deviation falls by 1/e
COURSE = 0.05  # relative error of ‖w‖, at all steps of a schedule
SHARE = 0.9  # of the steps and groups that are within COURSE where that holds in part

ASSUMED = "gradients are taken to be Gaussian, without memory; those of training have some"
ANGLE_NEEDS = {
    "SGD": "Nothing else enters.",
    "heavy-ball": "Nothing else enters.",
    "AdamW": (
        "And Adam's fresh step has to be orthogonal to w, which the gradient is: entry by entry "
        "division by √v turns it, where v differs between the entries."
    ),
}
NORM_NEEDS = {"SGD": "Nothing else enters."}
RELAXATION_NEEDS = {
    "AdamW": (
        "v remembers 1/(1−β₂) = 1000 steps, longer than the norm takes to relax: all that time "
        "gradients are divided by those of another norm. `theory.adam_course` follows that."
    ),
}
"""Why a claim may fail, where that is known of an optimiser."""

CURVE_TIMES = ("relaxation_time", "course_step")
"""The arrays that have no rows: the steps of the curves."""


class Cell(NamedTuple):
    """Measured over predicted, of one optimiser on one model.

    Attributes:
      model: Name of the model.
      mean: Average over groups and seeds.
      spread: Standard deviation between seeds, of the average over groups.
      lowest: The lowest group, averaged over seeds.
      highest: The highest group, averaged over seeds.
    """

    model: str
    mean: float
    spread: float
    lowest: float
    highest: float

    @property
    def worst(self) -> float:
        """Largest relative error of a group."""
        return max(abs(self.lowest - 1), abs(self.highest - 1))

    def __str__(self) -> str:
        """The cell as the table shows it."""
        return (
            f"{self.model} {self.mean:.3f} ± {self.spread:.3f} "
            f"(groups {self.lowest:.3f} to {self.highest:.3f})"
        )


def names(arrays: Arrays, of: str) -> list[str]:
    """Returns the different models or optimisers, in the order of the rows."""
    return list(dict.fromkeys(arrays[of].tolist()))


def rows_of(arrays: Arrays, optimiser: str) -> Iterator[tuple[str, Arrays]]:
    """Yields each model that was trained with an optimiser, and its rows of the arrays."""
    for model in names(arrays, "model"):
        chosen = (arrays["model"] == model) & (arrays["optimiser"] == optimiser)
        yield model, {n: v if n in CURVE_TIMES else v[chosen] for n, v in arrays.items()}


def by_seed(rows: Arrays, values: np.ndarray) -> np.ndarray:
    """Orders the rows of one model and optimiser as (seeds, groups, ...)."""
    seeds = len(np.unique(rows["seed"]))
    return values.reshape(seeds, -1, *values.shape[1:])


def cells(arrays: Arrays, optimiser: str, measured: str, predicted: str) -> list[Cell]:
    """Compares two arrays of the record, per model."""
    found = []
    for model, rows in rows_of(arrays, optimiser):
        ratio = by_seed(rows, rows[measured] / rows[predicted])
        groups, seeds = ratio.mean(axis=0), ratio.mean(axis=1)
        found.append(Cell(model, ratio.mean(), seeds.std(), groups.min(), groups.max()))
    return found


def angle(arrays: Arrays, optimiser: str) -> Verdict:
    """The angle per step at equilibrium, of each group."""
    predicted = ", ".join(
        f"{rows['predicted_angle'].mean():.4f} ({model})"
        for model, rows in rows_of(arrays, optimiser)
    )
    return _ratios(
        f"{optimiser}: the angle per step",
        f"{predicted} radians, within {ANGLE:.1%} for every group",
        cells(arrays, optimiser, "angle", "predicted_angle"),
        ANGLE,
        f"The norm has to stay: here it moved by up to {_drift(arrays, optimiser):.1%} from one "
        "half of the steps to the other. "
        + ANGLE_NEEDS.get(optimiser, f"And {ASSUMED}{_memory(arrays, optimiser)}."),
    )


def norm(arrays: Arrays, optimiser: str) -> Verdict:
    """The norm at equilibrium, of each group, given its gradient moment where that matters."""
    return _ratios(
        f"{optimiser}: the norm",
        f"measured over predicted is 1, within {NORM:.0%} for every group",
        cells(arrays, optimiser, "norm", "predicted_norm"),
        NORM,
        f"The norm has to stay: here it moved by up to {_drift(arrays, optimiser):.1%} from one "
        "half of the steps to the other. "
        + NORM_NEEDS.get(optimiser, f"And {ASSUMED}{_memory(arrays, optimiser)}."),
    )


def relaxation(arrays: Arrays, optimiser: str) -> Verdict:
    """The time in which a norm that was pushed off its equilibrium comes back."""
    measured, errors, given = [], [], []
    for model, rows in rows_of(arrays, optimiser):
        predicted = float(rows["relaxation_steps"].mean())
        times = times_of(rows, "relaxation")
        known = times_of(rows, "relaxation_given_moment")
        errors.append(times.mean() / predicted - 1)
        given.append(times.mean() / known.mean() - 1)
        measured.append(
            f"{model} {times.mean():.0f} ± {times.std():.0f} steps ({times.mean() / predicted:.3f} "
            f"of the predicted {predicted:.0f}; {times.mean() / known.mean():.3f} of the "
            f"{known.mean():.0f} that follow with the gradient moment of each run)"
        )
    return Verdict(
        claim=f"{optimiser}: the relaxation time of ‖w‖",
        predicted=f"within {RELAXATION:.0%}, as average over groups and seeds",
        measured="; ".join(measured),
        outcome=_graded(_within(errors, RELAXATION), _within(given, RELAXATION)),
        because=RELAXATION_NEEDS.get(
            optimiser,
            "The predicted time takes the gradient moment G to be the same at another norm, but G "
            "depends on the effective learning rate, and differs between two runs by chance.",
        ),
        numbers=_floats({"error": _largest(errors), "error_given_moment": _largest(given)}),
    )


def course(arrays: Arrays, optimiser: str) -> Verdict:
    """The norm along warm-up and cosine decay of the learning rate."""
    measured, largest, shares = [], [], []
    for model, rows in rows_of(arrays, optimiser):
        largest.append(float(rows["course_error"].max()))
        shares.append(float(rows["course_within"].mean()))
        per_seed = by_seed(rows, rows["course_error"]).max(axis=1)
        measured.append(
            f"{model} at most {largest[-1]:.1%} off (median of the groups' largest "
            f"{np.median(rows['course_error']):.1%}, seeds {per_seed.min():.1%} to "
            f"{per_seed.max():.1%}), within {COURSE:.0%} at {shares[-1]:.1%} of the steps"
        )
    return Verdict(
        claim=f"{optimiser}: ‖w‖ along warm-up and cosine",
        predicted=f"within {COURSE:.0%} for every group at every step",
        measured="; ".join(measured),
        outcome=_graded(_within(largest, COURSE), min(shares) >= SHARE),
        because=(
            "Likely the start of training, where successive gradients point the same way, so that "
            "steps add up to more than the theory counts."
        ),
        numbers=_floats({"largest_error": max(largest), "share_within": min(shares)}),
    )


CLAIMS: tuple[Callable[[Arrays, str], Verdict], ...] = (angle, norm, relaxation, course)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns one verdict per claim and optimiser; what holds needs no reason."""
    verdicts = [claim(arrays, name) for claim in CLAIMS for name in names(arrays, "optimiser")]
    return tuple(
        dataclasses.replace(verdict, because="") if verdict.outcome == Outcome.HOLDS else verdict
        for verdict in verdicts
    )


def times_of(rows: Arrays, curves: str) -> np.ndarray:
    """Returns the relaxation time of each seed, from curves averaged over the groups.

    Args:
      rows: The arrays of one model and optimiser.
      curves: Name of the deviations over time, (rows, points).
    """
    expected = float(rows["relaxation_steps"].mean())
    averaged = by_seed(rows, rows[curves]).mean(axis=1)
    return np.array([decay_time(rows["relaxation_time"], curve, expected) for curve in averaged])


def decay_time(time: np.ndarray, curve: np.ndarray, expected: float) -> float:
    """Returns τ of the exponential A e^(−t/τ) nearest to a curve, in the sense of least squares.

    Only the first two of the expected times count; A is fitted too. The search goes from a fifth
    to five times the expected time.
    """
    early = time <= 2 * expected
    candidates = expected * np.geomspace(0.2, 5, 4001)
    shapes = np.exp(-time[early] / candidates[:, None])
    height = shapes @ curve[early] / np.sum(shapes**2, axis=1)
    misfit = np.sum((curve[early] - height[:, None] * shapes) ** 2, axis=1)
    return float(candidates[np.argmin(misfit)])


def _ratios(claim: str, predicted: str, found: list[Cell], limit: float, because: str) -> Verdict:
    means = [cell.mean - 1 for cell in found]
    return Verdict(
        claim=claim,
        predicted=predicted,
        measured="; ".join(map(str, found)),
        outcome=_graded(_within([cell.worst for cell in found], limit), _within(means, limit)),
        because=because,
        numbers=_floats(
            {
                f"{cell.model} {name}": value
                for cell in found
                for name, value in cell._asdict().items()
                if name != "model"
            }
        ),
    )


def _drift(arrays: Arrays, optimiser: str) -> float:
    """By how much a norm still moved while it was measured, at most."""
    return max(np.abs(rows["drift"]).max() for _, rows in rows_of(arrays, optimiser))


def _memory(arrays: Arrays, optimiser: str) -> str:
    """In words: how successive gradients hang together."""
    found = [
        f"{rows['memory'].mean():+.3f} ({model})" for model, rows in rows_of(arrays, optimiser)
    ]
    return f" (Σ μ^(k−1) E⟨g_t, g_(t−k)⟩/E‖g‖² with μ = 0.9 is {', '.join(found)})"


def _within(errors: Iterable[float], limit: float) -> bool:
    return _largest(errors) <= limit


def _largest(errors: Iterable[float]) -> float:
    return max(abs(error) for error in errors)


def _graded(holds: bool, in_part: bool) -> Outcome:
    if holds:
        return Outcome.HOLDS
    return Outcome.IN_PART if in_part else Outcome.FAILS


def _floats(numbers: dict[str, Any]) -> dict[str, float]:
    """NumPy's numbers as Python's, for JSON."""
    return {name: float(number) for name, number in numbers.items()}

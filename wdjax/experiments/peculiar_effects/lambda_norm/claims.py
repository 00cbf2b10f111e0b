"""The claims of `lambda-norm`; the constants are its rules."""

from collections.abc import Sequence

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.judging import because, spread
from wdjax.experiments.peculiar_effects.lambda_norm.run import AXES, LEARNING_RATE
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

PUBLISHED = (0.025, 0.05)  # λ_norm that the article names
IN_PLACE = 2.0  # factor within which the best λ_norm of every cell has to be their mean
EXPONENT = 0.15  # error of an exponent
NEAR = 1.5  # factor beyond the published λ_norm that counts as among them
FAR = 4.0  # and that still counts as a starting point
MATTERS = 0.02  # nats by which the best λ has to be better than the least one, for a cell to count
RULES = {"λ_norm √(b/(BT))": (0.5, -0.5, -0.5), "epochs, λ ∝ b/B": (1.0, -1.0, 0.0)}
"""Exponents of b, B and T in the best λ."""


def best_decay(decays: np.ndarray, losses: np.ndarray) -> tuple[float, bool]:
    """Returns the λ of the lowest loss, by a parabola in log λ, and whether it is at no end.

    Example:
      >>> lams = 10.0 ** np.arange(-4, 0)
      >>> best, inside = best_decay(lams, (np.log10(lams) + 2.3) ** 2)
      >>> print(f"{np.log10(best):.2f}", inside)
      -2.30 True
    """
    at = int(np.argmin(losses))
    if at in (0, len(decays) - 1):
        return float(decays[at]), False
    x, y = np.log(decays[at - 1 : at + 2]), losses[at - 1 : at + 2]
    second, first, _ = np.polyfit(x - x[1], y, 2)
    return float(np.exp(x[1] - first / (2 * second))), True


def optima(arrays: Arrays, seeds: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the best λ of each cell, from the mean loss over (some of) the seeds; which count.

    A cell does not count if its best λ is at an end of the grid, or hardly better than the least.
    """
    losses = arrays["loss"] if seeds is None else arrays["loss"][:, seeds]
    means = losses.mean(axis=1)
    found = [best_decay(arrays["decay"], mean) for mean in means]
    matters = means[:, 0] - means.min(axis=1) >= MATTERS
    best, inside = zip(*found, strict=True)
    return np.array(best), np.array(inside) & matters


def exponents(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns the exponents of b, B and T in the best λ, and their standard errors (jackknife).

    An exponent is NaN where its quantity has one value only.
    """
    count = arrays["loss"].shape[1]
    whole = _fit(arrays, np.arange(count))
    if count < 2:
        return whole, np.full(3, np.nan)
    left = np.stack([_fit(arrays, np.delete(np.arange(count), out)) for out in range(count)])
    error = np.sqrt((count - 1) / count * np.sum((left - left.mean(axis=0)) ** 2, axis=0))
    return whole, error


def _fit(arrays: Arrays, seeds: np.ndarray) -> np.ndarray:
    best, counts = optima(arrays, seeds)
    columns = np.log(np.stack([arrays[name][counts] for name in AXES], axis=1))
    varies = np.ptp(columns, axis=0) > 0 if counts.any() else np.zeros(3, bool)
    found = np.full(3, np.nan)
    if varies.any():
        design = np.column_stack([columns[:, varies], np.ones(len(columns))])
        found[varies] = np.linalg.lstsq(design, np.log(best[counts]), rcond=None)[0][:-1]
    return found


def normalised(arrays: Arrays, rule: Sequence[float]) -> np.ndarray:
    """Returns the best λ of the cells that count over b^p B^q T^r, for the exponents of a rule."""
    best, counts = optima(arrays)
    powers = [arrays[name] ** float(power) for name, power in zip(AXES, rule, strict=True)]
    scale = np.prod(powers, axis=0)
    return (best / scale)[counts]


def scatter(values: np.ndarray) -> float:
    """Returns the factor within which all of some positive numbers are their geometric mean."""
    logs = np.log(values)
    return float(np.exp(np.max(np.abs(logs - logs.mean())))) if logs.size else float("inf")


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claims; the rules are the constants of this module."""
    return tuple(judge(arrays) for judge in (decoupled, right_exponents, starting_point))


def decoupled(arrays: Arrays) -> Verdict:
    """The best λ_norm is the same in all cells."""
    found = {name: scatter(normalised(arrays, rule)) for name, rule in RULES.items()}
    rule, epochs = found.values()
    plain = scatter(normalised(arrays, (0.0, 0.0, 0.0)))
    _, counts = optima(arrays)
    enough = counts.sum() >= 4
    return verdict(
        "decouples",
        "With λ = λ_norm √(b/(BT)), the suitable value depends on b, B and T no more.",
        f"the best λ_norm of every cell within {IN_PLACE:g}× of their mean",
        f"within {rule:.1f}× in {counts.sum()} cells (the best λ itself: {plain:.1f}×; with a time "
        f"scale that is the same in epochs: {epochs:.1f}×)",
        graded(enough and rule <= IN_PLACE, enough and np.log(rule) <= 0.75 * np.log(plain)),
        because(
            (not enough, "Too few cells have a best λ."),
            (
                enough and rule >= plain,
                "The best λ_norm varies more from cell to cell than the best λ itself: here the "
                "rule is worse than none. See the exponents for what it gets wrong.",
            ),
            (
                enough and rule < plain,
                "The best λ_norm varies less than the best λ itself, but it varies. See the "
                "exponents for what the rule gets wrong.",
            ),
        ),
        rule=min(rule, 1e9),
        plain=min(plain, 1e9),
        epochs=min(epochs, 1e9),
    )


def right_exponents(arrays: Arrays) -> Verdict:
    """The exponents are 1/2, −1/2 and −1/2."""
    found, error = exponents(arrays)
    wanted = np.array(RULES["λ_norm √(b/(BT))"])
    right = np.abs(found - wanted) <= EXPONENT
    text = ", ".join(
        f"{name}: {value:.2f} ± {e:.2f}" for name, value, e in zip("bBT", found, error, strict=True)
    )
    return verdict(
        "decouples",
        "The best λ goes as b^(1/2), B^(−1/2) and T^(−1/2).",
        f"these exponents, within {EXPONENT}",
        f"{text} (a time scale that is the same in epochs: 1, −1 and 0)",
        graded(right.all(), right.any()),
        "What λ does in AdamW is to average: over 1/λ steps, b/(λB) epochs. What time is best for "
        "that has no reason to grow as the root of the length of the run.",
        **{f"exponent_{n}": v for n, v in zip("bBT", np.nan_to_num(found), strict=True)},
    )


def starting_point(arrays: Arrays) -> Verdict:
    """λ_norm of 0.025 to 0.05 is a useful start."""
    values = normalised(arrays, RULES["λ_norm √(b/(BT))"])
    mean = float(np.exp(np.mean(np.log(values)))) if values.size else 0.0
    low, high = PUBLISHED

    def within(factor: float) -> bool:
        return low / factor <= mean <= high * factor

    return verdict(
        "starting-point",
        "λ_norm from 0.025 to 0.05, the best for image classification, is a useful starting point.",
        f"the mean of the best λ_norm from {low} to {high} (which the paper reports as two optima, "
        f"not as a range), or within {NEAR}× of that",
        f"{mean:.3f} (cells: {spread(values, '.3f')}), for the λ of the paper, whose steps take λw "
        "from w. The article defines λ by steps of ηλw: with that λ it is the same over η, "
        f"{mean / LEARNING_RATE:.3g} for η = {LEARNING_RATE:g}"
        if values.size
        else "no best λ in the grid",
        graded(within(NEAR), within(FAR)),
        "Likely because of other data, another network and another learning rate: these were found "
        "for residual networks on CIFAR-10 and 32×32 ImageNet.",
        mean=mean,
    )

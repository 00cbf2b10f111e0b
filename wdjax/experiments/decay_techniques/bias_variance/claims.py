"""The rules by which `bias-variance` judges the article; written down before the default run.

The risk is the mean squared distance from the truth. "The best λ" is the one with the lowest mean
risk over the training sets.

Two rules were added when the first record was known: W3 was judged by robustness alone, and now by
the degrees of freedom of ridge regression too; W11 over all informative inputs alone, and now
within each group of copies too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wdjax.experiments.decay_techniques.bias_variance.run import MODELS
from wdjax.experiments.decay_techniques.judging import ERRORS, Difference, difference
from wdjax.experiments.experiment import Arrays
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

RANDOM = (
    "A network's first weights are random and give every input about the same weight; what decay "
    "takes away first is likely what was never learnt."
)
RIDGE = MODELS.index("ridge")
ORDERED = 0.95  # share of the pairs of λ that must not be in the other order
CHANGE = 2.0  # factor by which variance has to fall and bias² to rise over all λ
UNDERFIT = 2.0  # factor of the training error that counts as underfitting
CHOSEN = 1.10  # risk at the λ that held-out examples choose, over that at the best λ
SELECTED = 0.5  # factor on irrelevant over informative weights that counts as selection
ROBUST = 0.9  # factor on the change of the output that counts as more robust
SIMPLER = 0.9  # factor on the degrees of freedom that counts as simpler


def trade_off(arrays: Arrays) -> Verdict:
    """Variance falls and bias rises with λ."""
    told, ordered, changed, why = [], [], [], []
    for m, q in cases(arrays):
        variance, bias = arrays["variance"][m, q], np.maximum(arrays["bias"][m, q], 1e-12)
        falls = _ordered(-variance, -arrays["variance_left_out"][m][:, q])
        rises = _ordered(bias, arrays["bias_left_out"][m][:, q])
        change = variance[0] / variance[-1], bias[-1] / bias[0]
        ordered.append(min(falls, rises))
        changed.append(min(change))
        told.append(
            f"{_case(arrays, m, q)}: variance {variance[0]:.2f} to {variance[-1]:.2g}, bias² "
            f"{bias[0]:.2f} to {bias[-1]:.2f}"
        )
        reasons = [
            *(["the variance rises at some λ"] if falls < ORDERED else []),
            *([f"bias² falls first, to {bias.min():.2f}"] if rises < ORDERED else []),
            *([f"one changes by a factor {min(change):.1f} only"] if min(change) < CHANGE else []),
        ]
        why += [f"{_case(arrays, m, q)}: {' and '.join(reasons)}."] if reasons else []
    good = [o >= ORDERED and c >= CHANGE for o, c in zip(ordered, changed, strict=True)]
    return verdict(
        "W4",
        "λ trades variance for bias: the variance falls with λ, and the bias rises.",
        f"at most {1 - ORDERED:.0%} of the pairs of λ in the other order by two standard errors; "
        f"a factor {CHANGE:.0f} at least in all",
        f"from λ = 0 to the largest: {'; '.join(told)}; at most "
        f"{1 - min(ordered):.0%} in the other order",
        graded(all(good), np.mean(good) >= 0.5),
        " ".join(why),
        {"ordered": min(ordered), "changed": min(changed)},
    )


def sweet_spot(arrays: Arrays) -> Verdict:
    """The risk has its lowest point between the ends, and held-out examples find it."""
    inner, chosen = [], []
    for m, q in cases(arrays):
        risk = arrays["risk"][m, q]
        place = best(arrays, m, q)
        ends = [difference(risk[:, end], risk[:, place]) for end in (0, -1)]
        inner.append(all(end.above for end in ends))
        picked = arrays["held_error"][m, q].argmin(axis=1)
        chosen.append(float(risk[np.arange(len(risk)), picked].mean() / risk[:, place].mean()))
    found = [c <= CHOSEN for c in chosen]
    return verdict(
        "W23",
        "λ has a sweet spot, which a validation set finds.",
        f"the risk is lowest at a λ between the ends, and at most {CHOSEN - 1:.0%} higher at the "
        "λ that held-out examples choose for each training set",
        f"between the ends in {inner.count(True)} of {len(inner)} cases; risk at the chosen λ "
        f"{min(chosen):.3f} to {max(chosen):.3f} times that at the best",
        graded(all(inner) and all(found), np.mean(inner) >= 0.5 and np.mean(found) >= 0.5),
        _missed(arrays, inner, chosen),
        {"inner": np.mean(inner), "worst": max(chosen), "median": np.median(chosen)},
    )


def underfits(arrays: Arrays) -> Verdict:
    """The largest λ underfits."""
    errors, risks = [], []
    for m, q in cases(arrays):
        place = best(arrays, m, q)
        error, risk = arrays["error"][m, q], arrays["risk"][m, q]
        errors.append(error[:, -1].mean() / error[:, place].mean())
        risks.append(difference(risk[:, -1], risk[:, place]))
    lost = [e >= UNDERFIT and r.above for e, r in zip(errors, risks, strict=True)]
    return verdict(
        "W22",
        "Too much decay underfits: higher is not always better.",
        f"at the largest λ the training error is {UNDERFIT:.0f} times that at the best λ or more, "
        "and the risk higher",
        f"training error {min(errors):.2g} to {max(errors):.2g} times, risk higher by "
        f"{min(r.mean for r in risks):.2f} to {max(r.mean for r in risks):.2f} (1 is the variance "
        "of the truth)",
        graded(all(lost), any(lost)),
        "With much noise the training error at the best λ is large already.",
        {"error": min(errors), "risk": min(r.mean for r in risks)},
    )


def noisy(arrays: Arrays) -> Verdict:
    """Decay gains the more, the more noise there is."""
    gains = [[_gain(arrays, m, q) for q in (0, len(arrays["noise"]) - 1)]
             for m in range(len(MODELS))]  # fmt: skip
    good = [high.above and high.mean > low.mean for low, high in gains]
    told = "; ".join(
        f"{name}: {low.mean:.0%} and {high.mean:.0%} ± {high.error:.0%}"
        for name, (low, high) in zip(MODELS, gains, strict=True)
    )
    return verdict(
        "W9",
        "Where the signal is weak beside the noise, decay keeps a model from chasing fluctuations.",
        "the best λ lowers the risk against λ = 0, and by a larger share with more noise",
        f"lower by, with noise {arrays['noise'][0]:g} and {arrays['noise'][-1]:g} (deviations; "
        f"the truth has 1): {told}",
        graded(all(good), any(good)),
        "Networks that stop after some steps have not learnt all the noise even at λ = 0.",
        {name: high.mean for name, (_, high) in zip(MODELS, gains, strict=True)},
    )


def robust(arrays: Arrays) -> Verdict:
    """The output changes less with small fluctuations of the input."""
    absolute, relative = [], []
    for m, q in cases(arrays):
        place = best(arrays, m, q)
        shaken = arrays["shaken"][m, q]
        share = shaken / np.maximum(arrays["output"][m, q], 1e-30)
        absolute.append(shaken[:, place].mean() / shaken[:, 0].mean())
        relative.append(share[:, place].mean() / share[:, 0].mean())
    return verdict(
        "W3",
        "Decay makes the model robust to small fluctuations of the input.",
        f"at the best λ their mean squared effect on the output is at most {ROBUST:g} of that at "
        "λ = 0, also relative to the variance of the output",
        f"{min(absolute):.2f} to {max(absolute):.2f} of that at λ = 0; relative to the output's "
        f"variance {min(relative):.2f} to {max(relative):.2f}",
        graded(
            max(absolute) <= ROBUST and max(relative) <= ROBUST,
            np.mean(np.array(absolute) <= ROBUST) >= 0.5,
        ),
        "With little noise the best λ is weak; and part of the effect is that the whole output is "
        "smaller, signal and all.",
        {"absolute": np.median(absolute), "relative": np.median(relative)},
    )


def simpler(arrays: Arrays) -> Verdict:
    """Ridge regression has fewer degrees of freedom."""
    freedom = arrays["freedom"].mean(axis=0)
    noises = range(len(arrays["noise"]))
    share = [float(freedom[best(arrays, RIDGE, q)] / freedom[0]) for q in noises]
    told = " and ".join(f"{freedom[best(arrays, RIDGE, q)]:.1f}" for q in noises)
    return verdict(
        "W3",
        "Decay makes the model simpler: it lowers its effective complexity.",
        "the effective degrees of freedom of ridge regression fall with λ, and are at the best λ "
        f"at most {SIMPLER:g} of those at λ = 0",
        f"{freedom[0]:.1f} at λ = 0, {told} at the best λ with noise "
        f"{' and '.join(f'{noise:g}' for noise in arrays['noise'])}. That they fall is a theorem; "
        "of the networks no such number was measured",
        graded(_ordered(-freedom) == 1 and max(share) <= SIMPLER, min(share) <= SIMPLER),
        "The best λ is weak beside the variances of the inputs.",
        {"least": min(share), "most": max(share)},
    )


def many_features(arrays: Arrays) -> Verdict:
    """The weights are spread over more of the informative inputs."""
    count, spread = int(arrays["informative"]), _spread(arrays, "spread")
    return verdict(
        "W11",
        "Decay makes a model rely on many features rather than on a few large weights.",
        f"the effective number (Σw²)²/Σw⁴ of the {count} informative inputs, some of which are "
        "copies, is larger at the best λ than at λ = 0, by two standard errors",
        f"{spread.told} (geometric means)",
        graded(all(spread.more), np.mean(spread.more) >= 0.5),
        f"It is larger by two standard errors {spread.where}; within the copies of one input "
        f"{_spread(arrays, 'spread_alike').where}. {RANDOM}",
        {"smallest": min(spread.ratio), "largest": max(spread.ratio)},
    )


def spreads_alike(arrays: Arrays) -> Verdict:
    """The weights are spread over copies of an input."""
    spread = _spread(arrays, "spread_alike")
    return verdict(
        "W11",
        "L2 regularisation spreads the weight of inputs that say nearly the same.",
        f"the effective number of each informative input and its copies, of {arrays['alike']}, is "
        "larger at the best λ than at λ = 0, by two standard errors",
        f"{spread.told} (geometric means)",
        graded(all(spread.more), np.mean(spread.more) >= 0.5),
        f"It is larger by two standard errors {spread.where}. {RANDOM}",
        {"smallest": min(spread.ratio), "largest": max(spread.ratio)},
    )


def selects(arrays: Arrays) -> Verdict:
    """Weights of irrelevant inputs are suppressed more than others."""
    ratio = []
    for m, q in cases(arrays):
        quotient = arrays["irrelevant"][m, q].mean(axis=0)
        ratio.append(float(quotient[best(arrays, m, q)] / quotient[0]))
    left = [float(arrays["irrelevant"][m, q][:, best(arrays, m, q)].mean())
            for m, q in cases(arrays)]  # fmt: skip
    return verdict(
        "W13",
        "Decay selects features: it suppresses the weights of irrelevant inputs.",
        f"weights of irrelevant over informative inputs at most {SELECTED:g} of what they are at "
        "λ = 0, at the best λ",
        f"{min(ratio):.2f} to {max(ratio):.2f} of that at λ = 0, and then still {min(left):.2f} "
        f"to {max(left):.2f} (root mean squares)",
        graded(max(ratio) <= SELECTED, np.mean(np.array(ratio) < 1) > 0.5),
        "Decay shrinks weights by the variance of what they multiply, and does not ask what it "
        "says about the target: no weight is set to zero. It is an L1 penalty that selects.",
        {"ratio": np.median(ratio), "left": np.median(left)},
    )


def irrelevant_pays(arrays: Arrays) -> Verdict:
    """The gain grows with the number of irrelevant inputs."""
    gains = []
    for risk in arrays["many_risk"]:
        gains.append(_share(risk[:, 0], risk[:, risk.mean(axis=0).argmin()]))
    means = [gain.mean for gain in gains]
    grows = np.all(np.diff(means) > 0)
    return verdict(
        "W13",
        "Decay pays where many inputs are irrelevant.",
        "the share by which the best λ lowers the risk of ridge regression grows with their number",
        ", ".join(
            f"{count} irrelevant: {gain.mean:.0%} ± {gain.error:.0%}"
            for count, gain in zip(arrays["many_irrelevant"], gains, strict=True)
        ),
        graded(grows and gains[-1].above, gains[-1].above and means[-1] > means[0]),
        "Too little noise, or too many examples, for the irrelevant inputs to do harm.",
        {"fewest": means[0], "most": means[-1]},
    )


def shrinks(arrays: Arrays) -> Verdict:
    """The norm falls with λ."""
    falls = [_ordered(-arrays["norm"][m, q].mean(axis=0)) for m, q in cases(arrays)]
    ratio = [float(np.divide(*arrays["norm"][m, q].mean(axis=0)[[-1, 0]])) for m, q in
             cases(arrays)]  # fmt: skip
    return verdict(
        "W2",
        "Decay shrinks the weights.",
        "‖w‖ falls with λ for all pairs of λ",
        f"{min(falls):.0%} of the pairs at least; at the largest λ {min(ratio):.2g} to "
        f"{max(ratio):.2g} of the norm at λ = 0",
        graded(min(falls) == 1, min(falls) >= ORDERED),
        "Decay that is weak beside the differences between two runs.",
        {"falls": min(falls), "ratio": max(ratio)},
    )


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (
    shrinks,
    robust,
    simpler,
    trade_off,
    noisy,
    many_features,
    spreads_alike,
    selects,
    irrelevant_pays,
    underfits,
    sweet_spot,
)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts."""
    return tuple(claim(arrays) for claim in CLAIMS)


def cases(arrays: Arrays) -> list[tuple[int, int]]:
    """Returns all pairs of model and noise."""
    return [(m, q) for m in range(len(MODELS)) for q in range(len(arrays["noise"]))]


def best(arrays: Arrays, model: int, noise: int) -> int:
    """Returns the place of the λ with the lowest mean risk."""
    return int(arrays["risk"][model, noise].mean(axis=0).argmin())


def _case(arrays: Arrays, model: int, noise: int) -> str:
    return f"{MODELS[model]}, noise {arrays['noise'][noise]:g}"


class Spread(NamedTuple):
    """How the effective number at the best λ compares with that at λ = 0.

    Attributes:
      told: Both, in each case.
      where: The cases in which it is larger.
      ratio: Its factor in each case.
      more: Whether it is larger, in each case.
    """

    told: str
    where: str
    ratio: list[float]
    more: list[bool]


def _spread(arrays: Arrays, name: str) -> Spread:
    told, ratio, more = [], [], []
    for m, q in cases(arrays):
        before, after = (np.log(arrays[name][m, q][:, place].astype(float))
                         for place in (0, best(arrays, m, q)))  # fmt: skip
        told.append(
            f"{_case(arrays, m, q)}: {np.exp(before.mean()):.3g} to {np.exp(after.mean()):.3g}"
        )
        gap = difference(after, before)
        ratio.append(float(np.exp(gap.mean)))
        more.append(gap.above)
    names = [_case(arrays, m, q) for (m, q), larger in zip(cases(arrays), more, strict=True)
             if larger]  # fmt: skip
    where = f"with {'; '.join(names)}" if names else "in no case"
    return Spread("; ".join(told), where, ratio, more)


def _missed(arrays: Arrays, inner: list[bool], chosen: list[float]) -> str:
    """Where the best λ is at an end, or not the chosen one."""
    names = [_case(arrays, m, q) for m, q in cases(arrays)]
    ends = [name for name, found in zip(names, inner, strict=True) if not found]
    far = [f"{name} ({c:.2f} times the lowest risk)"
           for name, c in zip(names, chosen, strict=True) if c > CHOSEN]  # fmt: skip
    told = [f"No λ between the ends is better than both with {'; '.join(ends)}."] if ends else []
    if far:
        told.append(
            f"The choice misses with {'; '.join(far)}: likely its few held-out examples are as "
            "noisy as the training set."
        )
    return " ".join(told)


def _gain(arrays: Arrays, model: int, noise: int) -> Difference:
    risk = arrays["risk"][model, noise]
    return _share(risk[:, 0], risk[:, best(arrays, model, noise)])


def _share(before: np.ndarray, after: np.ndarray) -> Difference:
    """By what share of the mean before the mean is lower."""
    gap = difference(before, after)
    scale = float(np.mean(before))
    return Difference(gap.mean / scale, gap.error / scale)


def _ordered(values: np.ndarray, left_out: np.ndarray | None = None) -> float:
    """Share of the pairs that are not in descending order, beyond their error if it is known.

    Left out are the values (sets, λ) without one set after the other.
    """
    rows, columns = np.triu_indices(len(values), 1)
    rise = values[columns] - values[rows]
    if left_out is None:
        return float(np.mean(rise >= 0))
    spread = np.var(left_out[:, columns] - left_out[:, rows], axis=0)
    return float(np.mean(rise >= -ERRORS * np.sqrt((len(left_out) - 1) * spread)))

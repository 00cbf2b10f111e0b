"""What is claimed of a rate that changes within the first regime: lowered it stays, raised moves.

The rules were written after pilots with seeds from 100 on, and before the run that counts; but for
`arrives`, which is new since the record was known.
"""

from typing import NamedTuple

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import (
    CONVERGENT,
    SURE,
    by_rate,
    final_loss,
    gain,
    listed,
    regime_of_rates,
    regimes,
    relative_sharpness,
    sharpness,
    table,
    typical,
)
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

BARRIER = 0.05
"""Largest rise of the loss on the line between weights of one minimum, over ln(classes)."""
SAME = 1.5
"""Largest factor between the relative sharpnesses of two weights of one minimum, and between the
sharpnesses of minima that are alike."""


def lowered(arrays: Arrays) -> Verdict:
    """A rate that is lowered within the first regime leaves the run in its minimum."""
    chosen = (regimes(arrays) == CONVERGENT) & (arrays["rate"] > arrays["drop_rate"])
    barrier, factor = _moved(arrays, "own", "drop", chosen)
    share = float(np.mean((barrier <= BARRIER) & (factor <= SAME))) if barrier.size else 0.0
    return verdict(
        "R7",
        "A rate that is lowered within the first regime leaves the run in its minimum.",
        predicted="no barrier on the line between the weights before and after, equal sharpness",
        measured=(
            f"so in {share:.0%} of {barrier.size} runs: highest barrier "
            f"{np.max(barrier, initial=0):.2g} ln(classes), sharpness over loss changed by a "
            f"factor of {np.max(factor, initial=1):.2f} at most"
        ),
        outcome=graded(share >= 0.9, share >= 0.5),
        because="The run goes on down, and sharpness over loss changes on the way.",
        numbers={"share": share, "barrier": np.max(barrier, initial=0)},
    )


def raised(arrays: Arrays) -> Verdict:
    """A rate that is raised within the first regime makes the run leave its minimum."""
    chosen = arrays["rate"] < arrays["drop_rate"] / 2
    barrier, factor = _moved(arrays, "drop", "back", chosen)
    share = float(np.mean(barrier > BARRIER)) if barrier.size else 0.0
    before = arrays["drop_sharpness"][chosen, -1] * float(arrays["drop_rate"]) / 2
    unstable = float(np.mean(before > 1)) if before.size else 0.0
    highest = np.max(regime_of_rates(arrays)[CONVERGENT], initial=0)
    return verdict(
        "R8",
        "A rate that is raised within the first regime makes the run leave its minimum.",
        predicted="a barrier on the line between the weights before and after",
        measured=(
            f"a barrier above {BARRIER:g} ln(classes) in {share:.0%} of {barrier.size} runs, "
            f"highest {np.max(barrier, initial=0):.2g}; h η_e/2 of the minima at the new rate is "
            f"at most {np.max(before, initial=0):.2g}; sharpness over loss changed by a "
            f"factor of {np.median(factor) if factor.size else np.nan:.2f} (median); raised to "
            f"{float(arrays['drop_rate']):.2g}, where rates converge up to {highest:.2g}"
        ),
        outcome=graded(share >= 0.9, share >= 0.5),
        because=(
            f"{1 - unstable:.0%} of the minima were flatter than 2/η_e of the new rate, and so "
            "stable at it; a rate nearer to the highest convergent one would be a harder test. "
            "Likely the Hessian of the cross-entropy had shrunk with the loss."
        ),
        numbers={"share": share, "unstable": unstable},
    )


class Way(NamedTuple):
    """A quantity of runs of which the rate is raised, by their first rate.

    Attributes:
      before: (rates,), at the lower rate.
      after: (rates,), at the higher one.
      there: (1,), of runs that had the higher rate from the start.
    """

    before: np.ndarray
    after: np.ndarray
    there: np.ndarray

    def factor(self) -> np.ndarray:
        """The factor, at least 1, by which it differs from the higher rate's."""
        return np.exp(np.abs(np.log(self.after / self.there)))

    def nearer(self) -> np.ndarray:
        """Whether it came at least half of its way, as a factor."""
        return self.factor() ** 2 <= self._replace(after=self.before).factor()

    def words(self, form: str = ".3g") -> str:
        """What it came from, what to, and what it would have to come to."""
        before, after, there = (listed(values, form) for values in self)
        return f"{before} → {after} (at the higher rate {there})"


def arrives(arrays: Arrays) -> Verdict:
    """A rate that is raised within the first regime leads to a minimum like the higher rate's.

    Compared with the runs that had the higher rate from the start, after as many steps. Alike are a
    sharpness, and one over loss, within a factor (`SAME`), and a test error that is not higher by
    more than `SURE` standard errors. In part: each of the three came at least half of its way, at
    every rate. The rule is new since the record was known: `raised` asks whether a run leaves its
    minimum, and nothing asked where it arrives.
    """
    low, like = _raised_rates(arrays)
    relative, plain, loss = (
        Way(*(typical(arrays, of(arrays, stage), rates) for stage, rates in _stages(low, like)))
        for of in (relative_sharpness, sharpness, final_loss)
    )
    errors = Way(
        *(by_rate(arrays, arrays[f"{s}_test_error"], r).mean for s, r in _stages(low, like))
    )
    no_worse = _no_worse(arrays, low, like)
    alike = np.array([relative.factor() <= SAME, plain.factor() <= SAME, no_worse])
    nearer = np.array([way.nearer() for way in (relative, plain, errors)])
    counts = alike.sum(axis=1)
    return verdict(
        "R8",
        "A rate that is raised within the first regime leads to a minimum like the higher rate's.",
        predicted="the sharpness, also over loss, and the test error of runs at the higher rate",
        measured=(
            f"sharpness over loss {relative.words()}, alike at {counts[0]} of {len(low)} rates; "
            f"sharpness {plain.words()}, alike at {counts[1]}; test error {errors.words('.1%')}, "
            f"no worse at {counts[2]}"
        ),
        outcome=graded(len(low) and alike.all(), len(low) and nearer.all()),
        because=_unlike(plain, loss, low[~no_worse]),
        numbers={
            "relative": counts[0],
            "plain": counts[1],
            "error": counts[2],
            "nearer": np.mean(nearer) if nearer.size else 0.0,
        },
    )


def _unlike(plain: Way, loss: Way, worse: np.ndarray) -> str:
    """What differs from the runs that had the higher rate from the start."""
    factor, less = (np.max(way.after / way.there, initial=0) for way in (plain, loss))
    return (
        f"The sharpness itself is up to {factor:.2g} times that of the higher rate, and the loss "
        f"of all images up to {less:.2g} times: raised runs had fewer steps at that rate. "
        f"Rates from which the test error is higher by more than {SURE:g} standard errors: "
        f"{listed(worse)}."
    )


def _raised_rates(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """The rates that are raised, and (1,) the rate nearest to what they are raised to."""
    rates, higher = np.unique(arrays["rate"]), float(arrays["drop_rate"])
    return rates[rates < higher / 2], rates[[np.argmin(np.abs(np.log(rates / higher)))]]


def _stages(low: np.ndarray, like: np.ndarray) -> tuple[tuple[str, np.ndarray], ...]:
    """Before, after, and what it is compared with."""
    return ("drop", low), ("back", low), ("back", like)


def _no_worse(arrays: Arrays, low: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Whether the test error is that of the higher rate, for each rate that is raised."""
    errors = arrays["back_test_error"]
    excess = [gain(table(arrays, errors, np.append(rate, like))) for rate in low]
    return np.array([worse <= SURE * scatter < np.inf for worse, scatter in excess], bool)


def _moved(
    arrays: Arrays, before: str, after: str, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Barrier over ln(classes), and factor between the relative sharpnesses, of two stages."""
    barrier = arrays[f"{after}_barrier"] / np.log(float(arrays["classes"]))
    ratio = relative_sharpness(arrays, after) / relative_sharpness(arrays, before)
    return barrier[chosen], np.exp(np.abs(np.log(ratio)))[chosen]

"""What is claimed of the second regime: a level of the loss, and good places to start from.

The rules were written after pilots with seeds from 100 on, and before the run that counts; but for
`flat_start`, which asked only for sharpness over loss until the record was known.
"""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import (
    CHAOTIC,
    CONVERGENT,
    DIVERGENT,
    DRIFT,
    REGIMES,
    SURE,
    by_rate,
    ends,
    final_loss,
    gain,
    half,
    listed,
    quarter,
    regime_of_rates,
    regimes,
    relative_sharpness,
    sharpness,
    stability,
    table,
    typical,
)
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Outcome, Verdict

RETURN = 0.2
"""Largest relative difference of the levels before and after a visit to a minimum; half of it for
the median over rates."""
EDGE = 2.0
"""Sharpness is near 2/η_e if it is within this factor of it."""
FITTED = 0.1
"""A loss below this share of that of guessing counts as that of a minimum."""

BEST = "Lowering the rate from the low end of the second regime gives the lowest test error."
FLAT = "Minima reached from the low end of the second regime are flatter than those of the first."


def level(arrays: Arrays) -> Verdict:
    """In the second regime the loss stays at a level that grows with the rate."""
    rates = regime_of_rates(arrays)[CHAOTIC]
    chosen = np.isin(arrays["rate"], rates)
    third, last = (quarter(arrays["own_loss"], n) for n in (2, 3))
    drift = np.abs(by_rate(arrays, last, rates).mean / by_rate(arrays, third, rates).mean - 1)
    levels = by_rate(arrays, last, rates).mean
    rises = len(rates) > 1 and bool(np.all(np.diff(levels) > 0))
    largest = drift.max() if drift.size else np.inf
    single = np.abs(last[chosen] / third[chosen] - 1)
    beyond = np.unique(arrays["rate"][chosen][single > DRIFT])
    return verdict(
        "R9",
        "In the second regime the loss stays at a level that grows with the rate.",
        predicted="no drift in the second half of the run; level rising with η_e",
        measured=(
            f"{chosen.sum()} runs at {len(rates)} rates: level from {ends(levels)}, "
            f"{'rising' if rises else 'not rising'} from rate to rate; largest drift from the "
            f"third to the last quarter {largest:.1%} (mean over seeds; the rule allows "
            f"{DRIFT:.0%}), of a single run {np.max(single, initial=0):.1%}; "
            f"{np.sum(single > DRIFT)} runs drift by more, at η_e = {listed(beyond)}"
        ),
        outcome=graded(rises and largest <= DRIFT, rises or largest <= DRIFT),
        because=f"Not at rest, or not rising: the levels are {listed(levels)}.",
        numbers={"drift": min(largest, 1e9), "rates": len(rates)},
    )


def returns(arrays: Arrays) -> Verdict:
    """From a minimum, a rate of the second regime leads back to the level that it had."""
    rates = regime_of_rates(arrays)[CHAOTIC]
    before = by_rate(arrays, half(arrays["own_loss"]), rates).mean
    after = by_rate(arrays, half(arrays["back_loss"]), rates).mean
    visited = by_rate(arrays, quarter(arrays["drop_loss"], 3), rates).mean
    off = np.abs(after / before - 1)
    largest, median = (off.max(), np.median(off)) if off.size else (np.inf, np.inf)
    lowest = (visited / before).max() if off.size else np.inf
    return verdict(
        "R10",
        "The level of the second regime is the same from scratch and from a minimum.",
        predicted="equal levels before the rate was lowered and after it was raised again",
        measured=(
            f"levels differ by at most {largest:.1%} (median {median:.1%}) at {len(rates)} rates; "
            f"in between the loss was at most {lowest:.2g} of the level"
        ),
        outcome=graded(largest <= RETURN, median <= RETURN / 2),
        because="Likely the stage is too short for the level to be reached again (--return-steps).",
        numbers={"largest": min(largest, 1e9), "median": min(median, 1e9)},
    )


def at_edge(arrays: Arrays) -> Verdict:
    """In the second regime sharpness is near 2/η_e."""
    rates = regime_of_rates(arrays)[CHAOTIC]
    near, along = (
        by_rate(arrays, np.median(stability(arrays, name), axis=1), rates).mean
        for name in ("sharpness", "batch_sharpness")
    )
    inside, held = ((v >= 1 / EDGE) & (v <= EDGE) for v in (near, along))
    share = float(inside.mean()) if inside.size else 0.0
    return verdict(
        "R11",
        "In the second regime the sharpness is near 2/η_e.",
        predicted=f"h η_e/2 within a factor of {EDGE:g} of 1",
        measured=(
            f"h η_e/2 at the chaotic rates, from low to high, {listed(near)}: within the factor at "
            f"{share:.0%} of them; the curvature of a batch along its own gradient, times η_e/2: "
            f"{listed(along)}"
        ),
        outcome=graded(share == 1, share >= 0.5),
        because=(
            f"It leaves the factor at η_e = {listed(rates[~inside])}. Nor is it the batch that is "
            f"held at 2/η_e: the curvature along its own gradient is within the factor at "
            f"{held.sum()} of {len(rates)} rates. What holds these runs was not measured."
        ),
        numbers={"share": share, "batch": held.sum(), "rates": len(rates)},
    )


def learns_anew(arrays: Arrays) -> Verdict:
    """From the second regime a lowered rate leads to a minimum."""
    chosen = regimes(arrays) == CHAOTIC
    loss = quarter(arrays["drop_loss"], 3)[chosen] / np.log(float(arrays["classes"]))
    limit = FITTED
    share = float(np.mean(loss <= limit)) if loss.size else 0.0
    return verdict(
        "R12",
        "From the second regime a rate that is lowered leads to a minimum.",
        predicted=f"a training loss below {FITTED:g} of that of guessing",
        measured=(
            f"{share:.0%} of {loss.size} runs; their loss over that of guessing is from "
            f"{ends(np.sort(loss))}"
        ),
        outcome=graded(share == 1, share >= 0.5),
        because="Likely the second stage is too short (--drop-steps).",
        numbers={"share": share},
    )


def best_start(arrays: Arrays) -> Verdict:
    """The best minima are reached by lowering the rate from the low end of the second regime."""
    of = regime_of_rates(arrays)
    errors = {k: by_rate(arrays, arrays["drop_test_error"], of[k]).mean for k in REGIMES}
    low = of[CHAOTIC][: max(1, len(of[CHAOTIC]) // 2)]
    if not len(low) or not len(of[CONVERGENT]):
        return _no_start(BEST)
    best = of[CONVERGENT][np.argmin(errors[CONVERGENT])]
    start = low[np.argmin(by_rate(arrays, arrays["drop_test_error"], low).mean)]
    won, error = gain(table(arrays, arrays["drop_test_error"], np.array([best, start])))
    diverged = errors[DIVERGENT].min() if errors[DIVERGENT].size else np.inf
    loss = typical(arrays, final_loss(arrays, "drop"), np.array([best, start]))
    return verdict(
        "R12",
        BEST,
        predicted="lower than from any rate of the first regime, and of the third",
        measured=(
            f"best test error after the drop {errors[CONVERGENT].min():.1%} from the first regime "
            f"(η_e = {best:.2g}, of {len(of[CONVERGENT])} rates), {errors[CHAOTIC].min():.1%} from "
            f"the second, {diverged:.1%} from the third; the low half of the second (the best of "
            f"{len(low)} rates) wins over the first by {won:+.1%} ± {error:.1%}"
        ),
        outcome=graded(
            won >= SURE * error and errors[CHAOTIC].min() < diverged,
            won > 0 and errors[CHAOTIC].min() < diverged,
        ),
        because=(
            f"The second regime wins by {won:+.1%} ± {error:.1%} over the first, and by "
            f"{diverged - errors[CHAOTIC].min():+.1%} over the third. After the drop the loss of "
            f"all images is {loss[1]:.2g} from η_e = {start:.2g}, and {loss[0]:.2g} from η_e = "
            f"{best:.2g}; whether more steps would change the order was not measured."
        ),
        numbers={"gain": won, "error": min(error, 1.0), "diverged": min(diverged, 1.0)},
    )


def flat_start(arrays: Arrays) -> Verdict:
    """Minima reached from the low end of the second regime are flatter than those of the first.

    By the sharpness and by that over loss, as in `first_regime.flatter`. Only the latter was asked
    for until the record was known, in which the two disagree.
    """
    of = regime_of_rates(arrays)
    low = of[CHAOTIC][: max(1, len(of[CHAOTIC]) // 2)]
    if not len(low) or not len(of[CONVERGENT]):
        return _no_start(FLAT)
    relative, plain, loss = (
        [typical(arrays, values(arrays, "drop"), rates) for rates in (low, of[CONVERGENT])]
        for values in (relative_sharpness, sharpness, final_loss)
    )
    (other, least), (sharp, flattest) = ([v.min() for v in both] for both in (relative, plain))
    middle = np.median(relative[1])
    return verdict(
        "R12",
        FLAT,
        predicted="lower sharpness after the drop, also over loss",
        measured=(
            f"sharpness over loss {other:.3g} from the low half of the second regime; from the "
            f"first {least:.3g} at the best rate, {middle:.3g} at the median one. Sharpness "
            f"{sharp:.3g} from the second, {flattest:.3g} from the first at its best rate"
        ),
        outcome=graded(other <= least and sharp <= flattest, other <= middle),
        because=(
            f"The lowest sharpness from the second is {sharp / flattest:.2g} times that from the "
            f"first, the lowest over loss {other / least:.2g} times. The minima are not equally "
            f"deep: the loss of all images is {ends(loss[0], '.2g')} from the second, and down to "
            f"{loss[1].min():.2g} from the first."
        ),
        numbers={
            "second": other,
            "first": least,
            "typical": middle,
            "plain_second": sharp,
            "plain_first": flattest,
        },
    )


def _no_start(claim: str) -> Verdict:
    return verdict(
        "R12",
        claim,
        predicted="something to compare with the first regime",
        measured="no rate at which all seeds are chaotic, or none at which all converge",
        outcome=Outcome.FAILS,
        because="There is nothing to compare.",
        numbers={},
    )

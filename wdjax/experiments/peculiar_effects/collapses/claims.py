"""The claims of `addition-collapses`; the constants, and those of `blow_up`, are its rules.

Rules that were changed when their record was known: `fluctuations` did not ask whether they are
periodic, `as_published` not for the step of the first, `converged` for no upper bound, and `cycle`
not whether the norm comes back. For that of the variances see `blow_up`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects import adding, events
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
from wdjax.experiments.peculiar_effects.collapses.run import PUBLISHED_STEPS
from wdjax.experiments.peculiar_effects.curve.claims import fitted
from wdjax.experiments.peculiar_effects.judging import because, spread
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

PUBLISHED_COUNT = 11  # collapses in 40,000 steps with ε = 1e-5
PUBLISHED_FIRST = 14_000  # step of the first deep one
WINDOW = 25  # epochs that say what loss and accuracy were before
LEVEL = 0.5  # test accuracy that can collapse
JUMP, BACK = 10.0, 2.0  # an epoch's largest loss over that median: a jump, and its end
SEVERAL = 3  # collapses in a run that count as fluctuations
SHALLOW = 0.999  # train accuracy of an epoch that counts as (nearly) converged
FACTOR = 2.0  # within which the number of collapses has to be the published one
SOON = 1.5  # factor between the first collapse and its published step, or the fit
MAKES_UP = 0.5  # rise of log ‖w‖ in a jump over its fall until the next, for a cycle that repeats


def small(arrays: Arrays) -> np.ndarray:
    """Returns the runs with the smaller ε."""
    return np.flatnonzero(arrays["epsilon"] == arrays["epsilon"].min())


def large(arrays: Arrays) -> np.ndarray:
    """Returns the runs with the larger ε."""
    return np.flatnonzero(arrays["epsilon"] == arrays["epsilon"].max())


def collapses(arrays: Arrays, run: Any) -> np.ndarray:
    """Returns the epochs, from 0, in which the test accuracy of a run collapses."""
    return events.collapses(arrays["test_accuracy"][run], window=WINDOW, level=LEVEL)


def jumps(arrays: Arrays, run: Any) -> np.ndarray:
    """Returns the epochs, from 0, in which the training loss of a run jumps after its fit."""
    found = events.jumps(arrays["loss_peak"][run], window=WINDOW, factor=JUMP, back=BACK)
    first = fitted(arrays)[run]
    return found[found >= first] if first >= 0 else found[:0]


def counts(arrays: Arrays, runs: np.ndarray) -> np.ndarray:
    """Returns the numbers of collapses of some runs."""
    return np.array([len(collapses(arrays, run)) for run in runs])


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claims; the rules are the constants of this module."""
    return tuple(
        judge(arrays)
        for judge in (
            fluctuations,
            as_published,
            converged,
            blown_up,
            cycle,
            recovers,
            remedy,
        )
    )


def fluctuations(arrays: Arrays) -> Verdict:
    """With the small ε accuracy collapses again and again, periodically."""
    found = counts(arrays, small(arrays))
    gaps = [np.diff(arrays["step"][collapses(arrays, run)]) for run in small(arrays)]
    steps, share = np.concatenate(gaps), regular(gaps)
    apart = f"{_steps(steps)} steps apart, {share:.0%} near the median of their run"
    return verdict(
        "fluctuations",
        "With batch norm (ε = 1e-5) and weight decay, accuracy fluctuates periodically: it "
        "collapses again and again, at regular intervals.",
        f"{SEVERAL} collapses of the test accuracy in every run, at least; {MOSTLY:.0%} of the "
        f"intervals within {REGULAR:.0%} of the median of their run",
        f"{spread(found, 'd')} collapses per run, {apart}",
        graded(found.min() >= SEVERAL and share >= MOSTLY, found.max() >= SEVERAL),
        because(
            (found.min() < SEVERAL, "Not every run collapses so often."),
            (share < MOSTLY, irregular(gaps)),
        ),
        least=found.min(),
        most=found.max(),
        regular=share,
    )


def as_published(arrays: Arrays) -> Verdict:
    """About 11 collapses, from step 14,000 on."""
    found = counts(arrays, small(arrays)).mean() * PUBLISHED_STEPS / arrays["step"][-1]
    first = [collapses(arrays, run)[:1] for run in small(arrays)]
    steps = arrays["step"][np.concatenate(first).astype(int)]
    many = PUBLISHED_COUNT / FACTOR <= found <= PUBLISHED_COUNT * FACTOR
    near = np.abs(np.log(steps / PUBLISHED_FIRST)) <= np.log(SOON)
    begin = steps.size == len(first) and near.all()
    return verdict(
        "fluctuations",
        "The published plot for ε = 1e-5: about 11 collapses in 40,000 steps, the first deep one "
        "near 14,000.",
        f"a mean of {PUBLISHED_COUNT} in so many steps, within {FACTOR:g}×; the first within "
        f"{SOON:g}× of step {PUBLISHED_FIRST:,} in every run",
        f"{found:.1f}, the first at step {_steps(steps)}",
        graded(many and begin, found >= 1),
        because(
            (
                not many,
                "Likely the number depends on the seed, on where a collapse is taken to begin, and "
                "on arithmetic: which jumps of the loss reach the test accuracy.",
            ),
            (not begin, "The first comes at another time."),
        ),
        count=found,
        first=np.median(steps) if steps.size else 0,
    )


def _steps(values: Any, form: str = ",.0f") -> str:
    """The spread of some numbers, of which there may be none."""
    return spread(np.asarray(values), form) if len(values) else "none"


def converged(arrays: Arrays) -> Verdict:
    """They begin when the network has nearly converged."""
    runs = [run for run in small(arrays) if _first_jump(arrays, run) >= 0]
    before = np.array([_accuracy_before(arrays, run) for run in runs])
    share = float(np.mean(before >= SHALLOW)) if runs else 0.0
    falls = [run for run in runs if fitted(arrays)[run] >= 0 and len(collapses(arrays, run))]
    first = {run: collapses(arrays, run)[0] for run in falls}
    fit = arrays["step"][fitted(arrays)[falls]]
    fall = arrays["step"][np.array(list(first.values()), int)]
    every, soon = len(falls) == len(small(arrays)), bool(np.all(fall <= SOON * fit))
    jump = arrays["step"][[_first_jump(arrays, run) for run in runs]]
    reached = [np.median(arrays["test_accuracy"][r, at - WINDOW : at]) for r, at in first.items()]
    return verdict(
        "near-convergence",
        "The fluctuations come in when the network is about to converge.",
        f"before the first jump of the loss, a median train accuracy of {SHALLOW} or more over "
        f"{WINDOW} epochs, in every run with the small ε; and the first collapse of the test "
        f"accuracy no later than {SOON:g} times the step of the fit",
        f"fitted at step {_steps(fit)}; first jump of the loss at {_steps(jump)}, train accuracy "
        f"before {_steps(before, '.4f')}; first collapse of the test accuracy at {_steps(fall)}, "
        f"where it was {_steps(reached, '.2f')}",
        graded(share == 1 and every and soon, share >= 0.5),
        because(
            (not runs, "The loss does not jump."),
            (runs and share < 1, "The loss jumps before the training data are fitted."),
            (
                not soon,
                "The collapses of the test accuracy, which the article shows, come only after "
                f"{_steps(fall / fit, '.1f')} times the steps to the fit.",
            ),
            (runs and not every, "Not every test accuracy collapses."),
        ),
        share=share,
        late=np.max(fall / fit) if falls else 0,
    )


def _first_jump(arrays: Arrays, run: Any) -> int:
    """The first jump of all, whether the data are fitted by then or not; −1 for none."""
    found = events.jumps(arrays["loss_peak"][run], window=WINDOW, factor=JUMP, back=BACK)
    return int(found[0]) if found.size else -1


def _accuracy_before(arrays: Arrays, run: Any) -> float:
    at = _first_jump(arrays, run)
    return float(np.median(arrays["train_accuracy"][run, max(at - WINDOW, 0) : at]))


def risen(arrays: Arrays, name: str) -> float:
    """Median of an array at the jumps over its median between them, over the runs with small ε."""
    at_jumps, between = [], []
    for run in small(arrays):
        found, first = jumps(arrays, run), fitted(arrays)[run]
        if first < 0:
            continue
        calm = events.quiet(arrays["step"].size, found, first, MARGIN)
        at_jumps.append(arrays[name][run, found])
        between.append(arrays[name][run, calm])
    if not at_jumps or not np.concatenate(at_jumps).size or not np.concatenate(between).size:
        return float("nan")
    return float(np.median(np.concatenate(at_jumps)) / np.median(np.concatenate(between)))


def blown_up(arrays: Arrays) -> Verdict:
    """The article's mechanism: the outputs of batch norm blow up."""
    training, evaluated, gradient = (
        risen(arrays, name) for name in ("train_normalised", "test_normalised", "gradient_norm")
    )
    runs = small(arrays)
    largest = arrays["train_normalised"][runs].max()
    bound = np.sqrt(adding.BATCH - 1)
    return variance_near_zero(
        _courses(arrays),
        arrays["epsilon"].min(),
        (training, evaluated),
        f"{training:.2f} times in training (largest of all: {largest:.1f}, where √(B−1) = "
        f"{bound:.1f} is possible), {evaluated:.2f} times at evaluation, with running averages; "
        f"the norm of the gradient {gradient:.0f} times; {_first_variances(arrays)}",
        "What grows is the gradient. " * (gradient >= BLOWN_UP)
        + "The curvature is not measured here, but in `batch-norm-instability`.",
    )


def _courses(arrays: Arrays) -> list[Course]:
    return [(arrays["variance"][run], jumps(arrays, run)) for run in small(arrays)]


def _first_variances(arrays: Arrays) -> str:
    """How small the variance is where the loss first jumps, and the accuracy first collapses."""
    texts = []
    for name, find in (("jump of the loss", jumps), ("collapse", collapses)):
        found = [(run, find(arrays, run)[:1]) for run in small(arrays)]
        values = [arrays["variance"][run, at] / arrays["epsilon"].min() for run, at in found]
        if np.concatenate(values).size:
            texts.append(f"{spread(np.concatenate(values), '.2g')} ε at the first {name}")
    return "smallest variance " + (", ".join(texts) or "at no jump")


def recovers(arrays: Arrays) -> Verdict:
    """After a jump the variance is high again."""
    return variance_recovers(_courses(arrays), "epochs")


def cycle(arrays: Arrays) -> Verdict:
    """The jump makes the weights large, they decay again, and so it repeats."""
    rises, makes_up, falling, ends = [], [], [], []
    for run in small(arrays):
        norm, found, first = arrays["norm_sum"][run], jumps(arrays, run), fitted(arrays)[run]
        before, after = _around(norm, found)
        rises.append(np.log(after / before))
        makes_up.append(rises[-1][:-1] >= MAKES_UP * np.log(after[:-1] / before[1:]))
        ends.append(after[[0, -1]] if found.size else np.zeros((0, 2)))
        if first >= 0:
            calm = events.quiet(norm.size, found, first + 1, MARGIN)
            falling.append(np.diff(norm, prepend=norm[0])[calm] < 0)
    rise, again = np.concatenate(rises), _share(makes_up)
    up, down = _share([rise > 0]), _share(falling)
    text = f"by {spread(np.expm1(rise), '.1%')}, " if rise.size else ""
    return verdict(
        "decay-and-growth",
        "A jump makes the weights large, they decay until the next, and so it repeats.",
        f"the norm rises at {MOSTLY:.0%} of the jumps of the loss at least, falls in as many of "
        f"the epochs between, and as many jumps make up for {MAKES_UP:.0%} of the fall to the next",
        f"rises at {up:.0%} of {rise.size} jumps, {text}falls in {down:.0%} of the epochs between; "
        f"{again:.0%} of the jumps make up for so much",
        graded(min(up, down, again) >= MOSTLY, up >= 0.5 and down >= 0.5),
        because(
            (up < MOSTLY, "The norm does not rise at the jumps."),
            (down < MOSTLY, "Between the jumps the norm does not fall: gradients hold it up."),
            (
                again < MOSTLY and rise.size,
                f"The norm does not come back: it is {_ends(ends, 0)} after the first jump of a "
                f"run, and {_ends(ends, 1)} after the last.",
            ),
            (not rise.size, "There is no jump."),
        ),
        rises=up,
        falls=down,
        makes_up=again,
        jumps=rise.size,
    )


def _around(norm: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The norm right before each jump, and the largest right after it."""
    before = [norm[max(at - 1, 0)] for at in found]
    after = [norm[at : at + MARGIN + 1].max() for at in found]
    return np.array(before), np.array(after)


def _ends(ends: Sequence[np.ndarray], which: int) -> str:
    return spread(np.vstack(ends)[:, which], ".1f") if np.vstack(ends).size else ""


def _share(of: Sequence[np.ndarray]) -> float:
    """The share of all that is true; 0 of nothing."""
    values = np.concatenate([*of, np.zeros(0, bool)])
    return float(np.mean(values)) if values.size else 0.0


def remedy(arrays: Arrays) -> Verdict:
    """With a larger ε there is no collapse."""
    without, with_small = counts(arrays, large(arrays)), counts(arrays, small(arrays))
    loss = [len(jumps(arrays, run)) for run in large(arrays)]
    return verdict(
        "larger-epsilon",
        f"A larger ε ({arrays['epsilon'].max():g} for {arrays['epsilon'].min():g}) avoids the "
        "collapses.",
        "none in any run with the larger ε, some in every run with the smaller",
        f"{spread(without, 'd')} against {spread(with_small, 'd')} per run; jumps of the training "
        f"loss with the larger ε: {spread(np.array(loss), 'd')}",
        graded(without.max() == 0 and with_small.min() > 0, without.sum() < with_small.sum()),
        "ε bounds the curvature only where it is as large as the variances: this one is not "
        "enough for every run, or the small one did no harm.",
        larger=without.max(),
        smaller=with_small.min(),
    )

"""Why claims of `decay-grid` do not hold, or only in part, from what its maps hold."""

import numpy as np

from wdjax.experiments.decay_techniques.decay_grid.maps import (
    COUPLED,
    DECOUPLED,
    NETWORKS,
    Cell,
    Tilt,
    best,
    fall,
    growth,
    mean,
    named,
    nearest,
    settings,
)
from wdjax.experiments.decay_techniques.decay_grid.run import OPTIMISERS
from wdjax.experiments.experiment import Arrays

GROWS = 1.02  # growth of ‖w‖ over the second half that counts as such
MEMORISED = 0.9  # share of wrong labels that counts as memorised
SAMPLE = 1e-3, 0.01  # (η, λ) of the article's code


def not_exploded(arrays: Arrays, free: dict[str, float]) -> str:
    """Where the norms hardly grow without decay, and by how much they do elsewhere."""
    still, most = [], []
    for name, n, o in named(arrays):
        cell = best(arrays, n, o, False)
        if free[name] < GROWS:
            fitted = mean(arrays, "train", cell)
            still.append(f"{name} ({free[name]:.3f} times, {fitted:.0%} of the images fitted)")
        rates = range(arrays["learning_rate"].shape[1])
        most.append(np.nanmax([growth(arrays, cell._replace(rate=rate)) for rate in rates]))
    told = f"They hardly grow with {'; '.join(still)}. " if still else ""
    return (
        f"{told}At λ = 0 validation chooses an η with which training ends early. At the η where "
        f"they grow most it is by {min(most):.2f} to {max(most):.2f} times, and nothing explodes "
        "within these runs."
    )


def not_memorised(arrays: Arrays, free: dict[str, float], kept: dict[str, float]) -> str:
    """Where few wrong labels are learnt without decay, or many with it, by names."""
    few = []
    for name, n, _ in named(arrays):
        same = {OPTIMISERS[o]: free[other] for other, m, o in named(arrays) if m == n}
        most = max(same, key=same.__getitem__)
        if free[name] < MEMORISED:
            more = f" (the same network learns {same[most]:.0%} under {most})"
            few.append(name + (more if same[most] >= MEMORISED else ""))
    many = [name for name in free if kept[name] > free[name] / 2]
    told = [f"Less than {MEMORISED:.0%} are learnt with {'; '.join(few)}."] if few else []
    if many:
        told.append(f"The λ that validation chooses hinders little with {'; '.join(many)}.")
    return " ".join(told)


def along_rates(arrays: Arrays) -> str:
    """What Adam+L2 loses against AdamW at the article's λ, over all η."""
    found = []
    for n, name in enumerate(NETWORKS):
        cell = nearest(arrays, n, DECOUPLED, *SAMPLE)
        rates = range(arrays["learning_rate"].shape[1])
        losses = [fall(arrays, "test", right, right._replace(optimiser=COUPLED)).mean
                  for right in (cell._replace(rate=rate) for rate in rates)]  # fmt: skip
        found.append(f"{name} {100 * min(losses):+.1f} to {100 * max(losses):+.1f} points")
    return "; ".join(found)


def far_off(arrays: Arrays) -> str:
    """How far the best λ of AdamW is from that of Adam+L2, and what it leaves there."""
    told = []
    for n, name in enumerate(NETWORKS):
        right, own = best(arrays, n, DECOUPLED, True), best(arrays, n, COUPLED, True)
        ratio = settings(arrays, right)[1] / settings(arrays, own)[1]
        left = mean(arrays, "test", right._replace(optimiser=COUPLED))
        told.append(f"{ratio:.3g} times its own best and leaves {left:.0%} accuracy ({name})")
    return f"To Adam+L2 the best λ of AdamW is {', and '.join(told)}."


def why_not_constant(found: Tilt) -> str:
    """What is wrong with a slope."""
    if found.known:
        return f"the slope is {found}."
    without = ", and at less than two without one of the seeds" if found.rates > 1 else ""
    return f"not known, as decay gains at {found.rates} good η only{without}."


def not_underfitted(arrays: Arrays, name: str, strong: Cell, lower: float) -> str:
    """What the largest λ did instead."""
    at_end = strong.decay == len(arrays["weight_decay"]) - 1
    return (
        f"With {name} training accuracy is lower by {lower:.2f}, at ηλ = "
        f"{np.prod(settings(arrays, strong)):.2g}{', where the axis of λ ends' if at_end else ''}."
    )

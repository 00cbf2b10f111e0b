"""What the weights of a planned run settle to, and how fast."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from wdjax import theory
from wdjax.planning.run import Run
from wdjax.planning.section import Section, number
from wdjax.theory.optimiser import Equilibrium, GradientStatistics


class Theory(NamedTuple):
    """What the theory of one optimiser is made from.

    Attributes:
      settle: A run, and a learning rate in place of its own, to the equilibrium.
      unit: What ‖w‖ is proportional to where the statistics that it needs are not known.
      needs: Those statistics.
    """

    settle: Callable[[Run, ArrayLike], Equilibrium]
    unit: str
    needs: tuple[str, ...]


THEORIES: dict[str, Theory] = {
    "sgd": Theory(
        lambda run, lr: theory.sgd(lr, run.weight_decay, run.buffer, nesterov=run.nesterov),
        "G^(1/4)",
        ("gradient_moment",),
    ),
    "sgdw": Theory(
        lambda run, lr: theory.sgdw(lr, run.weight_decay, run.buffer, nesterov=run.nesterov),
        "G^(1/4)",
        ("gradient_moment",),
    ),
    "adamw": Theory(lambda run, lr: theory.adamw(lr, run.weight_decay, run.b1), "√d", ("size",)),
    "adamc": Theory(
        lambda run, lr: theory.adamc(lr, run.weight_decay, run.b1, peak=run.lr), "√d", ("size",)
    ),
    "adam-l2": Theory(
        lambda run, lr: theory.adam_l2(
            lr,
            run.weight_decay,
            run.b1,
            gradient_moment=run.gradient_moment or 1.0,
            size=run.size or 1.0,
        ),
        "(d G)^(1/6)",
        ("gradient_moment", "size"),
    ),
    "lion": Theory(
        lambda run, lr: theory.lion(lr, run.weight_decay, run.b1, run.forgetting), "√d", ("size",)
    ),
    "sign-sgd": Theory(
        lambda run, lr: theory.sign_sgd(lr, run.weight_decay, run.buffer), "√d", ("size",)
    ),
    "muon": Theory(lambda run, lr: theory.muon(lr, run.weight_decay, run.buffer), "√r", ("rank",)),
}
"""The theory of each optimiser that a run can name."""

MUON = "for a square matrix, steps that are exactly orthogonal, and no factor for the shape"


def equilibrium(run: Run, learning_rate: ArrayLike | None = None) -> Equilibrium:
    """Returns what the run settles to at its peak, or at other learning rates."""
    return THEORIES[run.optimizer].settle(run, run.lr if learning_rate is None else learning_rate)


def statistics(run: Run) -> GradientStatistics:
    """Returns the gradient statistics that the theory needs; 1 for those that are not known."""
    needs = THEORIES[run.optimizer].needs
    known = {name: getattr(run, name) for name in needs}
    return {name: 1.0 if value is None else value for name, value in known.items()}  # pyright: ignore[reportReturnType]


def is_known(run: Run) -> bool:
    """Whether the norm itself can be said, and not only what it is proportional to."""
    return all(getattr(run, name) is not None for name in THEORIES[run.optimizer].needs)


def rates(run: Run) -> np.ndarray:
    """ρ_t: the fraction of w that decay removes in the long run at each step's learning rate."""
    settled = equilibrium(run, run.learning_rates)
    gradients = statistics(run)
    balance = settled.balance(**gradients)
    drag = np.asarray(balance.drag) * np.ones(run.steps)
    if np.all(np.asarray(balance.drag_power) == 0):
        return drag
    # The fraction goes with ‖w‖: taken at the equilibrium of the peak.
    peak = equilibrium(run).balance(**gradients)
    return drag * float(peak.squared_norm) ** float(np.asarray(peak.drag_power))


def section(run: Run) -> Section:
    """Returns the equilibrium and the ways there, at the peak of the learning rate."""
    notes = [] if is_known(run) else [_missing(run)]
    notes += [MUON] if run.optimizer == "muon" else []
    return Section(_title(run), tuple(_rows(run)), note="; ".join(notes))


def _title(run: Run) -> str:
    title = "What a weight settles to whose scale the loss does not see"
    return title if run.schedule == "constant" else f"{title} (at the peak)"


def _missing(run: Run) -> str:
    symbols = {
        "gradient_moment": "G, the mean of ‖w‖²‖g‖²: --gradient-moment",
        "size": "d, the number of entries: --size",
        "rank": "r, the smaller side: --rank",
    }
    wanted = [symbols[n] for n in THEORIES[run.optimizer].needs if getattr(run, n) is None]
    return "; ".join(wanted)


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    if run.weight_decay == 0:
        yield "norm", "grows without end: there is no decay", ""
        return
    settled, gradients = equilibrium(run), statistics(run)
    unit = "" if is_known(run) else f" {THEORIES[run.optimizer].unit}"
    norm, rate = settled.norm(**gradients), settled.effective_lr(**gradients)
    yield "norm ‖w‖", f"{number(float(norm))}{unit}", ""
    if is_known(run):
        yield "effective learning rate", number(float(rate)), _effective(run)
    if run.optimizer != "adam-l2" or is_known(run):
        yield from _times(run, settled, gradients)


def _times(
    run: Run, settled: Equilibrium, gradients: GradientStatistics
) -> Iterator[tuple[str, ...]]:
    angle = float(settled.angle)
    relaxation = float(settled.balance(**gradients).relaxation_steps)
    longer = f"the run is {number(run.steps / relaxation, 3)} times as long"
    yield "angle per step", f"{number(angle)} rad", f"{number(float(np.degrees(angle)), 3)}°"
    yield "relaxation", f"{number(relaxation)} steps", longer
    yield "direction forgotten in", f"{number(float(settled.memory_steps))} steps", ""


def _effective(run: Run) -> str:
    return "η/‖w‖²" if run.optimizer in ("sgd", "sgdw") else "η/‖w‖"

"""How the norm goes in a planned run whose start is known."""

from collections.abc import Iterator

import numpy as np

from wdjax import theory
from wdjax.planning.run import Run
from wdjax.planning.section import Section, number
from wdjax.planning.settling import equilibrium, is_known, rates, statistics

ADAM = ("adamw", "adamc", "adam-l2")


def norms(run: Run) -> np.ndarray:
    """‖w‖ after each step, along the schedule.

    Raises:
      ValueError: The norm at the start, or what the theory needs of the gradients, is not given.
    """
    if run.norm is None or not is_known(run):
        raise ValueError("the course of ‖w‖ needs its norm at the start and what it settles to.")
    if run.optimizer in ADAM:
        coupled = run.optimizer == "adam-l2"
        # Adam's second moment lags behind ‖w‖, which the balance alone does not know.
        course = theory.adam_course(
            run.learning_rates,
            0.0 if coupled else rates(run),
            run.b1,
            run.forgetting,
            size=run.size or 1,
            norm=run.norm,
            gradient_moment=run.gradient_moment or 1,
            weight_decay=run.weight_decay if coupled else 0.0,
        )
        return np.asarray(course.norm)
    balance = equilibrium(run, run.learning_rates).balance(**statistics(run))
    return np.asarray(balance.course(run.norm))


def section(run: Run) -> Section | None:
    """Returns ‖w‖ along the run, if it is known where it starts and what it settles to."""
    if run.norm is None or not is_known(run):
        return None
    headings = ("step", "learning rate", "‖w‖")
    return Section("The norm along the run", tuple(_rows(run)), headings, _caveat(run))


def _caveat(run: Run) -> str:
    remembers = run.optimizer not in ADAM and (run.optimizer == "lion" or run.buffer > 0)
    if not remembers or norms(run)[0] > 0.5 * float(equilibrium(run).norm(**statistics(run))):
        return ""
    return (
        "from so far below the equilibrium ‖w‖ grows otherwise at first: buffers keep the large "
        "gradients of the small start, which is left out here"
    )


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    course, lr = norms(run), run.learning_rates
    for index in sorted({round(part * (run.steps - 1)) for part in np.linspace(0, 1, 11)}):
        yield number(index + 1, 9), number(float(lr[index])), number(float(course[index]))

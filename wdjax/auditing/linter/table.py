"""The table of the linter's rules. Codes are never given to another rule."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.rules import arithmetic, choice, normalisation, pace, paths


class Rule(NamedTuple):
    """One rule.

    Attributes:
      title: What it finds, in a few words.
      check: Yields the findings in a set-up.
    """

    title: str
    check: Callable[[Case], Iterator[Finding]]


RULES: dict[str, Rule] = {
    "WD101": Rule("Decay by two ways at once: L2 and decoupled", paths.double_decay),
    "WD102": Rule("L2 in the gradient of Adam and its like", paths.coupled_under_adam),
    "WD103": Rule("L2 written into the loss", paths.penalty_in_loss),
    "WD104": Rule("Decay of the wrong sign: weights grow", paths.wrong_sign),
    "WD105": Rule("Decay of which it is not known what it does", paths.unknown_decay),
    "WD106": Rule("Steps along the gradient, up the loss", paths.ascent),
    "WD201": Rule("Decay of a bias or gain of an invariant group", choice.vector_of_a_group),
    "WD202": Rule("A mask that misses or hits leaves by name", choice.split_role),
    "WD203": Rule("Biases or gains of stacked layers taken for matrices", choice.stacked_vector),
    "WD204": Rule("Frozen or unused parameters that decay", choice.frozen_decays),
    "WD205": Rule("Decay of a parameter without effect", choice.dead_decays),
    "WD206": Rule("Decay of a part of a group that scales together", choice.uneven_group),
    "WD301": Rule("A run shorter than the norms take to settle", pace.short_run),
    "WD302": Rule("Groups that turn at different speeds", pace.unequal_speeds),
    "WD303": Rule(
        "Invariant weights without decay under a constant learning rate",
        pace.undecayed_under_a_constant_rate,
    ),
    "WD304": Rule("Decay of the whole weight or more in a step", pace.overshooting),
    "WD401": Rule("Decay below the precision of the weights", arithmetic.below_precision),
    "WD402": Rule("Decay in steps on a sphere", arithmetic.decay_on_a_sphere),
    "WD501": Rule("An ε so large that the scale is seen", normalisation.large_epsilon),
    "WD502": Rule("An ε so small that decay makes steps unstable", normalisation.small_epsilon),
    "WD503": Rule("Decay under given (evaluation-mode) statistics", normalisation.given_statistics),
}
"""The rules by code. WD1: how decay reaches the weights. WD2: which weights. WD3: how fast and how
long. WD4: decay that is lost. WD5: normalisations."""

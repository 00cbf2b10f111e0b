"""Finds the faults of a training set-up, each with a stable code and what to do about it.

`RULES` is the table of codes. A warning says that the set-up most likely does not do what is
wanted, a note what is as often wanted as not. No finding depends on the name of a parameter.
"""

import optax

from wdjax.auditing.evidence import Evidence
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.penalties import Penalties, find_penalties
from wdjax.auditing.linter.table import RULES, Rule

__all__ = ["RULES", "Finding", "Penalties", "Rule", "find_penalties", "lint"]


def lint(
    evidence: Evidence, tx: optax.GradientTransformation | optax.MultiSteps | None = None
) -> tuple[Finding, ...]:
    """Returns what is wrong with a set-up, warnings first, then by code.

    Args:
      evidence: What the audit has seen.
      tx: The optimiser. Without it, WD106, WD303 and WD402 are not looked for, and WD102 only
        where the evidence holds the leaf's response.
    """
    case = Case(evidence, tx)
    found = [finding for rule in RULES.values() for finding in rule.check(case)]
    return tuple(sorted(found, key=lambda f: (f.severity != "warning", f.code)))

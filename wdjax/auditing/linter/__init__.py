"""Finds the faults of a training set-up, each with a stable code and what to do about it."""

from wdjax.auditing.evidence import Evidence
from wdjax.auditing.linter.finding import Finding

__all__ = ["Finding", "lint"]


def lint(evidence: Evidence) -> tuple[Finding, ...]:
    """Returns what is wrong with a set-up, most serious first."""
    del evidence
    return ()

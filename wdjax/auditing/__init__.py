"""What a training set-up does to its weights.

`probe(tx, params)` calls an Optax optimiser with chosen gradients and weights and says per leaf
whether it decays, how, and how fast along the schedule. `audit(loss, params, batch, tx, steps=...)`
joins that with the symmetries of the loss and with the theory: what the decay is for each group of
weights, what it settles to and when, and what is wrong.
"""

from wdjax.auditing.audit import Setup, audit
from wdjax.auditing.evidence import Evidence, GroupVerdict, Response
from wdjax.auditing.linter import Finding, lint
from wdjax.auditing.probe import probe
from wdjax.auditing.report import LeafDecay, Probe
from wdjax.auditing.result import Audit

__all__ = [
    "Audit",
    "Evidence",
    "Finding",
    "GroupVerdict",
    "LeafDecay",
    "Probe",
    "Response",
    "Setup",
    "audit",
    "lint",
    "probe",
]

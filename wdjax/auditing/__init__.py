"""What a training set-up does to its weights: `probe` asks the optimiser itself.

`probe(tx, params)` calls an Optax optimiser with chosen gradients and weights and says per leaf
whether it decays, how, and how fast along the schedule.
"""

from wdjax.auditing.probe import probe
from wdjax.auditing.report import LeafDecay, Probe

__all__ = ["LeafDecay", "Probe", "probe"]

"""The experiments: what an article claims, the runs that test it, and the verdicts."""

from wdjax.experiments.equilibrium import EQUILIBRIUM
from wdjax.experiments.experiment import Experiment
from wdjax.experiments.prediction import PREDICTION

EXPERIMENTS = {experiment.name: experiment for experiment in (EQUILIBRIUM, PREDICTION)}

__all__ = ["EXPERIMENTS", "Experiment"]

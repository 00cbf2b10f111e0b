"""Is it worth it to rescale the inputs by the weights' norm in each step, as the article sketches?

Source: How does weight decay affect input normalization? (30 January 2025), example 3 and the last
paragraphs, which give no code. Its sketch, a scale calculated from the weights before each step, is
trained beside fixed inputs, and beside the same rescaling as part of the loss, which is weight
normalisation (Salimans and Kingma 2016).

Command: `wdjax run adaptive-scaling`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.input_normalization.adaptive_scaling.claims import check
from wdjax.experiments.input_normalization.adaptive_scaling.config import QUICK, Config
from wdjax.experiments.input_normalization.adaptive_scaling.plots import plots
from wdjax.experiments.input_normalization.adaptive_scaling.runs import measure
from wdjax.experiments.input_normalization.article import KEY, SOURCE

ADAPTIVE_SCALING = Experiment(
    name="adaptive-scaling",
    article=KEY,
    summary="inputs rescaled by the norm of the weights in each step, against fixed inputs",
    source=f"{SOURCE}, example 3 and the last paragraphs",
    cost="about 20 seconds on two cores, 1.5 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["ADAPTIVE_SCALING", "Config"]

"""Does the best normalisation of the inputs depend on weight decay, and what makes up for it?

Source: How does weight decay affect input normalization? (30 January 2025), its first and last
paragraphs and the one after the update rule. Small networks learn wine (classes) and diabetes
(regression) from raw, min-max and standardised inputs and from standardised ones of other scales,
over grids of learning rate and decay, with SGD and AdamW, without a norm layer and with batch norm;
and the exact laws behind it are checked in float64 (`laws`).

Command: `wdjax run input-scale`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.input_normalization.article import KEY, SOURCE
from wdjax.experiments.input_normalization.input_scale.claims import check
from wdjax.experiments.input_normalization.input_scale.config import QUICK, Config
from wdjax.experiments.input_normalization.input_scale.plots import plots
from wdjax.experiments.input_normalization.input_scale.runs import measure

INPUT_SCALE = Experiment(
    name="input-scale",
    article=KEY,
    summary="whether the best scale of the inputs depends on weight decay, and how",
    source=f"{SOURCE}, first and last paragraphs",
    cost="about 50 seconds on two cores, 1.5 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["INPUT_SCALE", "Config"]

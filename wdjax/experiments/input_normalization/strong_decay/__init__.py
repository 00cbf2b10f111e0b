"""Does aggressive decay mute the activations of an image classifier, and slow its training down?

Source: How does weight decay affect input normalization? (30 January 2025), second and third
paragraph, which report it from practice without data or settings. Here a network with three hidden
layers learns the handwritten digits with SGD, without norm layers and with batch norms, under
decays from none to a hundred times too much. Digits are a small, easy task: the λ at which effects
set in is of this set-up; the order in which they do is what can be compared.

Command: `wdjax run strong-decay`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.input_normalization.article import KEY, SOURCE
from wdjax.experiments.input_normalization.strong_decay.claims import check
from wdjax.experiments.input_normalization.strong_decay.config import QUICK, Config
from wdjax.experiments.input_normalization.strong_decay.plots import plots
from wdjax.experiments.input_normalization.strong_decay.runs import measure

STRONG_DECAY = Experiment(
    name="strong-decay",
    article=KEY,
    summary="whether strong decay mutes the layers of a classifier, and slows it down",
    source=f"{SOURCE}, second and third paragraph",
    cost="about 20 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["STRONG_DECAY", "Config"]

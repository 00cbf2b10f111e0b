import dataclasses

import pytest

from wdjax.experiments.prediction.config import MODELS, OPTIMISERS, QUICK, Config, validate
from wdjax.experiments.prediction.optimisers import METHODS


def test_the_settings_that_are_shipped_are_valid_and_complete():
    for config in (Config(), QUICK):
        validate(config)
    assert Config().models == MODELS
    assert Config().optimisers == OPTIMISERS == tuple(METHODS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ("ResNet", "VGG")}, "models is"),
        ({"models": ()}, "models is"),
        ({"optimisers": ("SGD", "SGD")}, "each once"),
        ({"seeds": ()}, "at least one"),
        ({"seeds": (1, 1)}, "no seed twice"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": 0.5}, "rate is 0.5"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"push": 1.0}, "push is 1.0"),
        ({"settle": 90}, "multiple of the chunk"),
        ({"steps": 0}, "multiple of the chunk"),
        ({"chunk": 0}, "multiple of the chunk"),
        ({"warmup": 0}, "warmup is 0"),
        ({"warmup": 750}, "warmup is 750"),
        ({"window": 0}, "window is 0"),
        ({"window": 30}, "divisor of the chunk, 250"),
        ({"pushed": 100}, "multiple of the chunk"),
        ({"pushed": 1250}, "at most the 750 steps"),
        ({"rate": 1e-4}, "at least 10000 steps"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused_before_training(change, message):
    with pytest.raises(ValueError, match=message):
        validate(dataclasses.replace(Config(), **change))

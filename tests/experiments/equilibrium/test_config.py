from pathlib import Path

import numpy as np

from wdjax.experiments.equilibrium.config import QUICK, Config, plain_settings, runs


def test_every_setting_is_run_once_per_seed():
    hyper, seeds = runs(Config())
    assert len(seeds) == 22
    distinct = set(zip(*(values.tolist() for values in hyper), seeds.tolist(), strict=True))
    assert len(distinct) == 22
    assert np.sum(np.asarray(hyper.weight_decay) == 0) == 2
    assert np.sum(np.asarray(hyper.momentum) == 0) == 2


def test_half_of_the_steps_are_whole_chunks():
    for config in (Config(), QUICK):
        assert config.steps // 2 % config.chunk == 0


def test_the_record_holds_no_path():
    assert plain_settings(Config(data=Path("/somewhere/cifar")))["data"] == "cifar"
    assert plain_settings(Config())["data"] is None

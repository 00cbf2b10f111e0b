from pathlib import Path

import numpy as np
import pytest

from tests.experiments.toy import TOY, Config, check
from wdjax.experiments import Measurement, run_experiment
from wdjax.experiments.experiment import plain_settings
from wdjax.training import Session


def test_a_run_becomes_a_record():
    record = run_experiment(TOY, Config(data=Path("/somewhere/cifar")), note="a note")
    assert record.config == {"chunks": 3, "data": "cifar", "dataset": "none"}
    assert (record.experiment, record.source, record.summary) == ("toy", "nobody", "it counted")
    assert record.note == "a note"
    assert record.seconds > 0
    assert record.verdicts == check({"last": np.array([3.0])})
    assert "jax" in record.environment
    assert record.arrays["all"].shape == (3, 2)


def test_verdicts_are_about_the_arrays_as_they_are_kept():
    """In their order in memory too, by which sums of floats are rounded."""
    values = np.random.default_rng(0).normal(size=(50, 300)).astype(np.float32)
    seen = []

    def measure(config, session):
        return Measurement({"last": np.array([3.0]), "turned": values.T}, "it turned", {})

    toy = TOY._replace(measure=measure, check=lambda arrays: seen.append(arrays) or ())
    record = run_experiment(toy, Config())
    assert seen[0]["turned"] is record.arrays["turned"]
    assert record.arrays["turned"].flags.c_contiguous
    np.testing.assert_array_equal(record.arrays["turned"], values.T)


def test_an_interrupted_experiment_goes_on(tmp_path):
    def broken(chunks, name):
        for index in chunks:
            if index == 2:
                raise KeyboardInterrupt
            yield index

    with pytest.raises(KeyboardInterrupt):
        run_experiment(TOY, Config(), Session(tmp_path / "kept", {}, broken, seconds=0))
    seen = []

    def watched(chunks, name):
        seen.extend(chunks)
        return chunks

    session = Session(tmp_path / "kept", {}, watched, seconds=0)
    found, expected = run_experiment(TOY, Config(), session), run_experiment(TOY, Config())
    assert seen == [1, 2]
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)


def test_settings_of_a_path_show_its_last_part_only():
    assert plain_settings(Config(data=Path("/somewhere/cifar")))["data"] == "cifar"
    assert plain_settings(Config())["data"] is None

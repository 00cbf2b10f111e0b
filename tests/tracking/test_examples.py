"""The examples of the repository run, and show what they are meant to show."""

import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def float32():
    """As a user would run them."""
    with jax.enable_x64(False):
        yield


def load(name):
    spec = importlib.util.spec_from_file_location(f"examples.{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_the_angle_is_the_predicted_one(comparison, names):
    assert set(comparison.ratio) == set(names)
    for name in names:
        # The theory is of the equilibrium, and these runs are short.
        assert np.mean(comparison.ratio[name].angle) == pytest.approx(1, abs=0.2)


def test_linen(tmp_path):
    found = load("train_linen").main(tmp_path, steps=200)
    assert_the_angle_is_the_predicted_one(found, ["Dense_0/kernel", "Dense_1/kernel"])
    rows = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [49, 99, 149, 199]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["Dense_0/kernel/cosine"] < 1e-5


def test_nnx(tmp_path):
    found = load("train_nnx").main(tmp_path, steps=200)
    assert_the_angle_is_the_predicted_one(found, ["hidden/kernel"])
    assert found.measured["hidden/kernel"].norm.shape == (64,)
    rows = np.genfromtxt(tmp_path / "run.csv", delimiter=",", names=True, deletechars="")
    np.testing.assert_array_equal(rows["step"], np.arange(200))
    assert np.all(rows["hidden/kernel/norm/min"] < rows["hidden/kernel/norm/max"])


def test_equinox():
    logged = []
    found = load("train_equinox").main(lambda *call: logged.append(call), steps=400)
    assert_the_angle_is_the_predicted_one(found, ["hidden/weight"])
    assert [step for _, _, step in logged] == [90, 190, 290, 390]
    assert {tag for tag, _, _ in logged} == {"hidden/weight/angle"}


def test_no_example_hides_a_library_of_its_name():
    for path in FOLDER.glob("*.py"):
        assert importlib.util.find_spec(path.stem) is None

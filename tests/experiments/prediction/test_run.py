import jax
import numpy as np
import pytest

from wdjax.experiments import EXPERIMENTS
from wdjax.experiments.prediction.config import Config
from wdjax.experiments.prediction.problems import load_source, proven_matrices
from wdjax.experiments.prediction.run import run
from wdjax.experiments.prediction.runs import schedule
from wdjax.report import png
from wdjax.training import load_record, save_record

TINY = Config(
    models=("transformer",),
    optimisers=("heavy-ball", "AdamW"),
    rate=0.05,
    seeds=(100, 101),
    scheduled=20,
    settle=20,
    settle_transformer=30,
    steps=20,
    warmup=4,
    chunk=10,
    texts=2,
    context=8,
    width=8,
)
BRANCHES = ("q", "k", "v", "o", "up", "down")
MATRICES = [f"{name}_{block}/kernel" for block in (0, 1) for name in BRANCHES]


@pytest.fixture(scope="module")
def record():
    with jax.enable_x64(False):
        return run(TINY)


def test_the_matrices_of_all_branches_are_proven():
    with jax.enable_x64(False):
        found = proven_matrices(load_source("transformer", TINY))
        assert found["up_0/kernel"] == (8, 32)
        assert sorted(found) == sorted(MATRICES)
        assert len(proven_matrices(load_source("ResNet", TINY))) == 10


def test_a_record_holds_all_that_was_measured(record, tmp_path):
    arrays = record.arrays
    count = 2 * 2 * 12
    for name, values in arrays.items():
        assert len(values) == (20 if name in ("relaxation_time", "course_step") else count), name
        assert values.dtype.kind == "U" or np.all(np.isfinite(values)), name
    save_record(record, tmp_path)
    assert load_record(tmp_path).verdicts == record.verdicts
    assert len(record.verdicts) == 8


def test_the_rows_are_ordered_by_seed_and_group(record):
    arrays = record.arrays
    assert arrays["optimiser"].tolist() == ["heavy-ball"] * 24 + ["AdamW"] * 24
    assert arrays["seed"].tolist() == ([100] * 12 + [101] * 12) * 2
    for start in range(0, 48, 12):
        assert sorted(arrays["group"][start : start + 12]) == sorted(MATRICES)
    assert arrays["size"][arrays["group"] == "up_0/kernel"].tolist() == [8 * 32] * 4


def test_runs_with_one_seed_start_alike_and_seeds_differ(record):
    starts = record.arrays["course"][:, 0].reshape(2, 2, 12)
    np.testing.assert_allclose(starts[0], starts[1], rtol=1e-6)
    assert np.all(starts[:, 0] != starts[:, 1])
    np.testing.assert_allclose(
        record.arrays["course"][:, 0], record.arrays["predicted_course"][:, 0], rtol=1e-6
    )


def test_gradients_are_orthogonal_and_pushes_are_as_large_as_asked_for(record):
    arrays = record.arrays
    assert arrays["cosine"].max() < 1e-4
    power = np.where(arrays["optimiser"] == "AdamW", 2, 4)
    for name in ("relaxation", "relaxation_given_moment"):
        np.testing.assert_allclose(arrays[name][:, 0], TINY.push**power - 1, rtol=1e-4)


def test_predictions_are_those_of_theory(record):
    arrays = record.arrays
    rho = TINY.rate
    heavy = arrays["optimiser"] == "heavy-ball"
    # √(2ηλ/(1+μ)) with ηλ = ρ(1−μ), and relaxation 1/(4ρ) and 1/(2ρ).
    np.testing.assert_allclose(arrays["predicted_angle"][heavy], (2 * rho * 0.1 / 1.9) ** 0.5, 1e-2)
    np.testing.assert_allclose(arrays["relaxation_steps"], np.where(heavy, 5, 10), rtol=1e-5)
    square = arrays["predicted_norm"][~heavy] ** 2 / arrays["size"][~heavy]
    a, b1 = 1 - rho, 0.9
    exact = 0.01**2 * (1 + a * b1) * (1 - b1) / ((1 - a**2) * (1 - a * b1) * (1 + b1))
    np.testing.assert_allclose(square, exact, rtol=1e-4)


def test_the_schedule_warms_up_and_ends_near_zero():
    factors = schedule(TINY)
    np.testing.assert_allclose(factors[:4], [0.25, 0.5, 0.75, 1.0])
    assert np.all(np.diff(factors[4:]) < 0)
    assert 0 < factors[-1] < 0.02


def test_the_record_names_settings_data_and_environment(record):
    assert record.config["settle"] == 20
    assert len(record.config["data"]["transformer"]["sha256"]) == 64
    assert "jax" in record.environment
    assert "12 matrices proven" in record.summary


def test_every_figure_is_made_from_the_record_alone(record):
    plots = EXPERIMENTS["prediction"].plots(record)
    assert len({plot.name for plot in plots}) == len(plots) == 4
    for plot in plots:
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")

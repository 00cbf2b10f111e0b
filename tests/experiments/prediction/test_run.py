import jax
import numpy as np
import pytest

from tests.experiments.prediction.toy import MATRICES, toy_problem
from wdjax.experiments import EXPERIMENTS
from wdjax.experiments.experiment import run_experiment
from wdjax.experiments.prediction import run
from wdjax.experiments.prediction.config import Config
from wdjax.experiments.prediction.parts import FIRST_SEED, PER_SEED
from wdjax.experiments.prediction.problems import load_source, proven_matrices
from wdjax.experiments.prediction.runs import schedule
from wdjax.report import png
from wdjax.theory.gradient_memory import decoupled_angle, decoupled_norm
from wdjax.training import load_record, save_record

TINY = Config(
    models=("transformer",),
    optimisers=("heavy-ball", "AdamW", "Lion"),
    rate=0.01,
    seeds=(100, 101),
    scheduled=100,
    settle=100,
    settle_transformer=200,
    steps=200,
    pushed=100,
    window=5,
    warmup=4,
    chunk=100,
    texts=2,
    context=8,
    width=8,
)
BRANCHES = ("q", "k", "v", "o", "up", "down")
ROWS = 3 * 2 * len(MATRICES)
LENGTHS = {
    "relaxation_time": 100,
    "course_step": 50,
    **dict.fromkeys(PER_SEED, 3 * 2),
    **dict.fromkeys(FIRST_SEED, 3 * len(MATRICES)),
}


@pytest.fixture(scope="module")
def record():
    with jax.enable_x64(False), pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "load_problem", lambda name, config: toy_problem(config))
        return run_experiment(EXPERIMENTS["prediction"], TINY)


def of(record, optimiser):
    chosen = record.arrays["optimiser"] == optimiser
    return {name: v[chosen] for name, v in record.arrays.items() if name not in LENGTHS}


def test_the_matrices_of_all_branches_are_proven():
    with jax.enable_x64(False):
        found = proven_matrices(load_source("transformer", TINY))
        assert found["up_0/kernel"] == (8, 32)
        assert set(found) == {f"{name}_{block}/kernel" for block in (0, 1) for name in BRANCHES}
        assert len(proven_matrices(load_source("ResNet", TINY))) == 10


def test_a_record_holds_all_that_was_measured(record, tmp_path):
    for name, values in record.arrays.items():
        assert len(values) == LENGTHS.get(name, ROWS), name
        assert values.dtype.kind == "U" or np.all(np.isfinite(values)), name
    save_record(record, tmp_path)
    assert load_record(tmp_path).verdicts == record.verdicts
    assert len(record.verdicts) == 12


def test_the_rows_are_ordered_by_optimiser_seed_and_group(record):
    arrays = record.arrays
    assert arrays["optimiser"].tolist() == ["heavy-ball"] * 4 + ["AdamW"] * 4 + ["Lion"] * 4
    assert arrays["seed"].tolist() == [100, 100, 101, 101] * 3
    assert arrays["group"].tolist() == list(MATRICES) * 6
    assert arrays["size"].tolist() == [6 * 8, 8 * 4] * 6


def test_a_course_starts_where_the_run_starts(record):
    starts = record.arrays["course"][:, 0].reshape(3, 2)
    np.testing.assert_allclose(starts[0], starts[1], rtol=1e-6)
    with jax.enable_x64(False):
        expected = toy_problem(TINY).start.params["a"]["kernel"][0]
    assert starts[0, 0] == pytest.approx(np.linalg.norm(expected), rel=1e-6)
    predicted = record.arrays["predicted_course"]
    np.testing.assert_allclose(record.arrays["course"][:, 0], predicted[:, 0], rtol=1e-6)


def test_gradients_are_orthogonal_and_pushes_are_as_large_as_asked_for(record):
    assert record.arrays["cosine"].max() < 1e-4
    assert np.abs(of(record, "heavy-ball")["alignment"]).max() < 1e-4
    assert np.abs(of(record, "AdamW")["alignment"]).max() > 1e-4
    power = np.array([4, 4, 2, 2, 2, 2])
    for name in ("relaxation", "predicted_relaxation"):
        np.testing.assert_allclose(record.arrays[name][:, 0], TINY.push**power - 1, rtol=1e-4)


def test_plain_predictions_are_those_of_theory(record):
    rho = TINY.rate
    # √(2ηλ/(1+μ)) with ηλ = ρ(1−μ), and relaxation 1/(4ρ) and 1/(2ρ).
    np.testing.assert_allclose(
        of(record, "heavy-ball")["plain_angle"], (2 * rho * 0.1 / 1.9) ** 0.5, 1e-2
    )
    np.testing.assert_allclose(record.arrays["relaxation_steps"], [25] * 2 + [50] * 4, rtol=1e-5)
    rows = of(record, "AdamW")
    a, b1 = 1 - rho, 0.9
    exact = 0.01**2 * (1 + a * b1) * (1 - b1) / ((1 - a**2) * (1 - a * b1) * (1 + b1))
    np.testing.assert_allclose(rows["plain_norm"] ** 2 / rows["size"], exact, rtol=1e-4)


def test_predictions_are_given_what_was_measured(record):
    heavy, adam, lion = (of(record, name) for name in ("heavy-ball", "AdamW", "Lion"))
    factor = (heavy["equilibrium_norm"] / heavy["plain_norm"]) ** 4
    np.testing.assert_allclose(factor, 1 + 1.8 * heavy["memory"], rtol=1e-4)
    np.testing.assert_array_equal(heavy["equilibrium_angle"], heavy["plain_angle"])
    given = {name: adam[name] for name in ("memory", "alignment")}
    for name, formula in (("norm", decoupled_norm), ("angle", decoupled_angle)):
        expected = formula(0.01 * 0.1, TINY.rate, 0.9, moment=adam["fresh_moment"], **given)
        np.testing.assert_allclose(adam[f"equilibrium_{name}"], expected, rtol=1e-4)
        # Along the run, in windows of 5 of its 200 steps.
        for rows in (heavy, adam):
            np.testing.assert_allclose(rows[f"predicted_{name}"], rows[name], rtol=0.03)
        np.testing.assert_array_equal(lion[f"predicted_{name}"], lion[f"plain_{name}"])


def test_with_the_moments_of_every_step_a_course_is_the_run(record):
    for name in ("heavy-ball", "AdamW"):
        rows = of(record, name)
        assert rows["course_error"].max() < 0.05
        assert rows["plain_course_error"].max() > 2 * rows["course_error"].max()
        # Averages of five steps are not the same.
        assert np.all(rows["coarse_course_error"] != rows["course_error"])
        assert rows["coarse_course_error"].max() < 0.05
    rows = of(record, "Lion")
    np.testing.assert_array_equal(rows["coarse_course_error"], rows["course_error"])


def test_the_schedule_warms_up_and_ends_near_zero():
    factors = schedule(TINY)
    np.testing.assert_allclose(factors[:4], [0.25, 0.5, 0.75, 1.0])
    assert np.all(np.diff(factors[4:]) < 0)
    assert 0 < factors[-1] < 0.02


def test_the_record_names_settings_data_and_environment(record):
    assert record.config["settle"] == 100
    assert len(record.config["data"]["transformer"]["sha256"]) == 64
    assert "jax" in record.environment
    assert "2 matrices proven" in record.summary


def test_every_figure_is_made_from_the_record_alone(record):
    plots = EXPERIMENTS["prediction"].plots(record)
    assert len({plot.name for plot in plots}) == len(plots) == 4
    for plot in plots:
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")

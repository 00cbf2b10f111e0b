import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import theory
from wdjax.planning import Run, plan
from wdjax.planning.run import Optimizer
from wdjax.planning.settling import THEORIES, rates
from wdjax.theory.conventions import Setting, convert

KNOWN = {"size": 4096.0, "rank": 64.0, "gradient_moment": 4.0}


def cells(made, title):
    """The rows of one section, by their first cell."""
    section = next(s for s in made.sections if s.title.startswith(title))
    return {row[0]: row[1:] for row in section.rows}


def test_every_optimiser_has_a_theory():
    assert set(THEORIES) == set(Optimizer.__args__)


@pytest.mark.parametrize("optimizer", THEORIES)
def test_the_numbers_are_those_of_the_theory(optimizer):
    run = Run(optimizer=optimizer, lr=1e-3, weight_decay=0.1, **KNOWN)
    settled = THEORIES[optimizer].settle(run, run.lr)
    found = cells(plan(run), "What a weight settles to")
    assert found["angle per step"][0] == f"{settled.angle:.4g} rad"
    assert found["norm ‖w‖"][0] == f"{settled.norm(**KNOWN):.4g}"
    steps = float(settled.balance(**KNOWN).relaxation_steps)
    assert found["relaxation"][0] == (
        f"{steps:,.0f} steps" if steps >= 1e3 else f"{steps:.4g} steps"
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adam-l2", "muon"])
def test_what_is_not_known_of_the_gradients_is_asked_for(optimizer):
    unknown, known = (Run(optimizer=optimizer, **given) for given in ({}, KNOWN))
    unit = THEORIES[optimizer].unit
    assert f" {unit}" in cells(plan(unknown), "What a weight settles to")["norm ‖w‖"][0]
    assert f" {unit}" not in cells(plan(known), "What a weight settles to")["norm ‖w‖"][0]
    for name in THEORIES[optimizer].needs:
        assert f"--{name.replace('_', '-')}" in str(plan(unknown))
        assert f"--{name.replace('_', '-')}" not in str(plan(known))


def test_the_fraction_of_the_start_that_is_left_is_that_of_adamw():
    run = Run(optimizer="adamw", lr=0.01, weight_decay=0.5, steps=200, schedule="cosine", warmup=20)
    schedule = jnp.asarray(run.learning_rates)
    tx = optax.adamw(lambda step: schedule[step], weight_decay=0.5)

    def step(_, carry):
        w, state = carry
        updates, state = tx.update(jnp.zeros(3), state, w)
        return w + updates, state

    w, _ = jax.lax.fori_loop(0, run.steps, step, (jnp.ones(3), tx.init(jnp.ones(3))))
    left = cells(plan(run), "What the decay averages over")["left of the initial weights"][0]
    assert left == f"{w[0]:.2%}"


def test_rates_follow_the_learning_rate_and_the_buffer():
    run = Run(optimizer="sgd", lr=0.1, weight_decay=0.01, steps=100, schedule="linear")
    np.testing.assert_allclose(rates(run), run.learning_rates * 0.01 / (1 - 0.9), rtol=1e-6)
    assert Run(optimizer="muon").buffer == 0.95
    assert Run(optimizer="muon", momentum=0.5).buffer == 0.5


def test_the_schedule_warms_up_and_ends_at_zero():
    run = Run(lr=1e-3, steps=100, schedule="cosine", warmup=10)
    assert run.learning_rates.shape == (100,)
    assert run.learning_rates[0] == 0
    assert run.learning_rates.max() == pytest.approx(1e-3)
    assert run.learning_rates.argmax() == 10
    assert run.learning_rates[-1] < 1e-6


def test_the_course_is_that_of_the_theory():
    given = {"lr": 1e-2, "weight_decay": 1.0, "steps": 500, "norm": 1.0, "schedule": "linear"}
    adam, lion = (Run(optimizer=name, size=100.0, **given) for name in ("adamw", "lion"))
    eta = jnp.asarray(adam.learning_rates)
    lagging = theory.adam_course(eta, eta * 1.0, size=100.0, norm=1.0).norm[-1]
    assert cells(plan(adam), "The norm along the run")["500"][1] == f"{lagging:.4g}"
    law = theory.lion(eta, 1.0).balance(size=100.0)
    assert cells(plan(lion), "The norm along the run")["500"][1] == f"{law.course(1.0)[-1]:.4g}"


def test_the_equal_number_is_the_converter_s_and_the_same_number_means_another_rate():
    run = Run(optimizer="adamw", lr=3e-4, weight_decay=0.1)
    rows = next(s for s in plan(run).sections if s.title.startswith("What 0.1 means")).rows
    composer = next(row for row in rows if "composer_adamw" in row[0])
    equal = convert(Setting("optax_adamw", 0.1, learning_rate=3e-4), "composer_adamw")
    assert composer[2] == "0.1"
    assert composer[-1] == f"= {equal.decay:.4g}"
    assert any("impossible" in row for row in rows)  # a time scale of 0.1 steps


def test_the_meanings_of_coupled_decay_pass_through_the_buffer():
    run = Run(optimizer="sgd", lr=0.1, weight_decay=5e-4)
    rows = next(s for s in plan(run).sections if s.title.startswith("What 0.0005 means")).rows
    found = {name: row for row in rows for name in row[0].split(", ")}
    assert found["torch_sgd"][2:4] == ("0.0005", "0.007255 rad")
    assert found["optax_sgdw"][2] == "5e-05"
    assert found["optax_sgdw"][-1] == "≈ 0.005"


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ({"optimizer": "lion", "lr": 1e-2, "weight_decay": 1.0}, "optax_lion"),
        ({"optimizer": "adamw", "lr": 0.5, "weight_decay": 1.0}, "optax_adamw"),
        ({"optimizer": "sgdw", "lr": 0.1, "weight_decay": 0.01, "nesterov": True}, "optax_sgdw"),
    ],
)
def test_the_angle_of_the_run_s_own_convention_is_that_of_the_run(given, own):
    made = plan(Run(**given))
    rows = next(
        s for s in made.sections if s.title.startswith("What") and "elsewhere" in s.title
    ).rows
    row = next(row for row in rows if own in row[0])
    assert row[3] == cells(made, "What a weight settles to")["angle per step"][0]


def test_a_convention_without_nesterov_has_the_angle_without():
    given = {"optimizer": "sgdw", "lr": 0.1, "weight_decay": 0.01, "momentum": 0.5}
    made = plan(Run(**given, nesterov=True))
    rows = next(s for s in made.sections if "elsewhere" in s.title).rows
    row = next(row for row in rows if "loshchilov_sgdw" in row[0])
    assert row[3] == f"{theory.DecoupledSGD(0.1, 0.01, 0.5).angle:.4g} rad"


def test_where_buffers_remember_the_start_it_says_so():
    small, large = (Run(optimizer="lion", size=100.0, norm=norm) for norm in (0.01, 10.0))
    assert "buffers keep" in str(plan(small))
    assert "buffers keep" not in str(plan(large))


def test_the_course_of_adam_with_l2_knows_the_lag():
    run = Run(optimizer="adam-l2", lr=0.01, weight_decay=0.05, steps=300, norm=0.3, **KNOWN)
    course = theory.adam_course(
        jnp.asarray(run.learning_rates), 0.0, size=4096.0, norm=0.3, gradient_moment=4.0,
        weight_decay=0.05,
    ).norm  # fmt: skip
    assert cells(plan(run), "The norm along the run")["300"][1] == f"{course[-1]:.4g}"


def test_transfer_to_another_run():
    run = Run(
        optimizer="adamw", batch_size=128, dataset_size=50_000, to_batch_size=512, to_steps=40_000
    )
    found = cells(plan(run), "Which weight decay")
    assert found["batch size 512"] == ("0.0003", "0.4", "0.4", "0.2")
    assert found["batch size 512, rate × 2"] == ("0.0006", "0.2", "0.2", "0.1")
    assert found["steps 40,000"] == ("0.0003", "0.1", "0.05", "0.07071")


def test_without_decay_there_is_no_equilibrium():
    made = plan(Run(weight_decay=0.0))
    assert "grows without end" in str(made)
    assert len(made.sections) == 1


def test_it_prints_as_json_and_as_html():
    made = plan(Run(norm=3.0, size=100.0, batch_size=10, dataset_size=100))
    assert json.loads(json.dumps(made.to_dict()))["run"]["optimizer"] == "adamw"
    html = made._repr_html_()
    assert all(section.title in html for section in made.sections)
    assert "<th>convention</th>" in html


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": -1.0}, "lr is -1.0; expected a number that is not negative"),
        ({"lr": 0.0}, "lr is 0; expected a positive number"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"momentum": 1.0}, "momentum is 1.0, but from 1 on"),
        ({"steps": 0}, "steps is 0; expected from 1 to 100,000,000"),
        ({"steps": 10**12}, "expected from 1 to 100,000,000"),
        ({"steps": 10.5}, "steps is 10.5; expected a whole number"),
        ({"nesterov": True}, "the optimizer is adamw"),
        ({"optimizer": "sgd", "momentum": 0.0, "nesterov": True}, "its momentum 0.0"),
        ({"warmup": 20_000}, "expected 0 or more and fewer than steps, 20000"),
        ({"to_batch_size": 10}, "to_batch_size is given, but not batch_size"),
        ({"size": 0}, "size is 0"),
        ({"optimizer": "adagrad"}, "optimizer is 'adagrad'; expected one of sgd, sgdw, adamw"),
    ],
)
def test_bad_numbers_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Run(**given)


def test_it_needs_no_float64():
    with jax.enable_x64(False):
        assert "0.001777 rad" in str(plan(Run()))

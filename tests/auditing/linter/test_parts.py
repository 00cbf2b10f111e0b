"""Parts of the linter by themselves, and rules on verdicts that are written by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.auditing.linter.evidence import quick
from tests.auditing.linter.faults import FAULTS, KERNELS, in_bfloat16, of_small
from tests.auditing.linter.recipes import sgd
from wdjax import transforms
from wdjax.auditing.evidence import GroupVerdict
from wdjax.auditing.linter import find_penalties, lint
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.held import held_decays
from wdjax.auditing.linter.optimiser import MOST, step_sizes
from wdjax.auditing.linter.rules import arithmetic, normalisation, pace
from wdjax.auditing.linter.walk import FEW, LONGEST_SCAN, walk

X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)))
PARAMS = {"w": jnp.ones((4, 4)), "v": jnp.ones(3), "b": jnp.ones(())}


def case_of(steps=10_000, **numbers):
    """Three layers with batch norm under SGD, with a verdict on the first."""
    nan = float("nan")
    verdict = GroupVerdict(
        name="w0",
        leaves=("w0",),
        axes=(),
        role="learning_rate",
        norm=1.0,
        gradient_moment=nan,
        rate=1e-3,
        equilibrium_norm=1.0,
        angle=nan,
        relaxation_steps=250.0,
        effective_lr=nan,
        settled_effective_lr=nan,
        settling_steps=500.0,
    )
    verdict = dataclasses.replace(verdict, **numbers)
    return Case(dataclasses.replace(quick(of_small(sgd(0.1, 1e-3), steps)), verdicts=(verdict,)))


@pytest.mark.parametrize(
    ("relaxation", "settling", "severities"),
    [(250.0, 500.0, []), (250.0, 60_000.0, ["note"]), (30_000.0, 60_000.0, ["warning"])],
)
def test_a_run_that_ends_on_the_way_to_equilibrium(relaxation, settling, severities):
    case = case_of(relaxation_steps=relaxation, settling_steps=settling)
    assert [finding.severity for finding in pace.short_run(case)] == severities


@pytest.mark.parametrize(("rate", "count"), [(1e-5, 0), (1e-2, 1)])
def test_the_variance_at_a_norm_that_the_run_reaches(rate, count):
    """In 10,000 steps decay at the one rate leaves 0.9 of a norm, at the other next to nothing."""
    case = case_of(rate=rate, equilibrium_norm=1e-6)
    assert len(list(normalisation.large_epsilon(case))) == count


def test_steps_larger_than_a_unit_in_the_last_place_carry_the_decay():
    recipe = in_bfloat16(lr=3e-3, weight_decay=0.03)
    (found,) = arithmetic.below_precision(Case(quick(recipe), recipe.tx))
    assert found.severity == "note"
    assert set(found.leaves) == KERNELS


def test_buffers_that_fill_are_not_spoken_of_as_a_schedule():
    case = case_of(100)
    assert 0.9 < case.share("w0") < 0.99
    (found,) = pace.short_run(case)
    assert "schedule" not in found.what


def test_a_large_tree_is_cut_unless_the_optimiser_holds_arrays():
    params = {"w": jnp.ones((200, 200))}
    gradients = {"w": np.ones((200, 200))}
    seen = set()

    def scaled(updates, params, by=1.0):
        seen.add(params["w"].size)
        return jax.tree.map(lambda u: -by * u, updates)

    found = step_sizes(optax.stateless(scaled), params, gradients, np.array([0, 50]))
    assert max(seen) <= MOST
    np.testing.assert_allclose(found.sizes["w"], 1.0, rtol=0.02)  # less what is along w
    np.testing.assert_allclose(found.degree["w"], 1.0)
    np.testing.assert_allclose(found.ascent["w"], -1.0)
    fixed = optax.stateless(lambda u, p: scaled(u, p, jnp.full((200, 200), 2.0)))
    found = step_sizes(fixed, params, gradients, np.array([0, 50]))
    np.testing.assert_allclose(found.sizes["w"], 2.0, rtol=0.02)


@pytest.mark.parametrize(
    ("inner", "number"),
    [
        (optax.inject_hyperparams(optax.adamw)(1e-3, weight_decay=0.1), 0.1),
        (optax.inject_hyperparams(optax.adamw)(lambda _: 1e-3, weight_decay=0.1), 0.1),
        (optax.inject_hyperparams(optax.adamw)(1e-3, weight_decay=0.0), None),
        (optax.adam(1e-3), None),
    ],
)
def test_decays_inside_wrappers(inner, number):
    numbers = set() if number is None else {(number, frozenset(PARAMS))}
    turning = transforms.on_sphere(inner)
    several = optax.MultiSteps(turning, 2)
    for tx in (turning, several, several.gradient_transformation()):
        assert set(held_decays(tx, PARAMS)) == numbers


def l2(w):
    return 0.005 * jnp.sum(w**2)


PENALISED = {
    "before the mean": lambda p, x: jnp.mean(jnp.sum((x @ p["w"]) ** 2, -1) + l2(p["w"])),
    "beside L1": lambda p, x: (
        jnp.mean((x @ p["w"]) ** 2) + l2(p["w"]) + 0.1 * jnp.sum(jnp.abs(p["v"]))
    ),
    "beside a number": lambda p, x: jnp.mean((x @ p["w"]) ** 2) + l2(p["w"]) + p["b"],
}


@pytest.mark.parametrize("where", PENALISED)
def test_l2_beside_other_things(where):
    loss = PENALISED[where]
    found = find_penalties(loss, PARAMS, (X,))
    assert found.strengths == {"w": pytest.approx(0.01)}
    without = loss(PARAMS, X) - l2(PARAMS["w"])
    np.testing.assert_allclose(found.loss(PARAMS, X), without, rtol=1e-6)


def test_long_loops_are_looked_into():
    layers = LONGEST_SCAN + 8
    params = {"w": jnp.ones((layers, 4, 4)) + X[0], "b": jnp.zeros((layers, 4))}
    params = jax.tree.map(lambda p: p.astype(X.dtype), params)

    def loss(params, x):
        def layer(h, p):
            h = h @ p["w"] + p["b"]
            return h * jax.lax.rsqrt(jnp.mean(h**2, -1, keepdims=True) + 1e-6), None

        return jnp.sum(jax.lax.scan(layer, x, params)[0])

    found = []

    def value(params, x):
        found.append(walk(loss, params, (x,)))
        return found[-1].loss.value

    np.testing.assert_allclose(jax.jit(value)(params, X), loss(params, X), rtol=1e-6)
    assert {use.kind for use in found[0].uses["b"]} == {"added"}
    assert all(use.sliced for use in found[0].uses["b"])
    assert len(found[0].sites) == FEW
    assert all("w" in site.leaves for site in found[0].sites)


def test_an_optimiser_that_descends_is_not_said_to_ascend():
    recipe = FAULTS["gradients that pass a mask"].make()
    recipe = recipe._replace(tx=optax.chain(optax.clip_by_global_norm(1.0), optax.lion(1e-4)))
    assert "WD106" not in {finding.code for finding in lint(quick(recipe), recipe.tx)}

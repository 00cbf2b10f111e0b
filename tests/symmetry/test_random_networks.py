import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.symmetry import oracle
from tests.symmetry.random_networks import FOLLOWED, networks
from wdjax.symmetry import check, find

# `python -m benchmarks.prover` runs many more.


@settings(max_examples=12)
@given(networks())
def test_no_false_symmetry(network):
    loss, params, args, _ = network
    value = jax.jit(loss)
    before = float(value(params, *args))
    found = find(loss, params, *args)
    for one in check(found, value, params, *args):
        assert not one.refuted, one
    for seed in range(3):
        factors = found.random_scaling(params, np.random.default_rng(seed))
        scaled = jax.tree.map(np.multiply, params, factors)
        assert float(value(scaled, *args)) == pytest.approx(before, rel=1e-8)


@settings(max_examples=15)
@given(networks())
def test_no_uniform_scaling_and_no_dead_leaf_is_missed(network):
    loss, params, args, made_of = network
    assume({kind.split()[0] for kind in made_of} <= FOLLOWED)
    samples = oracle.sample(oracle.network(loss, params, args), 4 * len(params) + 8)
    dead = {name for name in params if samples.size(name) < oracle.ZERO}
    uniform = samples.uniform(name for name in params if name not in dead)
    assume(oracle.is_clear(oracle.singular_values(uniform)))
    found = find(loss, params, *args)
    assert set(found.dead) == dead
    assert found.dimension == oracle.nullity(uniform)

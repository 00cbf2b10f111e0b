"""The prover against hand-labelled truth, and against an independent numeric oracle.

The prover's scalings have to lie among the oracle's (soundness) and, but for what is listed, to be
all of them (completeness): with one factor per leaf, and with one per entry. The labels themselves
are held against the oracle too.
"""

import jax
import numpy as np
import pytest

from tests.symmetry import oracle
from tests.symmetry.architectures import ZOO
from wdjax.symmetry import find
from wdjax.trees import named_leaves, with_leaves

# Where the prover gives up, and why. Nothing else may be missed.
MISSED_UNIFORM: dict[str, str] = {}
ITERATIONS = "factors between iterations of a scan, of one stacked leaf, are not found"
MISSED = {
    "gpt2": "a part of a leaf that is dead, of the fused bias that of the keys, is not found",
    "growing_scan": ITERATIONS,
    "growing_scan_with_gains": ITERATIONS,
    "nested_growing_scans": ITERATIONS,
}


@pytest.fixture(scope="module", params=ZOO)
def case(request):
    with jax.enable_x64(True):
        network = oracle.network_of(request.param)
        found = find(network.loss, network.params, *network.args)
        return request.param, network, oracle.samples_of(request.param), found


@pytest.mark.parametrize("name", ZOO)
def test_a_person_says_what_the_oracle_says(name):
    samples = oracle.samples_of(name)
    for leaf in oracle.live_leaves(name):
        finest, label = samples.finest_axes(leaf), ZOO[name].invariant.get(leaf)
        assert finest == [] if label is None else label in finest, (leaf, label, finest)


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.dead])
def test_dead_leaves_do_not_matter(name):
    network, samples = oracle.network_of(name), oracle.samples_of(name)
    leaves = named_leaves(network.params)
    rng = np.random.default_rng(1)
    for leaf in ZOO[name].dead:
        assert samples.size(leaf) <= 1e-12
        other = leaves | {leaf: rng.normal(size=leaves[leaf].shape)}
        changed = with_leaves(network.params, other.values())
        assert network.value(changed) == pytest.approx(network.value(network.params), rel=1e-10)


def test_what_a_person_says(case):
    name, _, _, found = case
    assert found.invariant == ZOO[name].invariant
    assert set(found.dead) == set(ZOO[name].dead)
    assert set(found.unused) == set(ZOO[name].unused)


def test_uniform_scalings_are_those_of_the_oracle(case):
    name, _, samples, found = case
    names = oracle.live_leaves(name)
    matrix = samples.uniform(names)
    for vector in found.basis:
        d = np.array([float(vector.get(leaf, 0)) for leaf in names])
        assert np.abs(matrix @ d).max() < oracle.ZERO * np.abs(d).max(), vector
    if name in MISSED_UNIFORM:
        assert found.dimension < oracle.nullity(matrix)
    else:
        assert found.dimension == oracle.nullity(matrix)


def test_all_scalings_are_as_many_as_those_of_the_oracle(case):
    name, _, samples, found = case
    expected = samples.full_dimension(oracle.live_leaves(name))
    if name in MISSED:
        assert found.full_dimension < expected
    else:
        assert found.full_dimension == expected


def test_the_loss_does_not_see_a_random_scaling(case):
    _, network, _, found = case
    before = network.value(network.params)
    for seed in range(3):
        factors = found.random_scaling(network.params, np.random.default_rng(seed))
        scaled = jax.tree.map(np.multiply, network.params, factors)
        assert network.value(scaled) == pytest.approx(before, rel=1e-8)

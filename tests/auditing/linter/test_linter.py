"""Every planted fault is found by its code at its leaves; no recipe that works raises a warning."""

import re

import jax
import numpy as np
import optax
import pytest

from tests.auditing.linter import models
from tests.auditing.linter.evidence import findings, quick
from tests.auditing.linter.faults import FAULTS, of_small
from tests.auditing.linter.recipes import RECIPES
from wdjax.auditing.linter import RULES, lint

FROM_VERDICTS = ("WD301", "WD302", "WD303", "WD501", "WD502")
"""Rules that need the audit's verdicts."""

IN_FULL = ("resnet_sgd", "haiku_adamw")
"""Recipes whose weights are invariant by themselves, under SGD and Adam; with all verdicts."""

NOTES = {"flax_imagenet": {"WD103"}, "diffusion": {"WD303"}}
"""Notes that are true of recipes: the loss holds the decay; nothing holds the norms."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    fault = FAULTS[name]
    found = findings(fault.make(), full=fault.code in FROM_VERDICTS)
    ours = [finding for finding in found if finding.code == fault.code]
    assert set().union(*(finding.leaves for finding in ours)) >= fault.leaves, found
    assert ours[0].severity == fault.severity
    assert set(ours[0].leaves) == fault.leaves
    others = {f.code for f in found if f.severity == "warning"} - {fault.code}
    assert others <= set(fault.others)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_works_raises_no_warning(name):
    found = findings(RECIPES[name](), full=name in IN_FULL)
    assert not [str(finding) for finding in found if finding.severity == "warning"]
    assert {finding.code for finding in found} == NOTES.get(name, set())


def test_each_rule_has_a_fault():
    assert {fault.code for fault in FAULTS.values()} == set(RULES)


def test_the_table_of_codes():
    assert all(re.fullmatch(r"WD[1-5]0\d", code) for code in RULES)
    assert list(RULES) == sorted(RULES)
    titles = [rule.title for rule in RULES.values()]
    assert len(set(titles)) == len(titles)


def test_warnings_come_first_and_say_what_to_do():
    found = lint(quick(FAULTS["L2 in the loss and AdamW"].make()))
    assert [finding.severity for finding in found] == ["warning", "note"]
    text = str(found[0])
    assert text.startswith("WD101 warning: ")
    assert "0.001" in text
    assert "    fix: " in text


def test_no_optimiser_at_hand():
    assert not lint(quick(of_small(optax.sgd(0.1, 0.9))))


def test_findings_do_not_depend_on_names():
    recipe = FAULTS["everything decays"].make()
    names = dict(zip(recipe.params, "hgfedcba", strict=True))
    renamed = {names[name]: value for name, value in recipe.params.items()}

    def loss(params, *args):
        return recipe.loss({name: params[names[name]] for name in names}, *args)

    plain, other = lint(quick(recipe)), lint(quick(recipe._replace(loss=loss, params=renamed)))
    for one, same in zip(plain, other, strict=True):
        assert one.code == same.code
        assert {names[name] for name in one.leaves} == set(same.leaves)


def test_lars_is_not_taken_for_adam():
    """Its L2 is divided by the norm of the whole leaf, not entry by entry."""
    lars = optax.lars(optax.cosine_decay_schedule(1.0, 5000), 1e-3)
    recipe = of_small(lars, 5000)
    kernels = recipe.loss, {n: p for n, p in recipe.params.items() if p.ndim > 1}
    rest = {n: p for n, p in recipe.params.items() if p.ndim < 2}

    def loss(params, *args):
        return kernels[0](params | rest, *args)

    found = lint(quick(recipe._replace(loss=loss, params=kernels[1])), lars)
    assert not [finding for finding in found if finding.code == "WD102"]


def test_gradients_that_are_zero_only_here_are_not_frozen():
    """A head of zeros sends no gradient back at the first step."""
    recipe = of_small(FAULTS["a stopped gradient"].make().tx)
    params = recipe.params | {"head": jax.numpy.zeros_like(recipe.params["head"])}
    evidence = quick(recipe._replace(params=params))
    assert not np.any(evidence.gradients["w0"])
    assert not [finding for finding in lint(evidence) if finding.code == "WD204"]


@pytest.mark.parametrize(("epsilon", "jumps"), [(1e-5, True), (0.03, False)])
def test_the_instability_that_is_foretold_comes(epsilon, jumps):
    """Gradient descent on a fitted network: with a larger ε the loss stays where it was."""
    loss, params, args = models.unstable(epsilon)

    def step(params, _):
        value, gradient = jax.value_and_grad(loss)(params, *args)
        decay = {name: 5e-3 * (name != "head") for name in params}
        return {n: p - 0.1 * (gradient[n] + decay[n] * p) for n, p in params.items()}, value

    losses = jax.jit(lambda p: jax.lax.scan(step, p, length=12_000)[1])(params)
    assert (np.max(losses) > 1.0) == jumps
    if not jumps:  # the other one is among the planted faults
        fault = FAULTS["an epsilon too small"].make()._replace(loss=loss, params=params)
        assert "WD502" not in {f.code for f in findings(fault, full=True)}

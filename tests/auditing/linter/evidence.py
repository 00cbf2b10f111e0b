"""The evidence of a set-up, in full or without the long experiments with its optimiser."""

import functools

import jax
import numpy as np

from wdjax import symmetry, trees
from wdjax.auditing import audit, probe
from wdjax.auditing.evidence import Evidence
from wdjax.auditing.linter import lint


def findings(recipe, *, full):
    """What the linter says; in full as `wdjax.audit` asks it."""
    if full:
        return audit(
            recipe.loss, recipe.params, recipe.args, recipe.tx, steps=recipe.steps
        ).findings
    return lint(quick(recipe), recipe.tx)


def quick(recipe):
    """Evidence without responses and verdicts."""
    symmetries, gradients = of_loss(recipe.loss, Tree(recipe.params), Tree(recipe.args))
    return Evidence(
        loss=recipe.loss,
        params=recipe.params,
        args=recipe.args,
        steps=recipe.steps,
        symmetries=symmetries,
        probe=probe(recipe.tx, recipe.params, steps=recipe.steps),
        gradients=gradients,
        responses={},
        verdicts=(),
    )


class Tree:
    """A tree that is told from others by being the same object."""

    def __init__(self, tree):
        self.tree = tree

    def __eq__(self, other):
        return self.tree is other.tree

    def __hash__(self):
        return id(self.tree)


@functools.cache
def of_loss(loss, params, args):
    gradient = trees.named_leaves(jax.jit(jax.grad(loss))(params.tree, *args.tree))
    gradients = {name: np.asarray(g, float) for name, g in gradient.items()}
    return symmetry.find(loss, params.tree, *args.tree), gradients

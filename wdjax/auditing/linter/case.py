"""One set-up as the rules look at it: the evidence, and what several rules work out from it."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.auditing.evidence import Evidence, GroupVerdict
from wdjax.auditing.linter.held import held_decays
from wdjax.auditing.linter.optimiser import Steps, step_sizes
from wdjax.auditing.linter.penalties import Penalties, find_penalties, perturbed
from wdjax.auditing.linter.sites import Site
from wdjax.auditing.linter.values import Use
from wdjax.auditing.linter.walk import walk
from wdjax.auditing.report import LeafDecay
from wdjax.symmetry.proof import find
from wdjax.symmetry.symmetries import Symmetries

VECTORS = ("added", "multiplied")
MATRICES = ("contracted", "contracted by channel")


@dataclasses.dataclass(frozen=True)
class Case:
    """A set-up under examination. What is asked for is worked out once.

    Attributes:
      evidence: What the audit has seen.
      tx: The optimiser; without it the rules that have to ask it more say nothing.
    """

    evidence: Evidence
    tx: optax.GradientTransformation | optax.MultiSteps | None = None

    @property
    def leaves(self) -> dict[str, LeafDecay]:
        """What the optimiser does to each leaf."""
        return self.evidence.probe.leaves

    @functools.cached_property
    def weights(self) -> dict[str, Any]:
        """The floating-point leaves."""
        named = trees.named_leaves(self.evidence.params)
        return {name: leaf for name, leaf in named.items() if name in self.leaves}

    @functools.cached_property
    def penalties(self) -> Penalties:
        """The L2 decay that is part of the loss."""
        return find_penalties(self.evidence.loss, self.evidence.params, self.evidence.args)

    @functools.cached_property
    def symmetries(self) -> Symmetries:
        """What scalings the loss does not see, its penalties left out."""
        if not self.penalties.strengths:
            return self.evidence.symmetries
        return find(self.penalties.loss, self.evidence.params, *self.evidence.args)

    def decays(self, name: str) -> bool:
        """Whether the optimiser or the loss pulls a leaf to zero."""
        return self.leaves[name].decays or name in self.penalties.strengths

    @functools.cached_property
    def decaying(self) -> tuple[str, ...]:
        """The leaves that decay."""
        return tuple(name for name in self.leaves if self.decays(name))

    @functools.cached_property
    def _walked(self) -> tuple[tuple[Site, ...], dict[str, tuple[Use, ...]]]:
        sites: list[Site] = []
        uses: dict[str, tuple[Use, ...]] = {}

        def values(params: Any, args: Any) -> list[jax.Array]:
            walked = walk(self.evidence.loss, params, args)
            sites.extend(walked.sites)
            uses.update(walked.uses)
            return [site.variance for site in walked.sites]

        medians = jax.jit(values)(self.evidence.params, self.evidence.args)
        found = [
            dataclasses.replace(site, variance=float(median))
            for site, median in zip(sites, medians, strict=True)
        ]
        return tuple(found), uses

    @property
    def sites(self) -> tuple[Site, ...]:
        """The normalisations of the network, with the variances at the given parameters."""
        return self._walked[0]

    def use(self, name: str) -> Use:
        """How a leaf is used; what penalties do with it does not count."""
        uses = self._walked[1].get(name, ())
        rank = len(trees.shape(self.weights[name]))
        chosen = [use for use in uses if use.kind != "other"] or list(uses)
        return chosen[0] if chosen else Use("other", rank, False)

    def is_vector(self, name: str) -> bool:
        """Whether a leaf is a bias, a gain or the like: used entry by entry, along one axis.

        The bias of a dense layer is one, too, if the layer has several axes of features.
        """
        use = self.use(name)
        return use.kind in VECTORS and (use.rank <= 1 or use.bias)

    def is_matrix(self, name: str) -> bool:
        """Whether a leaf is a factor of matrix products or a kernel of convolutions."""
        return self.use(name).kind in MATRICES

    @functools.cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The leaves, or sets of leaves, whose scale the loss does not see."""
        single = tuple((name,) for name in self.symmetries.invariant)
        return (*single, *(tuple(group) for group in self.symmetries.joint))

    @functools.cached_property
    def frozen(self) -> tuple[str, ...]:
        """The leaves without a gradient, also at parameters beside those given."""
        still = [
            n for n, g in self.evidence.gradients.items() if not np.any(g) and n in self.leaves
        ]
        still = [n for n in still if n not in self.symmetries.dead]
        if not still:
            return ()

        def value(params: Any, args: Any) -> jax.Array:
            out = self.penalties.loss(params, *args)
            return jnp.asarray(out[0] if isinstance(out, tuple | list) else out)

        moved = perturbed(self.evidence.params, 0.5)
        gradient = jax.jit(jax.grad(value, allow_int=True))(moved, self.evidence.args)
        named = trees.named_leaves(gradient)
        return tuple(name for name in still if not np.any(np.asarray(named[name])))

    @functools.cached_property
    def steps(self) -> Steps | None:
        """How large the steps are along the run; None where the optimiser is not at hand."""
        if self.tx is None:
            return None
        return step_sizes(
            self.tx, self.evidence.params, self.evidence.gradients, self.evidence.probe.steps
        )

    def share(self, name: str) -> float:
        """What the decay of a leaf takes over the run, relative to what its largest rate would."""
        leaf = self.leaves[name]
        removed = np.nan_to_num(np.abs(leaf.removed))
        if len(removed) < 3 or not np.any(removed):
            return 1.0
        mean = np.trapezoid(removed[1:], leaf.steps[1:]) / np.ptp(leaf.steps[1:])
        return float(mean / np.max(removed))

    def step(self, name: str) -> float:
        """The root mean square of an entry's steps, where they are largest; NaN if not known."""
        if name in self.evidence.responses:
            moment = self.evidence.responses[name].step_moment
            return float(np.sqrt(moment / max(np.size(self.weights[name]), 1)))
        sizes = self.steps.sizes.get(name) if self.steps else None
        return float("nan") if sizes is None else float(np.max(sizes))

    def degree(self, name: str) -> float:
        """How the steps of a leaf go with the size of its gradient; NaN where that is not known."""
        if name in self.evidence.responses:
            return self.evidence.responses[name].degree
        return self.steps.degree.get(name, float("nan")) if self.steps else float("nan")

    @property
    def turning(self) -> tuple[GroupVerdict, ...]:
        """The verdicts on groups whose decay sets how fast they turn."""
        return tuple(v for v in self.evidence.verdicts if v.role == "learning_rate")

    @functools.cached_property
    def decay_on_sphere(self) -> tuple[str, ...]:
        """The leaves whose steps keep a norm, with decay in their optimiser."""
        if self.tx is None:
            return ()
        decayed = [names for _, names in held_decays(self.tx, self.evidence.params)]
        on_sphere = (name for name, leaf in self.leaves.items() if leaf.kind == "sphere")
        return tuple(name for name in on_sphere if any(name in names for names in decayed))

    @functools.cached_property
    def decay_behind_sphere(self) -> dict[str, float]:
        """The leaves that the first step alone makes smaller, and by which fraction."""
        unclear = [name for name, leaf in self.leaves.items() if leaf.kind == "unknown"]
        if self.steps is None or not unclear:
            return {}
        removed = self.steps.removed
        return {n: removed[n][0] for n in unclear if _once(*removed[n])}


def _once(first: float, second: float) -> bool:
    """Whether something is removed in a first step and nothing more in a second one."""
    return 0 < first < 0.5 and abs(second) < 0.1 * first

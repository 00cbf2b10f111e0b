"""The normalisations of a network: where something is divided by √(v + ε)."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from wdjax.auditing.linter.values import Traced
from wdjax.jax_compat import source_line

LARGEST_EPSILON = 0.5
"""A larger number beside a value under a root is none that only keeps it from zero."""


@dataclasses.dataclass
class Site:
    """A normalisation.

    Attributes:
      epsilon: ε.
      variance: v, the median over its entries.
      leaves: The leaves that set the scale of v; for statistics that are given, of what is divided.
      given: Whether v is an array given from outside (running statistics) and not computed.
      line: The source line.
    """

    epsilon: float
    variance: Any
    leaves: frozenset[str]
    given: bool
    line: str


@dataclasses.dataclass
class Sites:
    """The normalisations that a walk has come by.

    Attributes:
      found: All of them, in order.
    """

    found: list[Site] = dataclasses.field(default_factory=list)

    def root(self, eqn: Any, plain: Traced, values: list[Traced]) -> Traced:
        """Returns the value of a root; of one of v + ε with what it takes out."""
        name, inside = eqn.primitive.name, values[0]
        if name == "pow" and values[1].number not in (0.5, -0.5):
            return plain
        if inside.under is None or inside.epsilon is None:
            return plain
        inverse = name == "rsqrt" or (name == "pow" and values[1].number == -0.5)
        variance = inside.under
        line = source_line(eqn) or "an unknown line"
        given = variance.raw and not variance.deps
        median = jnp.median(jnp.asarray(variance.value, float))
        self.found.append(Site(inside.epsilon, median, variance.deps, given, line))
        return dataclasses.replace(
            plain,
            deps=frozenset(),
            root="inverse" if inverse else "root",
            removes=variance.deps,
            site=len(self.found) - 1,
        )

    def divided(self, name: str, values: list[Traced]) -> dict[str, Any] | None:
        """Returns what changes where a value is divided by a root; None where none is."""
        one, other = values
        if name == "div":
            if one.number is not None and other.root == "root":
                return {"root": "inverse", "removes": other.removes, "site": other.site}
            return self._without(one, other) if other.root == "root" else None
        if other.root == "inverse":
            return self._without(one, other)
        return self._without(other, one) if one.root == "inverse" else None

    def _without(self, value: Traced, root: Traced) -> dict[str, Any]:
        """What is left of a value: a gain beside a root is still one, a network is divided."""
        site = self.found[root.site]
        if value.leaf is not None and value.leaf not in root.removes:
            gain = {"deps": root.deps | value.deps}
            return gain | {"root": root.root, "removes": root.removes, "site": root.site}
        if site.given:
            site.leaves |= value.deps
            return {"deps": root.deps}
        return {"deps": (value.deps - root.removes) | root.deps}


def is_epsilon(value: Traced) -> bool:
    """Whether a value is a small positive number."""
    return value.number is not None and 0 < value.number <= LARGEST_EPSILON

"""The scalings that meet all needs of a walk: how many there are, and how they vary."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations, product
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.linear import Equations, Form, without_zeros
from wdjax.symmetry.prover.orders import in_one_order
from wdjax.symmetry.prover.refine import refined
from wdjax.symmetry.prover.values import Factor, Place

Fixed: TypeAlias = tuple[tuple[Place, int], ...]
"""Indices of resolved digits."""


class Family(NamedTuple):
    """Scalings by factors that vary along axes, and that all look alike.

    Attributes:
      chosen: The unknowns that may be chosen; the others follow.
      exponents: By leaf, and by indices of its resolved digits, the exponent of the factors there.
      varying: By leaf, the sets of digits along which the factors vary.
      count: How many factors may be chosen independently.
    """

    chosen: tuple[Any, ...]
    exponents: dict[int, dict[Fixed, Fraction | int]]
    varying: dict[int, set[tuple[Place, ...]]]
    count: int


class Solution:
    """The null space of all needs.

    Attributes:
      layouts: By leaf, the digits of its axes.
      uniform: The equations between degrees: what is needed if every leaf is scaled as a whole.
      full: All equations, between degrees and factors along axes.
    """

    def __init__(self, needs: Iterable[Form], layouts: Mapping[int, Layout]):
        needs, self.layouts = refined(without_zeros(needs), layouts)
        needs, self._orders = in_one_order(needs)
        self.uniform, self.full = Equations(), Equations()
        self.factors = [u for layout in self.layouts.values() for u in layout.unknowns()]
        for form in sorted(needs, key=len):  # short ones first: they simplify the others
            self.uniform.add({u: c for u, c in form.items() if not isinstance(u, Factor)})
            self.full.add(form)
        known = set(self.factors)
        for unknown in {u for form in needs for u in form if isinstance(u, Factor)} - known:
            self.full.add({unknown: 1})  # a part that was left out, as there are so many

    def uniform_basis(self) -> list[Form]:
        """Returns a basis of the scalings of whole leaves."""
        return self.uniform.null_space(self.layouts)

    @property
    def dimension(self) -> int:
        """The dimension of the space of all scalings, with factors along axes."""
        return sum(map(self._size, self._chosen()))

    def _chosen(self) -> list[Any]:
        """The unknowns that may be chosen; the others follow."""
        return [u for u in (*self.layouts, *self.factors) if u not in self.full.rows]

    def _size(self, unknown: Any) -> int:
        if not isinstance(unknown, Factor):
            return 1
        return prod(place.size - 1 for place in unknown.free)

    def axes_alone(self, leaf: int) -> tuple[int, ...]:
        """Returns the axes along which each joint index of a leaf may be scaled alone."""
        layout = self.layouts[leaf]
        sizes = layout.shape
        blocked = [
            {place.axis for place in u.places}
            for u in layout.unknowns()
            if not self.full.leaves_alone(u)
        ]
        everywhere = range(len(sizes))
        subsets = chain.from_iterable(combinations(everywhere, n) for n in range(len(sizes) + 1))
        allowed = [
            s
            for s in subsets
            if not any(axes <= set(s) for axes in blocked) and layout.is_complete(s)
        ]
        best = max(allowed, key=lambda s: (prod(sizes[axis] for axis in s), -len(s)), default=())
        return tuple(axis for axis in best if sizes[axis] > 1)

    def families(self) -> list[Family]:
        """Returns the scalings along axes, those of one leaf and those between leaves.

        Not among them is what `axes_alone` says of leaves that are invariant by themselves.
        """
        told = {
            leaf: set(self.axes_alone(leaf)) if self.full.leaves_alone(leaf) else set()
            for leaf in self.layouts
        }
        found: dict[tuple[Any, ...], list[Any]] = {}
        for unknown in self._chosen():
            vector = self.full.vector(unknown)
            if not any(isinstance(u, Factor) for u in vector):
                continue
            if len(vector) == 1 and {place.axis for place in unknown.places} <= told[unknown.leaf]:
                continue
            found.setdefault(_look(vector), []).append(unknown)
        return [self._family(chosen) for chosen in found.values()]

    def _family(self, chosen: Sequence[Any]) -> Family:
        vectors = [self.full.vector(unknown) for unknown in chosen]
        varying: dict[int, set[tuple[Place, ...]]] = defaultdict(set)
        for unknown in chain.from_iterable(vectors):
            varying[_leaf(unknown)].add(_free(unknown))
        differences: dict[int, dict[Fixed, Fraction | int]] = defaultdict(dict)
        for leaf, fixed, coefficient in _look(vectors[0]):
            differences[leaf][fixed] = coefficient
        exponents = {leaf: _at_indices(of_leaf) for leaf, of_leaf in sorted(differences.items())}
        return Family(tuple(chosen), exponents, varying, sum(map(self._size, chosen)))

    def random_logarithms(
        self, rng: np.random.Generator, family: Family | None = None
    ) -> dict[int, np.ndarray]:
        """Returns the logarithms of the factors of each leaf, of a random scaling of a family."""
        values: dict[Any, np.ndarray] = {}
        varied = None if family is None else set(family.chosen)
        for unknown in self._chosen():
            drawn = _centred(rng.normal(size=self._shape(unknown)))
            values[unknown] = drawn if varied is None or unknown in varied else 0 * drawn
        for pivot, row in self.full.rows.items():
            held = [-float(c) * values[u] for u, c in row.items() if u != pivot]
            values[pivot] = sum(held, np.zeros(self._shape(pivot)))
        return {leaf: self._logarithm(layout, values) for leaf, layout in self.layouts.items()}

    def _shape(self, unknown: Any) -> tuple[int, ...]:
        if not isinstance(unknown, Factor):
            return ()
        return tuple(place.size for place in self._orders.get(unknown, unknown.free))

    def _logarithm(self, layout: Layout, values: Mapping[Any, np.ndarray]) -> np.ndarray:
        places = [place for axis in range(len(layout.shape)) for place in layout.digits(axis)]
        sizes = [place.size for place in places]
        total = np.full(sizes, values[layout.leaf])
        for factor in layout.unknowns():
            fixed = dict(factor.fixed)
            shape = [n if p in factor.free else 1 for p, n in zip(places, sizes, strict=True)]
            where = tuple(
                slice(fixed[p], fixed[p] + 1) if p in fixed else slice(None) for p in places
            )
            order = self._orders.get(factor, factor.free)
            part = values[factor].transpose([order.index(place) for place in factor.free])
            total[where] += part.reshape(shape)
        return total.reshape(layout.shape)


def _centred(array: np.ndarray) -> np.ndarray:
    for axis in range(array.ndim):
        array = array - array.mean(axis, keepdims=True)
    return array


def _leaf(unknown: Any) -> int:
    return unknown.leaf if isinstance(unknown, Factor) else unknown


def _free(unknown: Any) -> tuple[Place, ...]:
    return unknown.free if isinstance(unknown, Factor) else ()


def _fixed(unknown: Any) -> Fixed:
    return unknown.fixed if isinstance(unknown, Factor) else ()


def _look(vector: Form) -> tuple[tuple[int, Fixed, Fraction | int], ...]:
    """What vectors have in common that differ only in the digits along which they vary."""
    entries = sorted((_leaf(u), _fixed(u), c) for u, c in vector.items())
    sign = 1 if entries[0][2] > 0 else -1
    return tuple((leaf, fixed, sign * c) for leaf, fixed, c in entries)


def _at_indices(differences: Mapping[Fixed, Fraction | int]) -> dict[Fixed, Fraction | int]:
    """Returns the exponents other than zero at each joint index of the resolved digits."""
    told = sorted({place for fixed in differences for place, _ in fixed})
    found: dict[Fixed, Fraction | int] = {}
    for indices in product(*(range(place.size) for place in told)):
        here = tuple(zip(told, indices, strict=True))
        exponent = sum(c for fixed, c in differences.items() if set(fixed) <= set(here))
        if exponent:
            found[here] = exponent
    alike = len(set(found.values())) == 1 and len(found) == prod(place.size for place in told)
    return {(): next(iter(found.values()))} if alike else found

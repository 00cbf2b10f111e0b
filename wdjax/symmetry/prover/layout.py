"""The digits of a leaf's axes, and the unknown parts of its factors."""

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain, combinations, pairwise, product
from math import prod
from typing import NamedTuple

from wdjax.symmetry.prover.linear import Form
from wdjax.symmetry.prover.values import WHOLE, Digit, Factor, Key, Place, Value, fit_together
from wdjax.symmetry.prover.walk import Walk

PARTS = 512
"""The most parts of one leaf; above it, parts that vary along several axes are left out."""


class Layout(NamedTuple):
    """A leaf, with its axes cut into digits.

    Attributes:
      leaf: The leaf's number.
      shape: Its shape.
      cuts: Per axis, the products of the sizes behind each cut between digits.
      told: Digits, or several in a row, whose indices are told apart.
    """

    leaf: int
    shape: tuple[int, ...]
    cuts: tuple[frozenset[int], ...]
    told: frozenset[Place] = frozenset()

    @classmethod
    def whole(cls, leaf: int, shape: tuple[int, ...]) -> "Layout":
        """Returns the layout of a leaf whose axes are not cut."""
        return cls(leaf, shape, (frozenset(),) * len(shape))

    def with_cuts(self, axis: int, cuts: Iterable[int]) -> "Layout":
        """Returns the layout with further cuts of an axis, or itself if they do not fit."""
        every = self.cuts[axis].union(cuts) - {1, self.shape[axis]}
        if every == self.cuts[axis] or not fit_together(every, self.shape[axis]):
            return self
        return self._replace(cuts=(*self.cuts[:axis], every, *self.cuts[axis + 1 :]))

    def telling(self, places: Iterable[Place]) -> "Layout":
        """Returns the layout with the indices of further digits told apart."""
        layout = self
        for place in places:
            cut = layout.with_cuts(place.axis, (place.behind, place.behind * place.size))
            if fit_together((*cut.cuts[place.axis], place.behind), self.shape[place.axis]):
                layout = cut._replace(told=cut.told | {place})
        return layout

    def digits(self, axis: int) -> list[Place]:
        """Returns the digits of an axis, most significant first."""
        ends = sorted({self.shape[axis], *self.cuts[axis], 1}, reverse=True)
        return [Place(axis, low, high // low) for high, low in pairwise(ends)]

    def is_told(self, digit: Place) -> bool:
        """Whether the indices of a digit are told apart."""
        return any(digit.is_within(place) for place in self.told)

    def is_complete(self, axes: Collection[int]) -> bool:
        """Whether all parts that vary along these axes are among the unknowns."""
        every = prod(
            place.size if self.is_told(place) else 2 for axis in axes for place in self.digits(axis)
        )
        return every - 1 <= PARTS and every - 1 == sum(
            all(place.axis in axes for place in unknown.places) for unknown in self.unknowns()
        )

    def unknowns(self) -> tuple[Factor, ...]:
        """Returns the parts of the leaf's factors, but for the degree."""
        return _unknowns(self)

    def value(self, walk: Walk) -> Value:
        """Returns the leaf as a value of unknown parts."""
        places = [self.digits(axis) for axis in range(len(self.shape))]
        names = {place: walk.fresh() for place in chain.from_iterable(places)}
        parts: dict[Key, Form] = {WHOLE: {self.leaf: 1}}
        for factor in self.unknowns():
            fixed = tuple(sorted((names[place], index) for place, index in factor.fixed))
            parts[Key(tuple(names[place] for place in factor.free), fixed)] = {factor: 1}
        axes = tuple(
            tuple(Digit(p.size, names[p], bool(self.told) and self.is_told(p)) for p in row)
            or (Digit(1),)
            for row in places
        )
        return Value(parts, axes)


@lru_cache(maxsize=4096)
def _unknowns(layout: Layout) -> tuple[Factor, ...]:
    digits = {
        place: place.size - 1 if layout.is_told(place) else 0
        for axis in range(len(layout.shape))
        for place in layout.digits(axis)
    }
    everywhere = list(
        chain.from_iterable(combinations(digits, n) for n in range(1, len(digits) + 1))
    )
    along_one_axis = [subset for subset in everywhere if len({p.axis for p in subset}) == 1]
    single = [subset for subset in everywhere if len(subset) == 1]

    def count(subsets: list[tuple[Place, ...]]) -> int:
        return sum(prod(digits[place] or 1 for place in subset) for subset in subsets)

    kept = next((s for s in (everywhere, along_one_axis) if count(s) <= PARTS), single)
    return tuple(u for subset in kept for u in _of_subset(layout.leaf, subset, digits))


def _of_subset(leaf: int, subset: tuple[Place, ...], digits: dict[Place, int]) -> Iterator[Factor]:
    free = tuple(place for place in subset if not digits[place])
    told = [place for place in subset if digits[place]]
    for indices in product(*(range(1, digits[place] + 1) for place in told)):
        yield Factor(leaf, free, tuple(zip(told, indices, strict=True)))

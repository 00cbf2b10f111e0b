"""What is known of a value on the way from the parameters to the loss."""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np


class Term(NamedTuple):
    """A summand of a scalar.

    Attributes:
      value: Its value.
      data: Whether it depends on the data, and not on the parameters alone.
    """

    value: Any
    data: bool


class Use(NamedTuple):
    """How a leaf is used at one place.

    Attributes:
      kind: "contracted" (in a product of matrices or a convolution), "contracted by channel" (in a
        convolution with feature groups), "gathered" (its rows are looked up), "added",
        "multiplied" (entry by entry), or "other".
      rank: The number of its axes there of more than one entry, without those of a loop.
      sliced: Whether a loop takes its first axis apart, one index an iteration.
      bias: Whether it is added to a product with another leaf, along axes of that leaf alone: then
        it is a bias, of whatever rank.
    """

    kind: Literal["contracted", "contracted by channel", "gathered", "added", "multiplied", "other"]
    rank: int
    sliced: bool
    bias: bool = False


@dataclasses.dataclass(frozen=True)
class Traced:
    """A value and where it comes from.

    Attributes:
      value: The value, or a tracer.
      deps: The leaves that set its scale: those that it depends on, without those whose scale a
        normalisation has taken out since.
      data: Whether it depends on the batch, or on an array that the loss is closed over.
      raw: Whether it is such an array itself, in another layout at most.
      number: The number that it is, if it is a constant one.
      leaf: The leaf that it is, in another layout at most, and
      own: the axes of it that are the leaf's own; None for all.
      sliced: Whether a loop has taken the leaf apart.
      features: The axes that come from the leaf alone, of a product of data and a leaf.
      terms: Of a scalar, its summands, if it is a sum.
      under: v, if this is v + ε, and
      epsilon: ε.
      root: Whether this is 1/√(v + ε) times something ("inverse"), or √(v + ε) ("root").
      removes: The leaves whose scale is that of v.
      site: The index of the normalisation that the root belongs to.
    """

    value: Any
    deps: frozenset[str] = frozenset()
    data: bool = False
    raw: bool = False
    number: float | None = None
    leaf: str | None = None
    own: tuple[int, ...] | None = None
    sliced: bool = False
    features: frozenset[int] = frozenset()
    terms: tuple[Term, ...] = ()
    under: "Traced | None" = None
    epsilon: float | None = None
    root: Literal["inverse", "root"] | None = None
    removes: frozenset[str] = frozenset()
    site: int = -1

    @property
    def is_fixed(self) -> bool:
        """Whether it depends neither on parameters nor on data."""
        return not self.deps and not self.data and self.leaf is None

    @property
    def split(self) -> tuple[Term, ...]:
        """Its summands: itself, where it is no sum."""
        return self.terms or (Term(self.value, self.data),)

    def times(self, factor: Any) -> tuple[Term, ...]:
        """The summands of a multiple."""
        return tuple(Term(term.value * factor, term.data) for term in self.split)

    def axes(self, extent: tuple[int, ...]) -> tuple[int, ...]:
        """The axes that are the leaf's own, of a value of this shape."""
        return tuple(range(len(extent))) if self.own is None else self.own


def constant(array: Any) -> Traced:
    """A literal, or an array that the loss is closed over."""
    if np.size(array) != 1:
        return Traced(array, data=True, raw=True)
    try:
        return Traced(array, number=float(np.asarray(array).reshape(())))
    except (TypeError, ValueError):  # a key, or another extended dtype; or a tracer
        return Traced(array)

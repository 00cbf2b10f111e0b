"""Brings the unknowns of all needs to the same, finest, digits.

A walk cuts a digit where it meets a value that is cut there. The same leaf may have been cut
elsewhere in other places, or not at all: a need that vanishes as a function of a digit vanishes as
one of each piece, and each set of pieces, of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise, product

from wdjax.symmetry.prover.digits import DIGITS, subsets
from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.linear import Form
from wdjax.symmetry.prover.values import Factor, Place, fit_together

AxisOf = tuple[int, int]
"""A leaf and one of its axes."""

Cuts = defaultdict[AxisOf, set[int]]
Rows = defaultdict[AxisOf, list[list[tuple[int, Place]]]]


def refined(
    needs: Iterable[Form], layouts: Mapping[int, Layout]
) -> tuple[list[Form], dict[int, Layout]]:
    """Returns the needs between the finest unknowns, and the layouts that these are of.

    Along an axis that was cut in ways that do not fit together, or into more than `DIGITS` digits,
    no factors are considered.
    """
    needs = list(needs)
    cuts, rows = _noted(needs, layouts)
    _spread(cuts, rows)
    crossed = _crossed(cuts, rows, layouts)
    finer = dict(layouts)
    for (leaf, axis), of_axis in cuts.items():
        finer[leaf] = finer[leaf].with_cuts(axis, of_axis)
    forms = chain.from_iterable(_expanded(form, cuts, crossed) for form in needs)
    excluded = [
        {unknown: 1}
        for leaf, axis in crossed
        for unknown in finer[leaf].unknowns()
        if any(place.axis == axis for place in unknown.places)
    ]
    return [*forms, *excluded], finer


def _noted(needs: Sequence[Form], layouts: Mapping[int, Layout]) -> tuple[Cuts, Rows]:
    """Returns all cuts, and which digits stand for the same function in a need."""
    cuts: Cuts = defaultdict(set)
    rows: Rows = defaultdict(list)
    for form in needs:
        factors = [unknown for unknown in form if isinstance(unknown, Factor)]
        for digits in zip(*(u.free for u in factors), strict=True):
            row = [(u.leaf, place) for u, place in zip(factors, digits, strict=True)]
            for leaf, place in row:
                whole = layouts[leaf].shape[place.axis]
                if place.size != whole:
                    cuts[leaf, place.axis] |= {place.behind, place.behind * place.size} - {1, whole}
                if len(row) > 1:
                    rows[leaf, place.axis].append(row)
    for leaf, layout in layouts.items():
        for axis, of_axis in enumerate(layout.cuts):
            if of_axis:
                cuts[leaf, axis] |= of_axis
    return cuts, rows


def _spread(cuts: Cuts, rows: Rows) -> None:
    """Cuts digits that stand for the same function at the same places."""
    waiting = set(cuts)
    while waiting:
        key = waiting.pop()
        for row in rows.get(key, ()):
            inner = {
                c for leaf, place in row for c in _within(cuts.get((leaf, place.axis), ()), place)
            }
            for leaf, place in row if inner else ():
                new = {place.behind * c for c in inner} - cuts[leaf, place.axis]
                if new:
                    cuts[leaf, place.axis] |= new
                    waiting.add((leaf, place.axis))


def _crossed(cuts: Cuts, rows: Rows, layouts: Mapping[int, Layout]) -> set[AxisOf]:
    """Axes whose cuts do not fit or are too many, and those of digits that stand for the same."""
    waiting = {
        (leaf, axis)
        for (leaf, axis), of_axis in cuts.items()
        if len(of_axis) >= DIGITS or not fit_together(of_axis, layouts[leaf].shape[axis])
    }
    crossed: set[AxisOf] = set()
    while waiting:
        key = waiting.pop()
        crossed.add(key)
        met = {(leaf, place.axis) for row in rows.get(key, ()) for leaf, place in row}
        waiting |= met - crossed
    return crossed


def _within(cuts: Iterable[int], place: Place) -> list[int]:
    """The cuts inside a digit, as products of sizes within it."""
    end = place.behind * place.size
    inside = (c for c in cuts if place.behind < c < end)
    return [c // place.behind for c in inside if c % place.behind == 0]


def _expanded(form: Form, cuts: Cuts, crossed: set[AxisOf]) -> Iterable[Form]:
    """Returns the equations between the finest unknowns that one equation comes to."""
    factors = [unknown for unknown in form if isinstance(unknown, Factor)]
    if not factors or not any((u.leaf, p.axis) in cuts for u in factors for p in u.free):
        return [form]
    if any((u.leaf, p.axis) in crossed for u in factors for p in u.free):
        return []  # all its unknowns are taken for zero
    first = factors[0]
    sizes = [_sizes(place, cuts.get((first.leaf, place.axis), ())) for place in first.free]
    if all(len(pieces) == 1 for pieces in sizes):
        return [form]
    choices = product(*(subsets(range(len(pieces))) for pieces in sizes))
    return [_chosen(form, sizes, choice) for choice in choices]


def _sizes(place: Place, cuts: Iterable[int]) -> list[int]:
    ends = sorted({1, place.size, *_within(cuts, place)}, reverse=True)
    return [high // low for high, low in pairwise(ends)]


def _chosen(form: Form, sizes: Sequence[Sequence[int]], choice: Sequence[tuple[int, ...]]) -> Form:
    """The part of an equation that varies along one set of pieces of each digit."""
    chosen = {}
    for unknown, coefficient in form.items():
        assert isinstance(unknown, Factor)
        free = tuple(
            place.pieces(of_place)[i]
            for place, of_place, indices in zip(unknown.free, sizes, choice, strict=True)
            for i in indices
        )
        chosen[unknown._replace(free=free)] = coefficient
    return chosen

"""Linear forms with rational coefficients, and the null space of linear equations in them."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

Form: TypeAlias = Mapping[Any, Fraction | int]
"""A linear form: coefficients by unknown, none of them zero. The empty form is zero."""

ZERO: Form = {}


def combine(*terms: tuple[Fraction | int, Form]) -> Form:
    """Returns the sum of coefficient × form.

    Example:
      >>> combine((1, {"a": 1, "b": 2}), (-2, {"b": 1}))
      {'a': 1}
    """
    given = [term for term in terms if term[1]]
    if not given:
        return ZERO
    if len(given) == 1 and given[0][0] == 1:
        return given[0][1]
    total: dict[Any, Fraction | int] = {}
    for factor, form in given:
        for unknown, coefficient in form.items():
            total[unknown] = total.get(unknown, 0) + factor * coefficient
    return {unknown: coefficient for unknown, coefficient in total.items() if coefficient != 0}


def without_zeros(forms: Iterable[Form]) -> list[Form]:
    """Returns equations that say the same, in which no unknown that has to vanish occurs twice."""
    zeros: dict[Any, None] = {}
    others = list(forms)
    while single := [form for form in others if len(form) == 1]:
        zeros.update(dict.fromkeys(unknown for form in single for unknown in form))
        others = [
            {u: c for u, c in form.items() if u not in zeros} for form in others if len(form) > 1
        ]
        others = [form for form in others if form]
    return [*({unknown: 1} for unknown in zeros), *others]


class Equations:
    """Homogeneous linear equations `form = 0`, kept in reduced row echelon form.

    Attributes:
      rows: By pivot, the row with coefficient 1 there; no pivot occurs in another row.
    """

    def __init__(self, forms: Iterable[Form] = ()):
        self.rows: dict[Any, dict[Any, Fraction | int]] = {}
        self._holding: dict[Any, set[Any]] = {}
        for form in forms:
            self.add(form)

    def reduce(self, form: Form) -> Form:
        """Returns the form with all pivots replaced: zero if and only if the equations imply it."""
        known = [(-factor, self.rows[u]) for u, factor in form.items() if u in self.rows]
        return combine((1, form), *known) if known else form

    def add(self, form: Form) -> bool:
        """Adds the equation form = 0; returns whether it says anything new."""
        reduced = self.reduce(form)
        if not reduced:
            return False
        if len(reduced) == 1:
            reduced = dict.fromkeys(reduced, 1)
        # The unknown in the fewest rows: all of these change.
        pivot = min(reversed(list(reduced)), key=lambda u: len(self._holding.get(u, ())))
        row = _divided(reduced, reduced[pivot])
        for other in tuple(self._holding.get(pivot, ())):
            self._store(other, combine((1, self.rows[other]), (-self.rows[other][pivot], row)))
        self._store(pivot, row)
        return True

    def _store(self, pivot: Any, row: Form) -> None:
        for unknown in self.rows.get(pivot, ()):
            self._holding[unknown].discard(pivot)
        self.rows[pivot] = dict(row)
        for unknown in row:
            self._holding.setdefault(unknown, set()).add(pivot)

    def null_space(self, unknowns: Iterable[Any]) -> list[Form]:
        """Returns a basis of the solutions, one vector per unknown that is no pivot.

        Example:
          >>> Equations([{"a": 1, "b": 1}]).null_space(["a", "b", "c"])
          [{'a': 1, 'b': -1}, {'c': 1}]
        """
        return [self.vector(free) for free in unknowns if free not in self.rows]

    def leaves_alone(self, unknown: Any) -> bool:
        """Whether the unknown may be changed by itself: no equation holds it."""
        return not self._holding.get(unknown)

    def vector(self, free: Any) -> Form:
        """Returns the solution in which one unknown that is no pivot is changed."""
        held = sorted(self._holding.get(free, ()), key=str)
        entries = {free: 1, **{pivot: -self.rows[pivot][free] for pivot in held}}
        return _integers(entries)


def _divided(form: Form, number: Fraction | int) -> Form:
    """Divides by a number; whole numbers stay such where they can, as they are much faster."""
    if number == 1:
        return form
    if number == -1:
        return {unknown: -coefficient for unknown, coefficient in form.items()}
    return {unknown: Fraction(coefficient) / number for unknown, coefficient in form.items()}


def _integers(entries: Mapping[Any, Fraction | int]) -> Form:
    """Scales a vector to whole numbers, so that it reads well."""
    common = math.lcm(*(entry.denominator for entry in entries.values()))
    return {unknown: int(entry * common) for unknown, entry in entries.items()}

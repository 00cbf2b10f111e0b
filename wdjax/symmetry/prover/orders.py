"""One order of the digits of each unknown, in which all needs can be compared.

A part of a leaf that varies along several digits is a function of several indices. A need may bring
together such functions whose digits come in different orders, as when a leaf meets one that is laid
out the other way round. Each unknown gets an order such that in all needs the digits correspond.
Where there is none, as for a leaf that meets its own transpose, the unknowns have to vanish.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from wdjax.symmetry.prover.linear import Form
from wdjax.symmetry.prover.values import Factor, Place

Orders: TypeAlias = dict[Factor, tuple[Place, ...]]
"""By unknown, with its digits as in the leaf: the order of its digits, where it is another."""


def ordered(factor: Factor) -> Factor:
    """Returns the unknown with its digits in the order that they have in the leaf."""
    if all(map(_in_order, factor.free, factor.free[1:])):
        return factor
    return factor._replace(free=tuple(sorted(factor.free, key=lambda p: (p.axis, -p.behind))))


def _in_order(one: Place, other: Place) -> bool:
    return one.axis < other.axis or (one.axis == other.axis and one.behind > other.behind)


def in_one_order(forms: Iterable[Form]) -> tuple[list[Form], Orders]:
    """Returns the equations between unknowns with their digits as in the leaf, and the orders."""
    forms = list(forms)
    if all(u == ordered(u) for form in forms for u in form if isinstance(u, Factor)):
        return forms, {}
    holding: defaultdict[Factor, list[Form]] = defaultdict(list)
    for form in forms:
        for unknown in form:
            if isinstance(unknown, Factor) and len(unknown.free) > 1:
                holding[ordered(unknown)].append(form)
    orders: Orders = {}
    for root in holding:
        if root not in orders:
            orders[root] = root.free
            _spread(root, holding, orders)
    equations = [equation for form in forms for equation in _compared(form, orders)]
    return equations, {u: order for u, order in orders.items() if order != u.free}


def _spread(root: Factor, holding: dict[Factor, list[Form]], orders: Orders) -> None:
    """Orders the digits of all unknowns that are compared with one, directly or not."""
    waiting = [root]
    while waiting:
        known = waiting.pop()
        for form in holding[known]:
            factors = [unknown for unknown in form if isinstance(unknown, Factor)]
            like = next(unknown for unknown in factors if ordered(unknown) == known)
            places = [like.free.index(place) for place in orders[known]]
            for unknown in factors:
                if ordered(unknown) not in orders:
                    orders[ordered(unknown)] = tuple(unknown.free[i] for i in places)
                    waiting.append(ordered(unknown))


def _compared(form: Form, orders: Orders) -> Sequence[Form]:
    """Returns the equation with its unknowns as in the leaf, or each by itself if none fits."""
    factors = [unknown for unknown in form if isinstance(unknown, Factor)]
    plain = {ordered(u) if isinstance(u, Factor) else u: c for u, c in form.items()}
    if len(factors) < 2 or len(factors[0].free) < 2:
        return [plain]
    permutations = {
        tuple(unknown.free.index(place) for place in orders[ordered(unknown)])
        for unknown in factors
    }
    if len(permutations) == 1 and len(plain) == len(form):
        return [plain]
    return [{ordered(unknown): 1} for unknown in factors]

"""The rules that say what operations make of shifts, by the names of their primitives."""

import math

from wdjax.symmetry.dead import elementwise as pointwise
from wdjax.symmetry.dead import structural as structural
from wdjax.symmetry.dead.elementwise import Rule

FUNCTIONS = (
    *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clamp", "cos"),
    *("cosh", "digamma", "erf", "erf_inv", "erfc", "exp2", "expm1", "floor", "lgamma", "log1p"),
    *("logistic", "nextafter", "pow", "rem", "round", "rsqrt", "sin", "sinh", "sqrt", "tan"),
    "tanh",
)
"""Functions of entries of which no more is known."""

MOVES: dict[str, Rule] = {
    "broadcast_in_dim": structural.broadcast_in_dim,
    "reshape": structural.reshape,
    "squeeze": structural.squeeze,
    "transpose": structural.transpose,
    "slice": structural.part,
    "dynamic_slice": structural.part,
    "split": structural.part,
    "rev": structural.rev,
    "copy": pointwise.same,
    "copy_p": pointwise.same,
    "optimization_barrier": pointwise.each_same,
    "convert_element_type": pointwise.convert,
    "stop_gradient": pointwise.stop_gradient,
}
"""What moves entries, of any dtype."""

OF_ANY_DTYPE: dict[str, Rule] = {
    **MOVES,
    "select_n": pointwise.select_n,
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), pointwise.comparison),
    "is_finite": pointwise.is_finite,
    "argmax": structural.argument,
    "argmin": structural.argument,
}

OF_FLOATS: dict[str, Rule] = {
    "add": pointwise.add(1),
    "add_any": pointwise.add(1),
    "sub": pointwise.add(-1),
    "neg": pointwise.neg,
    "mul": pointwise.mul,
    "div": pointwise.div,
    "square": pointwise.square,
    "integer_pow": pointwise.integer_pow,
    "exp": pointwise.exp,
    "log": pointwise.log,
    "abs": pointwise.positive_part,
    "sign": pointwise.sign,
    "max": pointwise.extreme(-math.inf),
    "min": pointwise.extreme(math.inf),
    "reduce_sum": structural.reduce_sum,
    "psum": structural.psum,
    "reduce_max": structural.reduce_extreme,
    "reduce_min": structural.reduce_extreme,
    "cumsum": structural.cumulative,
    "pad": structural.pad,
    "concatenate": structural.concatenate,
    "reduce_window_sum": structural.window_sum,
    "reduce_window_max": structural.window_extreme,
    "dot_general": structural.dot_general,
    "conv_general_dilated": structural.convolution,
    "gather": structural.gather,
    **dict.fromkeys(FUNCTIONS, pointwise.elementwise),
}
"""What computes; on whole numbers it rounds or wraps around, and no claim is made."""

KEEP_MASKS = frozenset(
    (*MOVES, "select_n", "is_finite", "add", "sub", "exp", "max", "min", "reduce_max", "reduce_min")
)
"""What maps −∞ to −∞, or to what no longer depends on what was added to it."""

KEEP_FACTORS = frozenset(
    (*MOVES, "select_n", "add", "sub", "neg", "mul", "div", "log", "abs", "sign", "max", "min")
).union(("reduce_sum", "psum", "reduce_max", "reduce_min", "gather"))
"""What keeps a factor exp(S), or treats it by itself."""

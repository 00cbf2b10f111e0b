"""The axis of λ that the figures of this package share."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator


def decay_axis(ax: Axes, values: np.ndarray) -> None:
    """Makes the horizontal axis one of λ: logarithmic, with a place for 0 left of the smallest."""
    smallest, largest = values[values > 0].min(), values.max()
    low, high = int(np.ceil(np.log10(smallest) - 1e-6)), int(np.floor(np.log10(largest) + 1e-6))
    places = [10.0**power for power in range(low, high + 1, 1 + (high - low) // 5)]
    names = [f"$10^{{{power}}}$" for power in range(low, high + 1, 1 + (high - low) // 5)]
    with_zero = bool(np.any(values == 0))
    if with_zero:
        ax.set_xscale("symlog", linthresh=smallest, linscale=0.5)
        places, names = [0.0, *places], ["0", *names]
    else:
        ax.set_xscale("log")
    ax.set_xlim(-0.2 * smallest if with_zero else smallest / 1.3, 1.3 * largest)
    ax.set_xticks(places, names)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("weight decay λ")

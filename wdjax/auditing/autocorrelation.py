"""How long a noise remembers: its autocorrelation summed over all lags."""

from typing import NamedTuple

import numpy as np

NAN = float("nan")
WINDOW = 8.0
"""Lags up to so many times the sum itself are taken: what lies beyond would be noise alone."""


class Sum(NamedTuple):
    """A sum of autocorrelations.

    Attributes:
      value: R; NaN if the series is zero.
      error: Its standard error.
    """

    value: float
    error: float


def autocorrelation_sum(series: np.ndarray) -> Sum:
    """Estimates R = 1 + 2 Σ_k ρ_k of a series whose mean is known to be zero.

        ρ_k = C_k/C_0,   C_k = mean over t and entries of x_t x_{t+k},   k ≤ M

    M is the smallest number of lags that is at least 8 times the sum up to it. A slow change of the
    size of x, as by a schedule, does not matter.

    Args:
      series: Steps along the first axis, entries that share one autocorrelation along the second.

    Returns:
      R, and R √(2(2M + 1)/n) for n numbers in the series.

    Source: the window and the error are those of Madras and Sokal, J. Stat. Phys. 50, 109 (1988).

    Example:
      >>> white = np.random.default_rng(0).normal(size=(1000, 200))
      >>> print("{:.2f} ± {:.2f}".format(*autocorrelation_sum(white[1:] + white[:-1])))
      1.99 ± 0.04
    """
    steps = len(series)
    spectrum = np.abs(np.fft.rfft(series, 2 * steps, axis=0)) ** 2
    lagged = np.fft.irfft(np.sum(spectrum, axis=1), 2 * steps)[: max(steps // 2, 1)]
    covariance = lagged / (steps - np.arange(len(lagged)))
    if not covariance[0] > 0:
        return Sum(NAN, NAN)
    sums = 2 * np.cumsum(covariance / covariance[0]) - 1
    enough = np.arange(len(sums)) >= WINDOW * np.maximum(sums, 1 / WINDOW)
    last = int(np.argmax(enough)) if np.any(enough) else len(sums) - 1
    value = float(sums[last])
    return Sum(value, abs(value) * float(np.sqrt(2 * (2 * last + 1) / series.size)))

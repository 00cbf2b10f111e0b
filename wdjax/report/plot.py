"""A figure with its caption, and its PNG."""

import io
from typing import NamedTuple

from matplotlib.figure import Figure


class Plot(NamedTuple):
    """One figure of a report.

    Attributes:
      name: File name without extension.
      caption: What is to be seen, for the page and for who cannot see the figure.
      figure: A Matplotlib figure, made without pyplot, so that nothing global is touched.
    """

    name: str
    caption: str
    figure: Figure


def png(figure: Figure) -> bytes:
    """Returns the figure as a PNG of 120 dots per inch.

    Example:
      >>> png(Figure())[1:4]
      b'PNG'
    """
    stream = io.BytesIO()
    # Without the software's version in it, equal figures are equal bytes.
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()

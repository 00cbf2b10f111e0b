"""What the figures of these experiments have in common."""

PUBLISHED = {"color": "0.1", "marker": "x", "linestyle": "none", "markersize": 7}
TRAIN, TEST = "C0", "C1"

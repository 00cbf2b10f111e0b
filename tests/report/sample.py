"""A record with one verdict of each outcome, and a plot."""

import numpy as np
from matplotlib.figure import Figure

from wdjax.report import Plot
from wdjax.training import Outcome, RunRecord, Verdict


def verdict(outcome):
    return Verdict(f"claim [{outcome}] <b>", "1 < 2", "‖w‖² & more", outcome, "because", {"x": 1.0})


RECORD = RunRecord(
    experiment="equilibrium",
    source="an article (2020)",
    config={"steps": 10, "path": "<none>"},
    environment={"jax": "0.0"},
    summary="a summary",
    seconds=12.3,
    verdicts=tuple(map(verdict, Outcome)),
    arrays={"norm": np.ones(3)},
    note="a note & more",
)


def plot(name="one", caption='a "caption" <i>'):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2, 3])
    return Plot(name, caption, figure)

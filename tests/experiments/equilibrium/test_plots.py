from tests.experiments.equilibrium.ideal import ideal_arrays
from wdjax.experiments import EXPERIMENTS
from wdjax.report import png
from wdjax.training import RunRecord


def test_every_figure_is_made_from_the_record_alone():
    record = RunRecord("equilibrium", "", {}, {}, "", 1.0, (), ideal_arrays())
    plots = EXPERIMENTS["equilibrium"].plots(record)
    assert len({plot.name for plot in plots}) == len(plots) == 4
    for plot in plots:
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")

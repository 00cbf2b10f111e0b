"""How a planned run goes over to another batch size, data set, length or width."""

from collections.abc import Iterator

from wdjax.planning.run import Run
from wdjax.planning.section import Section, number
from wdjax.theory import transfer

HEADINGS = ("the same run with", "learning rate", "keep epochs", "keep runs", "keep λ_norm")


def section(run: Run) -> Section | None:
    """Returns the weight decay for other runs, by the rules in use."""
    if run.weight_decay == 0 or run.optimizer == "adam-l2":
        return None
    return Section(
        "Which weight decay for another run",
        tuple(_rows(run)),
        HEADINGS,
        "the averaging time is kept in epochs (Wang & Aitchison), in lengths of the run, or as "
        "λ_norm (Loshchilov & Hutter)",
    )


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    for what, ratios in _changes(run):
        yield _row(run, what, run.lr, **ratios)
        if "batch" in ratios:
            # Goyal et al.'s rule for SGD, the square root where steps are normalised.
            power = 1.0 if run.optimizer in ("sgd", "sgdw") else 0.5
            rate = float(transfer.scale_learning_rate(run.lr, batch=ratios["batch"], power=power))
            yield _row(run, f"{what}, rate × {rate / run.lr:.3g}", rate, **ratios)
    if run.optimizer not in ("sgd", "sgdw"):  # μP's rule is for optimisers with normalised steps
        wide = transfer.widen(run.lr, run.weight_decay, width=2.0)
        decay = number(float(wide.weight_decay))
        yield "2 × the width (μP)", number(float(wide.learning_rate)), decay, decay, decay


def _changes(run: Run) -> Iterator[tuple[str, dict[str, float]]]:
    """What changes, in words and as ratios: what is asked for, else twice as much of everything."""
    asked = False
    for name, to, now in (
        ("batch", run.to_batch_size, run.batch_size),
        ("data", run.to_dataset_size, run.dataset_size),
        ("epochs", run.to_steps, run.steps),
    ):
        if to is not None and now is not None:
            asked = True
            unit = "steps" if name == "epochs" else f"{name} size"
            yield f"{unit} {number(to, 6)}", {name: to / now}
    if not asked:
        yield from ((f"2 × the {name}", {name: 2.0}) for name in ("batch", "data", "epochs"))


def _row(run: Run, what: str, learning_rate: float, **ratios: float) -> tuple[str, ...]:
    given: dict[str, float] = ratios | {"learning_rate": learning_rate / run.lr}
    without_epochs = {name: ratio for name, ratio in given.items() if name != "epochs"}
    decays = (
        transfer.keep_averaging_epochs(run.weight_decay, **without_epochs),
        transfer.keep_time_scales(run.weight_decay, **given),
        transfer.keep_loshchilov_norm(run.weight_decay, **given),
    )
    return what, number(learning_rate), *(number(float(decay)) for decay in decays)

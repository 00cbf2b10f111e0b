"""One pure training step, a grid of runs trained side by side, and the record of what came out."""

from wdjax.training.classification import classification, predictions
from wdjax.training.environment import cpu_count, environment
from wdjax.training.grid import History, train_grid
from wdjax.training.record import Outcome, RunRecord, Verdict, load_record, save_record
from wdjax.training.step import Hyperparameters, Task, TrainState, init_state, train_step

__all__ = [
    "History",
    "Hyperparameters",
    "Outcome",
    "RunRecord",
    "Task",
    "TrainState",
    "Verdict",
    "classification",
    "cpu_count",
    "environment",
    "init_state",
    "load_record",
    "predictions",
    "save_record",
    "train_grid",
    "train_step",
]

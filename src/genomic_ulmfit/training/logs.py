"""Logs of a training run: one table and one for TensorBoard, both fit to be continued."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from genomic_ulmfit.files import write_text

METRICS = "metrics.csv"


def make_loggers(
    folder: Path, columns: tuple[str, ...], hyperparameters: dict[str, Any], steps_done: int
) -> list[Logger]:
    """Return the loggers of a run.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first line is logged.
    columns : tuple of str
        What is logged.
    hyperparameters : dict
        Noted in ``hparams.yaml``.
    steps_done : int
        Of an earlier part of the run; what it has logged beyond them is dropped.
    """
    board = TensorBoardLogger(
        folder.parent,
        name=folder.name,
        version="",
        default_hp_metric=False,
        purge_step=steps_done + 1,
    )
    board.log_hyperparams(hyperparameters)
    return [board, TableLogger(folder / METRICS, columns, steps_done)]


class TableLogger(Logger):
    """A CSV file with one line per logged step, written as soon as it is logged.

    Lightning's `CSVLogger` begins a new file when a run is resumed, and rewrites the old one in
    place when a new column comes up.

    Parameters
    ----------
    path : pathlib.Path
    columns : tuple of str
        Besides ``step``.
    steps_done : int
        Lines of `path` up to this step stay.
    """

    def __init__(self, path: Path, columns: tuple[str, ...], steps_done: int) -> None:
        super().__init__()
        self.path = path
        self.columns = ("step", *columns)
        self.steps_done = steps_done
        self.file: TextIO | None = None

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def version(self) -> str:
        """There are none."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Do nothing: a table has no place for them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a line."""
        if self.file is None:
            self._begin()
            self.file = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self.file.write(self._line({"step": step, **metrics}))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def _begin(self) -> None:
        rows: list[dict[str, Any]] = []
        if self.steps_done and self.path.is_file():
            with open(self.path, encoding="utf-8", newline="") as handle:
                for row in csv.DictReader(handle):
                    # A process that was killed may have left half a line.
                    if None in row.values() or int(row["step"]) > self.steps_done:
                        break
                    rows.append(row)
        header = dict(zip(self.columns, self.columns, strict=True))
        write_text(self.path, "".join(map(self._line, (header, *rows))))

    def _line(self, row: Mapping[str, Any]) -> str:
        line = io.StringIO()
        csv.DictWriter(line, self.columns, lineterminator="\n").writerow(row)
        return line.getvalue()

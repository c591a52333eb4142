"""How long the command line takes to start: each run is a process of its own."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from speed_rows.classifying import classifier_folder
from speed_rows.commands import Ran, run_command, run_python, write_fasta
from speed_rows.material import WINDOW, random_letters
from speed_rows.row import Bench, Measurement, Row


def several(bench: Bench, run: Callable[[], Ran]) -> Measurement:
    ran = [run() for _ in range(1 if bench.quick else 9)]
    cpu = statistics.median(one.cpu_seconds for one in ran)
    megabytes = max(one.megabytes for one in ran)
    return Measurement(
        [one.seconds for one in ran],
        f"{cpu:.2f} s of processor time; peak memory {megabytes:,.0f} MB",
        {"cpu_seconds": [one.cpu_seconds for one in ran], "peak_megabytes": megabytes},
    )


def predict_one(bench: Bench) -> Measurement:
    fasta = write_fasta(bench.scratch / "one.fasta", [("one", random_letters(WINDOW))])
    folder = classifier_folder(bench)
    return several(bench, lambda: run_command("predict", folder, fasta))


def rows(bench: Bench) -> list[Row]:
    return [
        Row(
            "start-help",
            "`genomic-ulmfit --help`",
            "s",
            lambda bench: several(bench, lambda: run_command("--help")),
        ),
        Row(
            "start-predict",
            f"`genomic-ulmfit predict` of one sequence, `{bench.size}`",
            "s",
            predict_one,
        ),
        Row(
            "start-torch",
            "for comparison: `python -c 'import torch'`",
            "s",
            lambda bench: several(bench, lambda: run_python("-c", "import torch")),
        ),
    ]

"""How time and memory grow: training with the corpus, scanning with the genome and its contigs.

    python benchmarks/scaling_curves.py --out scaling --figure docs/figures/scaling.png
    python benchmarks/scaling_curves.py --out quick --quick

Runs the commands of the package on made-up DNA of growing size, each in a process of its own, and
prints seconds by the clock, processor seconds and peak memory. OUT/scaling.json is written after
every point; started again with the same OUT, it goes on where it stopped. The exponent under each
curve is the slope of log(time) over log(size), start-up subtracted: 1 is linear.

- corpus: `pretrain` of one epoch on genomes of 250 kbp each, `small`;
- length: `scan --mode dense` of one contig, `small`, the threshold given;
- contigs: the same bases in more and more contigs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch

from genomic_ulmfit.files import atomic_path, write_json
from speed_rows.classifying import write_classifier
from speed_rows.commands import Ran, processor, run_command, run_python, write_fasta
from speed_rows.material import random_letters

FULL = {
    "corpus": (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000),
    "length": (62_500, 125_000, 250_000, 500_000, 1_000_000),
    "contigs": (1, 10, 100, 1000),
}
QUICK = {"corpus": (20_000,), "length": (10_000, 20_000), "contigs": (10,)}
CONTIG_BASES = {False: 250_000, True: 10_000}
"""Bases in which the contigs are counted, by whether it is a quick look."""
GENOME_BASES = {False: 250_000, True: 20_000}
AXES = {
    "corpus": "bases of the training corpus",
    "length": "bases of the genome",
    "contigs": "contigs of a genome",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("scaling"), help="folder to write")
    parser.add_argument("--figure", type=Path, help="PNG to draw")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s"
    )
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    path = arguments.out / "scaling.json"
    settings = {
        "quick": arguments.quick,
        "threads": arguments.threads,
        "processor": processor(),
        "torch": torch.__version__,
    }
    report: dict[str, Any] = {"benchmark": "scaling", "settings": settings, "curves": {}}
    if path.exists():
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["settings"] != settings:
            parser.error(f"--out: {path} was measured with other settings; name another folder")
    curves: dict[str, dict[str, Any]] = report["curves"]
    with tempfile.TemporaryDirectory() as scratch:
        if "start" not in report:
            report["start"] = start_up(1 if arguments.quick else 5)
        for name, sizes in (QUICK if arguments.quick else FULL).items():
            for size in sizes:
                if str(size) not in curves.setdefault(name, {}):
                    ran = measure(name, size, Path(scratch), arguments.quick)
                    curves[name][str(size)] = ran._asdict()
                    # A run with more sizes may add smaller ones.
                    curves[name] = dict(sorted(curves[name].items(), key=lambda one: int(one[0])))
                    write_json(path, report)
    print_table(report)
    if arguments.figure is not None:
        draw(report, arguments.figure)


def start_up(repeats: int) -> float:
    """Return the seconds that any command which computes spends on imports."""
    modules = "import torch, lightning, genomic_ulmfit.inference.scanning.scan_job"
    return statistics.median(run_python("-c", modules).seconds for _ in range(repeats))


def measure(curve: str, size: int, scratch: Path, quick: bool) -> Ran:
    """Run one command."""
    name = "tiny" if quick else "small"
    if curve == "corpus":
        length = GENOME_BASES[quick]
        files = [
            write_fasta(scratch / f"{n}.fna", [(f"genome_{n}", random_letters(length, n))])
            for n in range(size // length)
        ]
        out = scratch / f"encoder-{size}"
        return run_command("pretrain", *files, "--out", out, "--preset", name, "--epochs", 1)
    bases, contigs = (size, 1) if curve == "length" else (CONTIG_BASES[quick], size)
    fasta = write_fasta(
        scratch / "genome.fna",
        [(f"contig_{n}", random_letters(bases // contigs, n)) for n in range(contigs)],
    )
    options = ("--mode", "dense", "--threshold", 0.9, "--out", scratch / "scan")
    return run_command("scan", classifier(scratch, name), fasta, *options)


def classifier(scratch: Path, size: str) -> Path:
    folder = scratch / "classifier"
    if not folder.exists():
        write_classifier(folder, size)
    return folder


def exponent(points: dict[str, dict[str, float]], start: float) -> str:
    """Return the least-squares slope of log(seconds - start) over log(size), in words."""
    if len(points) < 2:
        return "not known from one point"
    x = [math.log(float(size)) for size in points]
    y = [math.log(max(point["seconds"] - start, 1e-3)) for point in points.values()]
    slope, _ = statistics.linear_regression(x, y)
    return f"{slope:.2f}"


def print_table(report: dict[str, Any]) -> None:
    given = report["settings"]
    print(f"{given['processor']}; {given['threads']} threads; torch {given['torch']}.")
    if given["quick"]:
        print("QUICK: tiny sizes; this shows that everything runs, and no growth.")
    print("\n| curve | size | seconds | processor seconds | peak memory, MB |")
    print("|---|---|---|---|---|")
    for name, points in report["curves"].items():
        for size, point in points.items():
            print(
                f"| {AXES[name]} | {int(size):,} | {point['seconds']:.1f} | "
                f"{point['cpu_seconds']:.1f} | {point['megabytes']:,.0f} |"
            )
    print(f"\nStart-up, subtracted before fitting: {report['start']:.1f} s.")
    for name, points in report["curves"].items():
        print(f"Time over {AXES[name]}: exponent {exponent(points, report['start'])}.")


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw time above memory, one column for each curve."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(11, 6), layout="constrained", sharex="col")
    for column, (name, points) in enumerate(report["curves"].items()):
        sizes = [int(size) for size in points]
        for axis, key, colour in zip(
            axes[:, column], ("seconds", "megabytes"), ("#1b6ca8", "#a8501b"), strict=True
        ):
            values = [point[key] for point in points.values()]
            axis.plot(sizes, values, "o-", color=colour)
            axis.set_ylim(0, 1.15 * max(values))
        # Linear axes show what is linear; only contigs go over orders of magnitude.
        if name == "contigs":
            axes[1, column].set_xscale("log")
        else:
            axes[1, column].set_xlim(left=0)
        command = "pretrain, one epoch" if name == "corpus" else "scan"
        axes[0, column].set_title(
            f"{command}\nexponent of time {exponent(points, report['start'])}", fontsize=10
        )
        axes[1, column].set_xlabel(AXES[name])
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    main()

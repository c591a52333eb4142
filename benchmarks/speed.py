"""How fast everything is, on this machine, beside peers measured in the same run.

    python benchmarks/speed.py --out speed
    python benchmarks/speed.py --out speed --only train-paper fastai-train-paper
    python benchmarks/speed.py --out quick --quick

Writes OUT/speed.json after every row and OUT/speed.md at the end; the table goes to standard output
as well. Started again with the same OUT it measures what is missing or failed; rows named by --only
are measured again. Rows are medians of several repeats; fine-tuning and the time to quality, which
take minutes, are single runs. Rows of one kind of peer share a process. Leave the machine alone
meanwhile.

Peers come with the extra `bench`; one that is not installed gets a row that says so. Shares of peak
are operations of the matrix products that a model needs, counted from its shape, over the rate of
`torch.mm` on this machine in the same precision.

Data: genomes/NC_000913.3.gbk.gz in $GENOMIC_ULMFIT_DATA (default ../shared); without it, and with
--quick, a simulated genome, and the table says so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from genomic_ulmfit.files import write_json, write_text
from speed_rows import bert_peer, classifying, fastai_peer, language_model, machine, start_up, table
from speed_rows.commands import processor
from speed_rows.row import Bench, Row

MODULES = (machine, language_model, fastai_peer, classifying, bert_peer, start_up)
VERSIONS = ("genomic-ulmfit", "torch", "lightning", "fastai", "transformers")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("speed"), help="folder to write")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these rows again")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s"
    )
    arguments = parser.parse_args()

    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # for the commands that are started
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(arguments.quick, None if arguments.quick else find_genome(), Path(scratch))
        rows = all_rows(bench)
        names = [row.name for row in rows]
        for name in arguments.only or ():
            if name not in names:
                parser.error(f"--only: there is no row {name!r}; there are {', '.join(names)}")
        report = opened(arguments.out / "speed.json", settings(bench, arguments.threads), parser)
        results = report["rows"]
        wanted = [
            row
            for row in rows
            if (row.name in arguments.only if arguments.only else row.name not in results)
        ]
        failed = {}
        for name, result in measured(wanted, bench, arguments.threads):
            if "failed" in result:
                # It is not kept, so that it is measured again, and earlier figures stay.
                failed[name] = result
                kept = "; the table has what was measured before" if name in results else ""
                print(f"{name} FAILED: {result['failed']}{kept}", file=sys.stderr)
                continue
            results[name] = result
            report["time_to_quality"] = table.time_to_quality(results)
            write_json(arguments.out / "speed.json", report)
    text = written({**report, "rows": {**failed, **results}}, rows)
    write_text(arguments.out / "speed.md", text)
    print(text)
    if failed:
        sys.exit(1)


def find_genome() -> Path | None:
    folder = Path(os.environ.get("GENOMIC_ULMFIT_DATA", "../shared"))
    path = folder / "genomes" / "NC_000913.3.gbk.gz"
    return path if path.is_file() else None


def all_rows(bench: Bench) -> list[Row]:
    return [row for module in MODULES for row in module.rows(bench)]


def settings(bench: Bench, threads: int) -> dict[str, Any]:
    """Return what rows must share to stand in one table."""
    return {
        "quick": bench.quick,
        "genome": "simulated" if bench.genome is None else bench.genome.name,
        "processor": processor(),
        "threads": threads,
        "versions": {name: version(name) for name in VERSIONS},
    }


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def opened(path: Path, current: dict[str, Any], parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Return the report begun earlier under the same settings, or a new one."""
    if not path.exists():
        return {"benchmark": "speed", "settings": current, "time_to_quality": None, "rows": {}}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # An older version kept them.
    report["rows"] = {k: row for k, row in report["rows"].items() if "failed" not in row}
    for key, value in report["settings"].items():
        if value != current[key]:
            parser.error(
                f"--out: {path} was measured with {key} {value}, now it is {current[key]}; "
                "name another folder"
            )
    return report


def measured(rows: list[Row], bench: Bench, threads: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure rows, each process's when the one before has ended."""
    for _, group in groupby(rows, key=lambda row: row.process or row.name):
        left = []
        for row in group:
            if row.package is None or importlib.util.find_spec(row.package):
                left.append(row.name)
            else:
                reason = f"{row.package} is not installed: pip install -e '.[bench]'"
                yield row.name, {"skipped": reason}
        if not left:
            continue
        # A fork has everything imported already; elsewhere than on Linux it is not safe.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(left, bench, threads, sending))
        process.start()
        sending.close()
        while left:
            print(f"{datetime.now():%H:%M:%S} {left[0]}", file=sys.stderr, flush=True)
            try:
                result = receiving.recv()
            except EOFError:
                process.join()
                result = {"failed": f"its process ended with exit code {process.exitcode}"}
            yield left.pop(0), result
        process.join()


def measure(names: list[str], bench: Bench, threads: int, sending: Connection) -> None:
    """Measure rows one after the other, in a process that is there for them alone."""
    torch.set_num_threads(threads)
    by_name = {row.name: row for row in all_rows(bench)}
    for name in names:
        begun = time.perf_counter()
        try:
            result = by_name[name].measure(bench).to_dict()
        except Exception as error:
            # One row must not cost the others; the exit code tells in the end.
            traceback.print_exc()
            result = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        row = by_name[name]
        facts = {"what": row.what, "unit": row.unit, "against": list(row.against)}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        sending.send(
            {**facts, **result, "measured": when, "took_seconds": time.perf_counter() - begun}
        )


def written(report: dict[str, Any], rows: list[Row]) -> str:
    """Return the table and what must be known to read it."""
    given, results = report["settings"], report["rows"]
    versions = ", ".join(f"{name} {value}" for name, value in given["versions"].items() if value)
    lines = [
        f"{given['processor']}; {given['threads']} threads; {versions}; genome: {given['genome']}."
    ]
    if given["quick"]:
        lines.append("QUICK: tiny sizes; this shows that everything runs, and no speed.")
    elif given["genome"] == "simulated":
        lines.append("SIMULATED GENOME: accuracies and losses say nothing about real bacteria.")
    lines += ["", table.markdown(rows, results)]
    found = report["time_to_quality"]
    if found is not None:
        sentences = table.time_to_quality_sentences(found, results["fastai-train-seed"])
        lines += ["", sentences]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

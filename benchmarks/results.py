"""Run the studies with labels and put their tables into docs/results.md.

    python benchmarks/results.py --genome NC_000913.3.gbk.gz --tss NC_000913.3_tss.bed \
        --species ../shared/external --out results --into docs/results.md

How few labels are enough in the three framings, other species, the three framings with all labels,
and one species on another. Each part goes on where it stopped, so the command can be repeated; the
whole takes some six hours on two cores. Of the file --into, what stands between the lines
`<!-- begin NAME -->` and `<!-- end NAME -->` of a part that was run is written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ending import ended
from genomic_ulmfit.files import require_writable, write_text
from genomic_ulmfit.reports.learning_curve import difference_rows, label, table_rows

BENCHMARKS = Path(__file__).parent
FRAMINGS = ("anchored", "upstream", "tss")
CURVES = tuple(f"curve-{framing}" for framing in FRAMINGS)
PARTS = (*CURVES, "framings", "species", "cross-species")


@dataclass(frozen=True)
class Place:
    """Where things are.

    Parameters
    ----------
    genome, tss, species : pathlib.Path
        GenBank file, BED of TSS, folder of tables.
    out : pathlib.Path
    encoders : sequence of str
        The last one is the one that is compared with all else.
    repeats : int
        Subsets of each size in the learning curves.
    """

    genome: Path
    tss: Path
    species: Path
    out: Path
    encoders: Sequence[str]
    repeats: int

    @property
    def encoder(self) -> str:
        return self.encoders[-1]


def main() -> int:
    data = Path(os.environ.get("GENOMIC_ULMFIT_DATA", "../shared"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--genome", type=Path, default=data / "genomes" / "NC_000913.3.gbk.gz", help="GenBank file"
    )
    parser.add_argument(
        "--tss", type=Path, default=data / "external" / "NC_000913.3_tss.bed", help="BED of TSS"
    )
    parser.add_argument(
        "--species", type=Path, default=data / "external", help="folder of tables, one a species"
    )
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--into", type=Path, help="Markdown file to put the tables into")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--encoders", nargs="+", default=["e-coli", "bacteria"])
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    for name in ("genome", "tss", "species"):
        if not getattr(given, name).exists():
            parser.error(f"--{name}: there is no {getattr(given, name)}")
    if given.into is not None:
        if not given.into.is_file():
            parser.error(f"--into: there is no file {given.into}")
        text = given.into.read_text(encoding="utf-8")
        for part in given.only:
            if any(text.count(mark) != 1 for mark in marks(part)):
                lines = " and one ".join(mark.strip() for mark in marks(part))
                parser.error(f"--into: {given.into} needs one line {lines}")
    place = Place(given.genome, given.tss, given.species, given.out, given.encoders, given.repeats)
    return ended(lambda say: run_parts(given.only, place, given.into, say))


def run_parts(
    parts: Sequence[str], place: Place, into: Path | None, say: Callable[[str], None]
) -> None:
    """Run parts one after the other, and put the tables of each into the page at once."""
    require_writable(place.out)
    for part in parts:
        say(f"== {part}")
        fragment = run_part(part, place)
        print(fragment, flush=True)
        if into is not None:
            text = into.read_text(encoding="utf-8")
            write_text(into, with_fragment(text, part, fragment))


def run_part(part: str, place: Place) -> str:
    """Run one part, or what is left of it, and return its tables as Markdown."""
    if part in CURVES:
        return curve(part.removeprefix("curve-"), place)
    if part == "framings":
        for framing in FRAMINGS:
            windows(framing, place)
        return external(place.out / "windows", place.out / part, place)
    if part == "species":
        return external(place.species, place.out / part, place)
    return cross_species(place)


def windows(framing: str, place: Place) -> Path:
    """Cut the windows of a framing; studies notice if they are others than before."""
    table = place.out / "windows" / f"{framing}.csv"
    options = ["--tss", place.tss] if framing == "tss" else []
    command("data", "promoters", place.genome, "--framing", framing, *options, "--out", table)
    return table


def curve(framing: str, place: Place) -> str:
    out = place.out / f"curve-{framing}"
    encoders = [word for name in place.encoders for word in ("--encoder", name)]
    command(
        *("learning-curve", windows(framing, place), *encoders),
        *("--repeats", place.repeats, "--out", out),
    )
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    best = list(results["encoders"])[-1]
    sizes = [size if size == "all" else f"{int(size):,}" for size in results["sizes"]]
    parts = []
    for metric in ("accuracy", "auroc"):
        parts += [row([f"{metric_name(metric)}, labelled sequences", *sizes]), rule(sizes)]
        parts += [row(cells) for cells in table_rows(results, metric)]
        parts.append("")
    parts += [row([f"accuracy of {label(best)} over", *sizes]), rule(sizes)]
    parts += [
        row([other, *cells])
        for encoder, other, *cells in difference_rows(results)
        if encoder == label(best)
    ]
    return "\n".join(parts)


def external(tables: Path, out: Path, place: Place) -> str:
    script("external.py", tables, "--out", out, "--encoder", place.encoder)
    return (out / "external.md").read_text(encoding="utf-8").rstrip()


def cross_species(place: Place) -> str:
    """Return AUROC with a row per training species, the small CNN's in brackets."""
    found: dict[str, dict[str, Any]] = {}
    out = place.out / "species"
    for model in ("encoder", "cnn"):
        script(
            *("cross_species.py", place.species, "--out", out),
            *("--encoder", place.encoder, "--model", model),
        )
        path = out / f"cross_species_{model}.json"
        found[model] = json.loads(path.read_text(encoding="utf-8"))
    names = [name.replace("_", " ") for name in found["encoder"]["names"]]
    lines = [row(["trained on", *names]), rule(names)]
    for name, *both in zip(names, found["encoder"]["auroc"], found["cnn"]["auroc"], strict=True):
        cells = [
            "–" if ours is None else f"{ours:.3f} ({theirs:.3f})"
            for ours, theirs in zip(*both, strict=True)
        ]
        lines.append(row([name, *cells]))
    return "\n".join(lines)


def metric_name(metric: str) -> str:
    return "AUROC" if metric == "auroc" else metric


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def rule(columns: Sequence[str]) -> str:
    return "|" + "---|" * (len(columns) + 1)


def command(*arguments: object) -> None:
    run([sys.executable, "-m", "genomic_ulmfit", *map(str, arguments)])


def script(name: str, *arguments: object) -> None:
    run([sys.executable, str(BENCHMARKS / name), *map(str, arguments)])


def run(words: list[str]) -> None:
    # Standard output is for the tables. What went wrong, the command has said itself.
    if code := subprocess.run(words, check=False, stdout=sys.stderr).returncode:
        sys.exit(code)


def marks(part: str) -> tuple[str, str]:
    """Return the lines that a part's tables stand between."""
    return f"<!-- begin {part} -->\n", f"<!-- end {part} -->\n"


def with_fragment(text: str, part: str, fragment: str) -> str:
    """Return a Markdown text with what stands between a part's two lines written anew."""
    begin, end = marks(part)
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{fragment}\n\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    sys.exit(main())

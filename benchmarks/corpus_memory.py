"""Peak memory of building and reading corpora of growing size: it must not grow with them.

    python benchmarks/corpus_memory.py --mbp 20 80 320

Makes up random genomes of 5 Mbp in a temporary folder, builds corpora of 1x, 4x and 16x of them
with the code of `genomic-ulmfit data corpus`, reads one epoch of training windows and all held-out
windows, and fits Markov models up to order 11. Every step runs in a process of its own; printed is
its peak resident memory and its processor time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

GENOME = 5_000_000
STEPS = ("import", "build", "read", "markov")


def main() -> None:
    # Nothing large may be imported here: a process also counts what its parent's memory was
    # while it was being started.
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mbp", type=int, nargs="+", default=[20, 80, 320], help="corpus sizes")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        name, folder = arguments.step
        run_step(name, Path(folder), arguments.mbp[0])
        return
    print("| Mbp | bases.2bit, MB | step | peak memory, MB | CPU seconds |")
    print("|---|---|---|---|---|")
    for mbp in arguments.mbp:
        with tempfile.TemporaryDirectory() as folder:
            measure("genomes", folder, mbp)
            for step in STEPS:
                peak, seconds = measure(step, folder, mbp)
                bases = Path(folder) / "corpus" / "bases.2bit"
                size = f"{bases.stat().st_size / 1e6:.1f}" if bases.exists() else "-"
                print(f"| {mbp} | {size} | {step} | {peak:.0f} | {seconds:.1f} |", flush=True)


def measure(step: str, folder: str, mbp: int) -> list[float]:
    """Run a step in its own process; return its peak memory in MB and its processor seconds."""
    done = subprocess.run(
        [sys.executable, __file__, "--mbp", str(mbp), "--step", step, folder],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(figure) for figure in done.stdout.split()]


def run_step(step: str, folder: Path, mbp: int) -> None:
    from genomic_ulmfit.data.corpus_folder import open_corpus, write_corpus
    from genomic_ulmfit.data.streams import HeldOutWindows, TokenStreams
    from genomic_ulmfit.dna.tokenizer import KmerTokenizer
    from genomic_ulmfit.models.markov import markov_report

    if step == "genomes":
        write_genomes(folder, mbp)
    elif step == "build":
        write_corpus(sorted(folder.glob("*.fna")), folder / "corpus", progress=False)
    elif step == "read":
        corpus, tokenizer = open_corpus(folder / "corpus"), KmerTokenizer()
        n_tokens = sum(w[1:].numel() for w, _ in TokenStreams(corpus, tokenizer, 64, 100, seed=0))
        assert n_tokens > 0.99 * corpus.n_train / tokenizer.stride
        assert sum(1 for _ in HeldOutWindows(corpus, tokenizer))
    elif step == "markov":
        corpus = open_corpus(folder / "corpus")
        markov_report(corpus.training_text(), corpus.held_out_text())
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_maxrss * unit / 1e6, used.ru_utime + used.ru_stime)


def write_genomes(folder: Path, mbp: int) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    for number in range(-(-mbp * 1_000_000 // GENOME)):
        with open(folder / f"{number}.fna", "wb") as handle:
            handle.write(f">chromosome_{number}\n".encode())
            size = min(GENOME, mbp * 1_000_000 - number * GENOME)
            for row in letters[rng.integers(0, 4, (size // 80, 80))]:
                handle.write(row.tobytes() + b"\n")


if __name__ == "__main__":
    main()

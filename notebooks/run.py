"""Run the notebooks, in order, and write their outputs into them.

    python notebooks/run.py              # for real: twenty minutes on two cores
    python notebooks/run.py 4            # one of them, on what the others left
    python notebooks/run.py --tiny --out elsewhere

Notebooks run in a folder of their own, with what they leave for each other in `work/` there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from genomic_ulmfit.files import write_text

NOTEBOOKS = Path(__file__).resolve().parent
FOLDER = NOTEBOOKS.parent / "build" / "notebooks"
SCALE = "GENOMIC_ULMFIT_NOTEBOOK_SCALE"


def main() -> int:
    """Run what the command line asks for; 1 if a cell fails."""
    parser = argparse.ArgumentParser(description="Run the notebooks and write their outputs.")
    parser.add_argument("numbers", nargs="*", help="which ones, by number; all if none is given")
    parser.add_argument("--tiny", action="store_true", help="on a small simulated genome")
    parser.add_argument(
        "--out", type=Path, help="folder to write to, instead of into the notebooks themselves"
    )
    arguments = parser.parse_args()
    if arguments.tiny and arguments.out is None:
        parser.error("--tiny: name a folder with --out; the notebooks hold outputs of a real run")
    if arguments.tiny:
        os.environ[SCALE] = "tiny"
    else:
        os.environ.pop(SCALE, None)
    # Relative paths would be looked for where the notebooks run.
    if data := os.environ.get("GENOMIC_ULMFIT_DATA"):
        os.environ["GENOMIC_ULMFIT_DATA"] = str(Path(data).resolve())

    folder = FOLDER if arguments.out is None else arguments.out.resolve()
    paths = sorted(NOTEBOOKS.glob("[0-9]_*.ipynb"))
    unknown = set(arguments.numbers) - {path.name[0] for path in paths}
    if unknown:
        parser.error(f"there is no notebook {', '.join(sorted(unknown))}")
    if not arguments.numbers:
        shutil.rmtree(folder / "work", ignore_errors=True)
    (folder / "work").mkdir(parents=True, exist_ok=True)
    for path in paths:
        if arguments.numbers and path.name[0] not in arguments.numbers:
            continue
        print(path.name, file=sys.stderr)
        try:
            text = executed(path, folder)
        except CellExecutionError as error:
            print(error, file=sys.stderr)
            return 1
        write_text((NOTEBOOKS if arguments.out is None else folder) / path.name, text)
    return 0


def executed(path: Path, folder: Path) -> str:
    """Return a notebook with the outputs of running it in `folder`.

    Nothing is kept that differs from run to run or from machine to machine: no times, no
    version of Python, and what went to standard error goes there.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                print(output["text"], end="", file=sys.stderr)
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    sys.exit(main())

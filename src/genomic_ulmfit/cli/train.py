"""`genomic-ulmfit train`: a classifier from labelled sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genomic_ulmfit.limits import LARGEST_SEED


def train(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Labelled sequences: CSV or TSV with columns sequence and label (optional: id, "
            "split, and anchor, the bases of each sequence before its site), or FASTA with "
            "label=... in its descriptions.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the classifier to.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="Language model to start from: the name of a shipped one (see genomic-ulmfit "
            "models), a folder, or none.",
            show_default="bacteria; none with --preset",
        ),
    ] = "auto",
    head: Annotated[
        str,
        typer.Option(
            help="auto (what the number of labels pays for), probe (linear, sequences of one "
            "length), or a fine-tuned network: position (one length: sees what stands where) "
            "or pooling (any lengths)."
        ),
    ] = "auto",
    preset: Annotated[
        str | None,
        typer.Option(help="Size without an encoder: tiny, small or paper.", show_default="small"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs of all layers, however long earlier stages take: of the last of "
            "fine-tuning's four stages, or of the only one (without an encoder; sequences of "
            "several lengths, and --head pooling, from 100 labels on).",
            show_default="the recipe's",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Seed of the random numbers for weights, dropout and batches; the same seed "
            "gives the same training.",
        ),
    ] = 0,
) -> None:
    """Train a classifier of DNA sequences, any number of classes.

    What is trained depends on the number of labels: a linear probe of the
    frozen language model from few, and from 1,500 on also a small network on
    top of it and one over bases alone, their logits averaged. Sequences of
    several lengths have no positions to weigh: for them the language model is
    fine-tuned with a head that pools, whatever the number of labels. --head
    position fine-tunes it for sequences of one length, too, which takes about
    twice as long and gained nothing where we measured it.

    With a split column, rows marked train are learnt from, rows marked
    valid are watched, rows marked test are left for `genomic-ulmfit
    evaluate`. Without one, every row is learnt from.

    Training starts from a language model of 46 bacterial genomes that comes
    with this program, unless --encoder names another.

    Examples:

      genomic-ulmfit train promoters.csv --out model

      genomic-ulmfit train promoters.csv --encoder encoder --out model

    Writes model.safetensors, config.json and card.md into --out.
    """
    from genomic_ulmfit.console import counted, marked, note, plain_console
    from genomic_ulmfit.training.finetuning_job import train_classifier

    try:
        training = train_classifier(
            table, out, encoder=encoder, preset=preset, head=head, epochs=epochs, seed=seed
        )
    except KeyboardInterrupt:
        plain_console(stderr=True).print(marked("Stopped.", "No model was written."))
        raise typer.Exit(130) from None

    console = plain_console()
    for point in training["curve"]:
        watched = (
            ""
            if point["valid_accuracy"] is None
            else f", valid loss {point['valid_loss']:.4f}, accuracy {point['valid_accuracy']:.4f}"
        )
        console.print(
            f"epoch {point['epoch']} ({point['stage']}): loss {point['train_loss']:.4f}{watched}"
        )
    accuracy = training["valid_accuracy"]
    watched = "" if accuracy is None else f"; accuracy on validation rows {accuracy:.4f}"
    if training["simulated"]:
        console.print(
            "SIMULATED SEQUENCES: the model knows nothing of real DNA.", style="bold yellow"
        )
    console.print(f"{counted(training['n_train'], 'sequence')}, {training['trained']}{watched}")
    console.print(f"written to {out}")
    for text in training["notes"]:
        note(text)

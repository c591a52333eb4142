"""Names and order shared by the tables, figures and HTML report of a study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from genomic_ulmfit.reports.names import (
    BASELINE_LABELS,
    WITHOUT_ENCODER,
    WITHOUT_ENCODER_LABEL,
    Metric,
)
from genomic_ulmfit.reports.numbers import interval, number
from genomic_ulmfit.reports.reproduction.results import (
    Comparison,
    Estimate,
    GenomeFacts,
    GenomeRead,
    LanguageModelFacts,
    StudyResults,
)

SIMULATED = "SIMULATED GENOME"

MODEL_ORDER = (
    "naive",
    "e_coli",
    "e_coli_seed_head",
    "ensemble",
    "ensemble_seed_head",
    WITHOUT_ENCODER,
    "onehot_lr",
    "kmer_lr",
    "cnn",
)
PRETRAINED = ("ensemble", "e_coli", "ensemble_seed_head", "e_coli_seed_head")
"""From the most that pretraining has to offer to the least."""

BASELINES = ("onehot_lr", "kmer_lr", "cnn")

PROTOCOLS = {
    "strict": "strict protocol",
    "seed": "seed's protocol",
}
PROTOCOL_MEANINGS = {
    "strict": (
        "whole homology clusters (any shared 15-mer, either strand, or overlapping coordinates) "
        "go to train, validation or test"
    ),
    "seed": (
        "the seed's own split: test and validation from one maximal independent set of the "
        "homology graph, everything else to train"
    ),
}

METRIC_LABELS: dict[Metric, str] = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "mcc": "MCC",
    "auroc": "AUROC",
    "auprc": "AUPRC",
}


@dataclass(frozen=True)
class Published:
    """A row of the seed's own table: one run, on its own split of 830 test sequences."""

    model: str
    label: str
    values: dict[Metric, float]


PUBLISHED = (
    Published(
        "naive", "naive", {"accuracy": 0.834, "precision": 0.847, "recall": 0.816, "mcc": 0.670}
    ),
    Published(
        "e_coli",
        "E. coli genome pretraining",
        {"accuracy": 0.919, "precision": 0.941, "recall": 0.893, "mcc": 0.839},
    ),
    Published(
        "ensemble",
        "genomic ensemble pretraining",
        {"accuracy": 0.973, "precision": 0.980, "recall": 0.966, "mcc": 0.947},
    ),
)
PUBLISHED_N_TEST = 830
PUBLISHED_MARK = "seed, one run, its own split"
PUBLISHED_MEANING = (
    "The seed is the notebook study that this package reproduces; its rows hold the numbers it "
    "published."
)

# The seed's E. coli language model: validation loss in nats per token at stride 2, accuracy.
PUBLISHED_LANGUAGE_MODEL = {"epochs": 30, "loss": 2.629, "accuracy": 0.147, "stride": 2}

_E_COLI_K12 = ("NC_000913", "U00096", "GCF_000005845", "GCA_000005845")


def text_label(row: str, results: StudyResults) -> str:
    """Say in a few words what the language model of a pretrained row has read.

    The `e_coli` row keeps its name in the results whatever genome its language model was given;
    what a reader sees must not call a made-up genome, or another bacterium's, E. coli.
    """
    if row == "ensemble":
        return "genomic ensemble"
    return f"{_genome_read(row, results)} genome"


def _genome_read(row: str, results: StudyResults) -> str:
    genome = results["genome"]
    facts = language_model(row, results)
    if facts is None or facts["has_read_genome"]:
        name, simulated = genome["name"], genome["simulated"]
    else:
        read = text_of(facts)
        name, simulated = read["name"], read["simulated"]
    if simulated:
        return "simulated"
    return "E. coli" if name.startswith(_E_COLI_K12) else name


def language_model(row: str, results: StudyResults) -> LanguageModelFacts | None:
    """Return what is known of the language model that a row starts from."""
    return next((facts for facts in results["language_models"] if facts["name"] == row), None)


def text_of(facts: LanguageModelFacts) -> GenomeRead:
    """Return what a language model has read as if it were one genome."""
    genomes = facts["genomes"]
    return {
        "name": genomes[0]["name"] if len(genomes) == 1 else f"{len(genomes):,} genomes",
        "n_bases": sum(genome["n_bases"] for genome in genomes),
        "simulated": any(genome["simulated"] for genome in genomes),
    }


def model_label(model: str, results: StudyResults) -> str:
    """Return what to call a model in print; an unknown model keeps its name."""
    head = ", seed's head (pooling only)"
    return {
        "naive": "naive (no pretraining)",
        "e_coli": f"{text_label('e_coli', results)} pretraining",
        "e_coli_seed_head": f"{text_label('e_coli', results)} pretraining{head}",
        "ensemble": f"{text_label('ensemble', results)} pretraining",
        "ensemble_seed_head": f"{text_label('ensemble', results)} pretraining{head}",
        WITHOUT_ENCODER: WITHOUT_ENCODER_LABEL,
        **BASELINE_LABELS,
    }.get(model, model)


def model_rank(model: str) -> tuple[int, str]:
    """Sort key: the seed's order, then the baselines, then unknown models by name."""
    if model in MODEL_ORDER:
        return MODEL_ORDER.index(model), model
    return len(MODEL_ORDER), model


def protocol_label(protocol: str) -> str:
    """Return what to call a protocol in print; an unknown protocol keeps its name."""
    return PROTOCOLS.get(protocol, f"{protocol} protocol")


def protocols(results: StudyResults) -> list[str]:
    """Return the protocols that have results, `strict` first and then as they appear."""
    found = dict.fromkeys(summary["protocol"] for summary in results["summary"])
    return sorted(found, key=lambda protocol: protocol != "strict")


def marked(genome: GenomeFacts | GenomeRead, text: str) -> str:
    """Put the simulated-genome mark before a title or caption, where it applies."""
    return f"{SIMULATED}: {text}" if genome["simulated"] else text


def excludes_zero(comparisons: Iterable[Comparison]) -> bool | None:
    """Tell whether every interval of a difference excludes 0; None where there is no interval."""
    ends = [(one["low"], one["high"]) for one in comparisons]
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    return all(low > 0 or high < 0 for low, high in known) if known else None


def estimate(value: Estimate) -> str:
    """Format a mean with its interval, when it has one."""
    return f"{number(value['mean'])} {interval(value['low'], value['high'])}".rstrip()


def seeds_phrase(seeds: Sequence[int]) -> str:
    """Say what the numbers are a mean of."""
    listed = ", ".join(str(seed) for seed in seeds)
    if len(seeds) == 1:
        return f"seed {listed} alone, so no interval"
    return f"mean and 95 % Student t interval over {len(seeds)} seeds: {listed}"


def capitalised(text: str) -> str:
    """Return `text` with its first letter, and no other, in upper case."""
    return text[:1].upper() + text[1:]

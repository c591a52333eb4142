"""What a report says in sentences, written from the numbers."""

from __future__ import annotations

from genomic_ulmfit.reports.names import WITHOUT_ENCODER
from genomic_ulmfit.reports.numbers import interval, number
from genomic_ulmfit.reports.reproduction.labels import (
    BASELINES,
    PRETRAINED,
    SIMULATED,
    capitalised,
    estimate,
    excludes_zero,
    model_label,
    protocol_label,
    protocols,
    seeds_phrase,
    text_label,
    text_of,
)
from genomic_ulmfit.reports.reproduction.results import Comparison, StudyResults, Summary

QUESTION = (
    "A language model reads whole genomes without any labels; a classifier then starts from what "
    "it learned. Does that help to tell the sequence around the start of a gene, where its "
    "promoter lies, from sequence inside genes, compared with a network of the same size without "
    "pretraining and with simple baselines?"
)


QUICK_MEANING = (
    "Quick run: the strict protocol alone, without the seed's head, and with encoders that ship, "
    "whatever the genome."
)


def answer(results: StudyResults) -> tuple[str, str]:
    """Answer the study's question in two sentences.

    Parameters
    ----------
    results : StudyResults

    Returns
    -------
    tuple of (str, str)
        How well the pretrained model does beside its rivals on the strictest protocol, and
        which of the margins are more than chance. The pretrained model is the first there is of
        a fixed list, not the one that did best on the test split.
    """
    names = protocols(results)
    if not names:
        return "No model has been scored yet.", "There is nothing to compare."
    protocol = names[0]
    scored = {
        summary["model"]: summary
        for summary in results["summary"]
        if summary["protocol"] == protocol
    }
    subject = next((model for model in PRETRAINED if model in scored), next(iter(scored)))
    return _score_sentence(results, scored, subject), _margin_sentence(results, protocol, subject)


def _score_sentence(results: StudyResults, scored: dict[str, Summary], subject: str) -> str:
    own = scored[subject]
    rivals = []
    if "naive" in scored and subject != "naive":
        rivals.append(
            f"{estimate(scored['naive']['accuracy'])} for a network of the same size "
            "without pretraining"
        )
    if subject == "ensemble" and "e_coli" in scored:
        rivals.append(
            f"{estimate(scored['e_coli']['accuracy'])} for “{model_label('e_coli', results)}”"
        )
    baselines = [model for model in BASELINES if model in scored and model != subject]
    if baselines:
        best = max(baselines, key=lambda model: scored[model]["accuracy"]["mean"] or 0.0)
        rivals.append(
            f"{estimate(scored[best]['accuracy'])} for the best baseline, "
            f"{model_label(best, results)}"
        )
    against = f", against {_and(rivals)}" if rivals else ""
    where = f"On a {SIMULATED}, t" if results["genome"]["simulated"] else "T"
    label = model_label(subject, results)
    return (
        f"{where}he model “{label}” reaches an accuracy of {estimate(own['accuracy'])} on "
        f"{own['n_test']:,} held-out sequences ({protocol_label(own['protocol'])}; "
        f"{seeds_phrase(results['seeds'])}){against}."
    )


def _margin_sentence(results: StudyResults, protocol: str, subject: str) -> str:
    by_rival: dict[str, list[Comparison]] = {}
    for comparison in results["comparisons"]:
        if (
            comparison["a"] == subject
            and comparison["b"] in ("naive", "e_coli", WITHOUT_ENCODER, *BASELINES)
            and comparison["protocol"] == protocol
            and comparison["metric"] == "accuracy"
        ):
            by_rival.setdefault(comparison["b"], []).append(comparison)
    if not by_rival:
        return (
            "The models were not compared pair by pair, so these numbers alone do not tell which "
            "differences are more than chance."
        )
    clauses = [
        _margin(model_label(rival, results), comparisons) for rival, comparisons in by_rival.items()
    ]
    return f"Compared pair by pair, it is {_and(clauses)}."


def _margin(rival: str, comparisons: list[Comparison]) -> str:
    """Say what one pair of models is worth, by the most cautious of its intervals."""
    widest = max(comparisons, key=_width)
    difference, low, high = widest["difference"], widest["low"], widest["high"]
    if difference is None or low is None or high is None:
        return f"{number(difference, sign=True)} from {rival}, without an interval"
    if excludes_zero(comparisons):
        if difference > 0:
            return f"better than {rival} by {number(difference)} {interval(low, high)}"
        return f"worse than {rival} by {number(-difference)} {interval(-high, -low)}"
    return (
        f"not distinguishable from {rival} (difference {number(difference, sign=True)} "
        f"{interval(low, high, sign=True)})"
    )


def _width(comparison: Comparison) -> float:
    """Return how wide an interval is; one that is missing counts as the narrowest."""
    low, high = comparison["low"], comparison["high"]
    return -1.0 if low is None or high is None else high - low


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def leakage_sentences(results: StudyResults) -> list[str]:
    """Say for each protocol how much of its test split has relatives in its training split."""
    sentences = []
    for protocol, counts in results["leakage"].items():
        sharing, n_test = counts.get("test_sharing_15mer_with_train"), counts.get("n_test")
        if sharing is None or not n_test:
            continue
        sentences.append(
            f"{capitalised(protocol_label(protocol))}: {sharing:,} of {n_test:,} test "
            f"sequences ({100 * sharing / n_test:.1f} %) share a 15-mer, on either strand, with "
            "a training sequence."
        )
    return sentences


def language_model_sentences(results: StudyResults) -> list[str]:
    """Say of each language model where it comes from and whether it knows the study's genome."""
    sentences = []
    for facts in results["language_models"]:
        if facts["shipped"]:
            origin = f"{facts['encoder']}, which comes with this program"
        elif facts["name"] == "ensemble":
            origin = f"{facts['encoder']}, given by --ensemble"
        else:
            origin = "one trained in this study"
        read = text_of(facts)
        cut = facts["windows_cut"]
        if not facts["has_read_genome"]:
            known = "It has not read this study's genome."
        elif cut:
            known = (
                "It has read this study's genome, without labels, except for its held-out regions "
                f"and for {cut:,} windows that were cut out to be tested on."
            )
        else:
            known = (
                "It has read this study's genome, test windows included, but without labels and "
                "except for its held-out regions."
            )
        sentences.append(
            f"Language model of {text_label(facts['name'], results)} pretraining: {origin} "
            f"(sha256 {facts['sha256']}); it was trained on {read['name']}, "
            f"{read['n_bases'] / 1e6:,.1f} million bases. {known}"
        )
    return sentences


def simulated_sentence(results: StudyResults) -> str:
    """Warn of a made-up genome; nothing where the genome is a real one."""
    if not results["genome"]["simulated"]:
        return ""
    real = any(not text_of(facts)["simulated"] for facts in results["language_models"])
    return (
        f"{SIMULATED}. This genome was made up by the program. Every number on this page is about "
        "it, and none about real bacteria"
        + (", except the scores of language models that have read real genomes." if real else ".")
    )


def genome_sentence(results: StudyResults) -> str:
    """Say which genome was used, and whether it is a real one."""
    genome = results["genome"]
    sentence = (
        f"{genome['name']}, {genome['n_bases']:,} bases, {genome['n_genes']:,} "
        f"annotated genes, from {genome['source']}."
    )
    if genome["simulated"]:
        return (
            f"{SIMULATED}: {sentence} It was made up by this program; the numbers show that the "
            "program works and say nothing about real bacteria."
        )
    return sentence


def machine_sentence(results: StudyResults) -> str:
    """Say what the study ran on, with which versions."""
    machine = results["machine"]
    return (
        f"genomic-ulmfit {results['version']}, PyTorch {machine['torch']}, "
        f"{machine['precision']}, preset {results['preset']}"
        f"{', quick' if results['quick'] else ''}, seeds "
        f"{', '.join(str(seed) for seed in results['seeds'])}; {machine['cpu']}, "
        f"{machine['cores']} core{'' if machine['cores'] == 1 else 's'}; {results['created']}."
    )


def limits(results: StudyResults) -> list[str]:
    """Say what these results do not show."""
    sentences = [
        "Promoter windows are cut around annotated gene starts, not around measured "
        "transcription start sites. A start codon at a fixed place is easy to recognise, and "
        "simple models that see position score well too, which is why they stand in the same "
        "tables.",
        "The seed's published numbers come from its own split and one run; they stand beside "
        "these for orientation and cannot be subtracted from them.",
    ]
    if len(results["seeds"]) == 1:
        sentences.append(
            "One seed was run: nothing here says how far another seed would land from it."
        )
    else:
        sentences.append(
            f"Intervals say how much {len(results['seeds'])} seeds differ. They do not cover "
            "another genome, or another idea of what a promoter is."
        )
    if any(facts["has_read_genome"] for facts in results["language_models"]):
        sentences.append(
            "Language models have read this genome, without labels. What pretraining is worth on "
            "a genome that no language model has read is not shown here."
        )
    for protocol, counts in results["leakage"].items():
        if counts.get("test_sharing_15mer_with_train"):
            sentences.append(
                f"On the {protocol_label(protocol)}, part of the test split has relatives in the "
                "training split, so that its scores flatter every model that can memorise."
            )
    if results["quick"]:
        sentences.insert(0, QUICK_MEANING)
    if results["genome"]["simulated"]:
        sentences.insert(
            0,
            f"{SIMULATED}: the sequence was made up by this program, promoters and all. These "
            "scores say nothing about real bacteria.",
        )
    return sentences

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import encode
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models import markov
from genomic_ulmfit.models.markov import MarkovModel, markov_report

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
STRENGTHS = [2.0**i for i in range(15)]

texts = st.lists(st.text("ACGTN", max_size=40), min_size=1, max_size=4)
training_texts = texts.filter(lambda pieces: any(set(piece) - {"N"} for piece in pieces))


def codes_of(pieces):
    return [encode(piece) for piece in pieces]


def random_codes(length, seed=0):
    return np.random.default_rng(seed).integers(4, size=length).astype(np.uint8)


class SlowMarkov:
    """The same model with dictionaries, one base at a time."""

    def __init__(self, pieces):
        self.words = Counter()
        for piece in pieces:
            for strand in (piece, piece[::-1].translate(COMPLEMENT)):
                for start, end in itertools.combinations(range(len(strand) + 1), 2):
                    if end - start <= 6 and "N" not in strand[start:end]:
                        self.words[strand[start:end]] += 1

    def probability(self, context, base, strengths, left_out=0):
        lower = 0.25
        for order in range(len(context) + 1):
            near = context[len(context) - order :]
            total = sum(self.words[near + other] for other in "ACGT")
            count = self.words[near + base]
            strength = strengths[order]
            lower = (count - left_out + strength * lower) / (total - left_out + strength)
        return lower

    def left_out_gain(self, order, strengths):
        return sum(
            count * math.log(self.probability(word[:-1], word[-1], strengths, left_out=1))
            for word, count in self.words.items()
            if len(word) == order + 1
        )

    def bits_per_base(self, pieces, order, strengths):
        bits = []
        for piece in pieces:
            for position, base in enumerate(piece):
                if base == "N":
                    continue
                context = piece[max(0, position - order) : position].rpartition("N")[2]
                bits.append(-math.log2(self.probability(context, base, strengths)))
        return sum(bits) / len(bits)


@settings(deadline=None, max_examples=60)
@given(training_texts, training_texts, st.integers(0, 4))
@example(["A"], ["AA"], 4)
def test_equals_a_slow_dictionary_model(train, held_out, order):
    model = MarkovModel(order).fit(codes_of(train))
    slow = SlowMarkov(train)
    expected = slow.bits_per_base(held_out, order, model.strengths)
    assert model.bits_per_base(codes_of(held_out)) == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=20)
@given(training_texts)
def test_strengths_make_the_left_out_bases_likeliest(train):
    model = MarkovModel(3).fit(codes_of(train))
    slow = SlowMarkov(train)
    for order, chosen in enumerate(model.strengths):
        before = model.strengths[:order]
        gains = [slow.left_out_gain(order, [*before, strength]) for strength in STRENGTHS]
        assert slow.left_out_gain(order, [*before, chosen]) == pytest.approx(max(gains), rel=1e-5)


def test_probabilities_of_all_texts_of_one_length_sum_to_one():
    model = MarkovModel(3).fit([random_codes(200)])
    texts_of_five = itertools.product(range(4), repeat=5)
    total = sum(
        2 ** (-5 * model.bits_per_base([np.array(text, dtype=np.uint8)])) for text in texts_of_five
    )
    assert total == pytest.approx(1, abs=1e-5)


def test_lower_order_of_a_model_is_the_model_of_that_order():
    train, held_out = [random_codes(3000)], [random_codes(500, seed=1)]
    high = MarkovModel(5).fit(train)
    for order in range(5):
        alone = MarkovModel(order).fit(train).bits_per_base(held_out)
        assert high.bits_per_base(held_out, order) == alone


def test_both_strands_count_alike():
    train, held_out = random_codes(2000), [random_codes(500, seed=1)]
    forward = MarkovModel(4).fit([train]).bits_per_base(held_out)
    reverse = MarkovModel(4).fit([3 - train[::-1]]).bits_per_base(held_out)
    assert forward == pytest.approx(reverse, rel=1e-9)


def test_working_in_batches_changes_nothing(monkeypatch):
    train = [random_codes(100, seed=seed) for seed in range(20)]
    held_out = [random_codes(50, seed=seed) for seed in range(50, 60)]
    whole = MarkovModel(3).fit(train).bits_per_base(held_out)
    monkeypatch.setattr(markov, "_BATCH", 150)
    assert MarkovModel(3).fit(train).bits_per_base(held_out) == pytest.approx(whole, rel=1e-12)


def test_random_text_costs_two_bits_and_high_orders_do_not_pretend_otherwise():
    report = markov_report([random_codes(100_000)], [random_codes(20_000, seed=1)], (0, 4, 8, 9))
    assert list(report) == [0, 4, 8, 9]
    for bits in report.values():
        assert 1.99 < bits < 2.02


def test_repetitive_text_costs_next_to_nothing_once_the_context_tells():
    motif = random_codes(50)
    report = markov_report([np.tile(motif, 200)], [np.tile(motif, 10)], (0, 8))
    assert report[0] > 1.8
    assert report[8] < 0.1


def test_an_order_no_context_of_which_was_seen_falls_back():
    model = MarkovModel(6).fit([encode("ACG"), encode("TTAN")])
    assert model.bits_per_base([random_codes(30)]) == model.bits_per_base([random_codes(30)], 3)


@pytest.mark.parametrize("order", [-1, 13])
def test_order_out_of_range(order):
    with pytest.raises(InputError, match=r"order: got .* allowed are 0 to 12"):
        MarkovModel(order)


def test_order_above_the_models():
    model = MarkovModel(2).fit([random_codes(50)])
    with pytest.raises(InputError, match="order: got 3, allowed are 0 to the model's 2"):
        model.bits_per_base([random_codes(50)], 3)


@pytest.mark.parametrize("pieces", [[], [""], ["NNN", "N"]])
def test_text_without_bases(pieces):
    with pytest.raises(InputError, match="training text"):
        MarkovModel(2).fit(codes_of(pieces))
    model = MarkovModel(2).fit([random_codes(50)])
    with pytest.raises(InputError, match="held-out text"):
        model.bits_per_base(codes_of(pieces))

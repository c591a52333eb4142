import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, encode, reverse_complement
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError

# A busy machine must not fail a test of what is computed.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

tokenizers = st.integers(1, 7).flatmap(
    lambda k: st.builds(KmerTokenizer, st.just(k), st.integers(1, k))
)


def code_lists(highest=AMBIGUOUS):
    return st.lists(st.integers(0, highest), min_size=1, max_size=60)


def slow_tokens(codes, tokenizer, phase):
    tokens = []
    for start in range(phase, len(codes) - tokenizer.k + 1, tokenizer.stride):
        kmer = codes[start : start + tokenizer.k]
        if AMBIGUOUS in kmer:
            tokens.append(4**tokenizer.k)
        else:
            tokens.append(int("".join(map(str, kmer)), base=4))
    return tokens


@unhurried
@given(tokenizers, code_lists(), st.integers(0, 9))
def test_tokens_agree_with_reading_one_kmer_after_the_other(tokenizer, codes, phase):
    expected = slow_tokens(codes, tokenizer, phase)
    assert tokenizer.n_tokens(len(codes), phase) == len(expected)
    array = np.array(codes, dtype=np.uint8)
    if not expected:
        with pytest.raises(InputError, match=f"at least {tokenizer.k + phase} are needed"):
            tokenizer.tokenize(array, phase)
        return
    tokens = tokenizer.tokenize(array, phase)
    assert tokens.dtype == np.uint16
    assert tokens.tolist() == expected
    assert array.tolist() == codes


@unhurried
@given(tokenizers, st.data(), st.integers(1, 5), st.integers(7, 40), st.integers(0, 3))
def test_rows_of_an_array_are_read_one_by_one(tokenizer, data, n_rows, length, phase):
    assume(tokenizer.n_tokens(length, phase))
    row = st.lists(st.integers(0, AMBIGUOUS), min_size=length, max_size=length)
    rows = data.draw(st.lists(row, min_size=n_rows, max_size=n_rows))
    tokens = tokenizer.tokenize(np.array(rows, dtype=np.uint8), phase)
    assert tokens.tolist() == [slow_tokens(codes, tokenizer, phase) for codes in rows]


@unhurried
@given(tokenizers, code_lists(highest=3))
def test_the_token_before_and_the_new_bases_make_the_next_token(tokenizer, codes):
    assume(tokenizer.n_tokens(len(codes)) > 1)
    tokens = tokenizer.tokenize(np.array(codes, dtype=np.uint8)).astype(int)
    news = tokenizer.new_bases(tokens)
    assert (news < tokenizer.n_new).all()
    for before, new, token in zip(tokens[:-1], news[1:], tokens[1:], strict=True):
        assert (before * tokenizer.n_new + new) % 4**tokenizer.k == token


@unhurried
@given(st.integers(1, 7), code_lists())
def test_the_other_strand_has_the_reverse_complement_of_each_kmer(k, codes):
    assume(len(codes) >= k)
    tokenizer = KmerTokenizer(k, 1)
    forward = np.array(codes, dtype=np.uint8)
    opposite = tokenizer.tokenize(reverse_complement(forward))[::-1]
    for token, other in zip(tokenizer.tokenize(forward), opposite, strict=True):
        kmer = tokenizer.to_kmer(int(token))
        complement = kmer[::-1].translate(str.maketrans("ACGT", "TGCA"))
        assert tokenizer.to_kmer(int(other)) == complement


@unhurried
@given(st.text(alphabet="ACGT", min_size=1, max_size=7))
def test_a_token_spells_its_kmer(kmer):
    tokenizer = KmerTokenizer(len(kmer), 1)
    (token,) = tokenizer.tokenize(encode(kmer))
    assert tokenizer.to_kmer(int(token)) == kmer


@pytest.mark.parametrize("k", range(1, 8))
def test_every_id_is_below_the_vocabulary_size(k):
    tokenizer = KmerTokenizer(k, 1)
    assert tokenizer.tokenize(encode("T" * k)).tolist() == [tokenizer.unknown - 1]
    assert tokenizer.tokenize(encode("N" * k)).tolist() == [tokenizer.unknown]
    assert tokenizer.unknown == tokenizer.vocab_size - 1


@pytest.mark.parametrize(("k", "stride"), [(0, 1), (8, 1), (5, 0), (5, 6), (-1, 1)])
def test_impossible_settings_are_refused(k, stride):
    with pytest.raises(InputError, match="allowed are 1 to"):
        KmerTokenizer(k, stride)


def test_a_negative_phase_is_refused():
    with pytest.raises(InputError, match="phase: got -1"):
        KmerTokenizer().tokenize(encode("ACGTACGT"), phase=-1)

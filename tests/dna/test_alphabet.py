import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genomic_ulmfit.dna.alphabet import (
    AMBIGUOUS,
    IUPAC_AMBIGUOUS,
    decode,
    encode,
    one_hot,
    reverse_complement,
)
from genomic_ulmfit.errors import InputError

# A busy machine must not fail a test of what is computed.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LETTERS = "ACGTU" + IUPAC_AMBIGUOUS
sequences = st.text(alphabet=LETTERS + LETTERS.lower(), max_size=200)


@unhurried
@given(sequences)
def test_encode_gives_each_letter_its_code(sequence):
    code = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}
    expected = [code.get(letter.upper(), AMBIGUOUS) for letter in sequence]
    codes = encode(sequence)
    assert codes.dtype == np.uint8
    assert codes.tolist() == expected
    assert encode(sequence.encode()).tolist() == expected


@unhurried
@given(sequences)
def test_decode_is_the_upper_case_dna_with_n_for_ambiguous(sequence):
    upper = sequence.upper().replace("U", "T")
    expected = "".join(letter if letter in "ACGT" else "N" for letter in upper)
    assert decode(encode(sequence)) == expected


@unhurried
@given(st.text(alphabet="ACGTN", max_size=200))
def test_reverse_complement_agrees_with_letters(sequence):
    expected = sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))
    codes = encode(sequence)
    assert decode(reverse_complement(codes)) == expected
    assert reverse_complement(reverse_complement(codes)).tolist() == codes.tolist()


@unhurried
@given(st.text(alphabet="ACGTN", max_size=50))
def test_one_hot_marks_the_base_and_nothing_for_ambiguous(sequence):
    encoded = one_hot(encode(sequence))
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(sequence), 4)
    for row, letter in zip(encoded, sequence, strict=True):
        assert row.tolist() == [float(letter == base) for base in "ACGT"]


def test_one_hot_keeps_leading_axes():
    codes = np.stack([encode("ACGT"), encode("NTTN")])
    assert one_hot(codes).shape == (2, 4, 4)
    assert np.array_equal(one_hot(codes)[1], one_hot(codes[1]))


@unhurried
@given(
    st.text(alphabet=LETTERS, max_size=30),
    st.sampled_from("EFILPQJOXZ*-. \n1é\0"),
    st.text(alphabet=LETTERS, max_size=30),
)
def test_a_foreign_letter_is_named_with_its_position(before, foreign, after):
    with pytest.raises(InputError) as caught:
        encode(before + foreign + after, name="record 'x'")
    assert f"record 'x': {foreign!r} at position {len(before) + 1} " in str(caught.value)

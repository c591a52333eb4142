"""Which class is asked about."""

from __future__ import annotations

import pytest

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.target_class import is_negative, target_index


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (("0", "1"), "1"),
        (("other", "promoter"), "promoter"),
        (("Promoter", "non-promoter"), "Promoter"),
        (("TSS", "other"), "TSS"),
        (("TSS", "not a TSS"), "TSS"),
        (("promoter", "random sequence"), "promoter"),
        (("negative", "positive"), "positive"),
        (("sigma54", "sigma70"), "sigma70"),
        (("no", "none"), "none"),
    ],
)
def test_of_two_classes_it_is_the_one_that_is_looked_for(
    classes: tuple[str, str], found: str
) -> None:
    assert classes[target_index(classes, None)] == found
    for index, name in enumerate(classes):
        assert target_index(classes, name) == index


@pytest.mark.parametrize("name", ["nose", "notch", "rest-site1", "10", "control region"])
def test_negative_names_are_whole_words(name: str) -> None:
    assert is_negative(name) is (name in ("rest-site1", "control region"))


def test_of_three_one_must_be_named() -> None:
    with pytest.raises(InputError, match="knows 3 classes"):
        target_index(("a", "b", "c"), None)


def test_which_class() -> None:
    assert target_index(("a", "b"), None) == 1
    assert target_index(("a", "b", "c"), "a") == 0
    with pytest.raises(ValueError, match="knows 3 classes; say which"):
        target_index(("a", "b", "c"), None)
    with pytest.raises(ValueError, match="got 'x', allowed are a, b"):
        target_index(("a", "b"), "x")

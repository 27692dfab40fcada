"""Names and seeds, before a folder is made of them."""

import pytest

from paribus.config.settings import check_settings
from paribus.errors import UserError


@pytest.mark.parametrize("name", ["first", "a b=c", "läufe-2.1", "_x"])
def test_plain_names_pass(name):
    check_settings({"name": name, "seed": 0})


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../x", "a/b", "/a", "a\\b", ".hidden", "a\nb", "a\0"])
def test_what_is_no_folder_is_refused(name):
    with pytest.raises(UserError, match="expected the plain name of a folder"):
        check_settings({"name": name})


def test_a_seed_below_zero_is_refused():
    with pytest.raises(UserError, match="seed=-3: expected a whole number of at least 0"):
        check_settings({"name": "a", "seed": -3})


def test_what_is_of_another_type_is_for_the_schema():
    check_settings({"name": None, "seed": "a"})

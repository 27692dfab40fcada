import pytest

from paribus.errors import stopped


def halfway(cause):
    try:
        raise cause
    except BaseException as error:
        on_its_way_out = AttributeError("of a library that cleans up")
        on_its_way_out.__context__ = error
        return on_its_way_out


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, False),
        (KeyboardInterrupt(), True),
        (ValueError(), False),
        (halfway(KeyboardInterrupt()), True),
        (halfway(halfway(KeyboardInterrupt())), True),
        (halfway(OSError()), False),
    ],
)
def test_an_interrupt_is_known_by_what_it_caused(error, expected):
    assert stopped(error) is expected

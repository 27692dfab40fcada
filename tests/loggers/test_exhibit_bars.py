"""Bars as tables for the trackers."""

from paribus.loggers.exhibit import latent_tables
from paribus.report.latent import Latent


def test_bars_are_called_by_their_labels_and_else_numbered():
    bars = [{"name": "classes", "values": [0.25, 0.75], "labels": ["0", "1"]}, {"name": "rate", "values": [2.0, 3.0]}]
    tables = latent_tables(Latent({"kind": "latent", "bars": bars}))
    assert tables["bars/classes"].rows == [["0", 0.25], ["1", 0.75]]
    assert tables["bars/rate"].rows == [["1", 2.0], ["2", 3.0]]

"""Records in, artefacts out: tables, verdicts, figures and one page. No torch."""

from paribus.report.index import write_index
from paribus.report.write import ReportFiles, report

__all__ = ["ReportFiles", "report", "write_index"]

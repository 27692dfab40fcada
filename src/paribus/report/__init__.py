"""Records in, artefacts out: tables, verdicts, figures and one page. No torch."""

from paribus.report.index import holds_studies, write_index
from paribus.report.write import ReportFiles, report

__all__ = ["ReportFiles", "holds_studies", "report", "write_index"]

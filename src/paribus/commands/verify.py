"""`paribus verify`: judge a study's claims from its records; nothing is written."""

import sys
from pathlib import Path

from paribus.report.collect import collect
from paribus.report.health import confounds, warnings
from paribus.study.verdict_table import table
from paribus.study.verdicts import exit_code, judge

NOT_EVALUATED, UNDECIDED = 1, 3


def verify_folder(folder: Path) -> int:
    """Print the verdicts on the records below `folder`; 0 all supported, 1 any refuted or not evaluated, 3 undecided.

    Where the records differ in more than the study declares, no claim can be evaluated; where nothing is claimed,
    nothing is decided.

    Raises:
        UserError: the folder holds no study.
    """
    collected = collect(folder)
    for warning in warnings(collected):
        print(f"note: {warning}", file=sys.stderr)
    verdicts = judge(collected.study, collected.comparison)
    if not verdicts:
        print(f"nothing is decided: {folder} declares no claims")
        return UNDECIDED
    print(table(verdicts))
    return NOT_EVALUATED if confounds(collected) else exit_code(verdicts)

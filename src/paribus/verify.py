"""`paribus verify`: judge a study's claims from its records; nothing is written."""

from pathlib import Path

from paribus.report.collect import collect
from paribus.study.verdicts import exit_code, judge, table


def verify_folder(folder: Path) -> int:
    """Print the verdicts on the records below `folder`; 0 all supported, 1 any refuted or not evaluated, 3 undecided.

    Raises:
        UserError: the folder holds no study.
    """
    collected = collect(folder)
    verdicts = judge(collected.study, collected.comparison)
    print(table(verdicts) if verdicts else f"{folder} declares no claims")
    return exit_code(verdicts)

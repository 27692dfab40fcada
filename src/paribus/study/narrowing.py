"""What a command line leaves out of a declared study, and which of its claims that costs. Plain Python."""

from paribus.study.claims import Claim
from paribus.study.levels import Condition, canonical, describe, joined, matches
from paribus.study.structure import Study


def narrowings(study: Study) -> list[str]:
    """`6 of the 10 declared levels of seed`, for each factor and the replicate that has not just those declared."""
    texts = []
    current = {factor.name: factor.levels for factor in study.every_factor.values()}
    current[study.replicate.key] = study.replicate.levels
    for name, declared in study.declared_levels.items():
        known = {canonical(level) for level in declared}
        kept = sum(canonical(level) in known for level in current[name])
        others = len(current[name]) - kept
        more = f" and {others} that {'was' if others == 1 else 'were'} not declared" if others else ""
        texts.append(f"{kept} of the {len(declared)} declared levels of {name}{more}")
    return texts


def lost_claims(study: Study) -> dict[str, str]:
    """The claims that no run of the study could answer, by id, each with the cells that it lacks."""
    lost = ((claim.id, _lacking(study, claim)) for claim in study.claims)
    return {name: describe(condition) for name, condition in lost if condition is not None}


def notes(study: Study) -> list[str]:
    """What is to be known before anything is trained: claims that lose their cells or some of their replicates."""
    if not study.claims:
        return []
    told = []
    if less := narrowings(study):
        told.append(f"the claims are judged from {', '.join(less)}")
    for name, lacking in lost_claims(study).items():
        told.append(f"claim {name} cannot be evaluated: nothing that runs has {lacking}")
    return told


def _lacking(study: Study, claim: Claim) -> Condition | None:
    """What one side of a claim asks of the cells that none of them has; None if both sides have some."""
    for contrast in claim.contrasts(study.metric(claim.metric)):
        for side in (contrast.first, contrast.second or {}):
            asked = {
                name: levels for name, levels in joined((side, claim.where)).items() if name not in study.within_names
            }
            if not any(matches(cell, asked) for cell in study.cells()):
                return asked
    return None

"""What is written under `planes:` of a study, as pairs of metrics that are drawn against each other."""

from paribus.errors import UserError
from paribus.study import declared
from paribus.study.factors import Plane
from paribus.study.structure import Study

PLACE, EXAMPLE = "study.planes", "{x: rate, y: distortion}"


def parse_planes(nodes: object, study: Study) -> tuple[Plane, ...]:
    """The planes that `nodes`, the list under `planes:`, asks for; UserError if one is not of two of its metrics."""
    if nodes in (None, [], ()):
        return ()
    planes = tuple(_plane(node, study) for node in declared.list_of(nodes, PLACE, f"[{EXAMPLE}]"))
    for plane in planes:
        if planes.count(plane) > 1:
            raise UserError(f"{PLACE} has {plane.name} {'twice' if planes.count(plane) == 2 else 'several times'}")
    return planes


def _plane(node: object, study: Study) -> Plane:
    mapping = declared.mapping_of(node, f"{PLACE}: an entry", EXAMPLE)
    declared.keys_of(mapping, f"{PLACE}: an entry", ("x", "y"))
    x, y = (
        study.metric(declared.text_of(mapping[axis], f"{PLACE}: {axis}"), f"{PLACE}: {axis}").name
        for axis in ("x", "y")
    )
    if x == y:
        raise UserError(f"{PLACE}: {x} against itself is no plane; expected two metrics, e.g. {EXAMPLE}")
    return Plane(x, y)

"""Named, stateless random streams.

Every random draw of a run belongs to a stream with a name (`split`, `corruption`, `init/<part>`, `order/<epoch>`,
`noise/<name>/<block>`, `evaluation`), and a stream's seed is a function of the run's seed and that name alone. Nothing
drawn in one stream can shift another: changing the objective leaves the split, the outliers, the initial weights and
the order of the batches as they were, and a resumed run needs to know only its step.
"""

from hashlib import blake2b


def stream_seed(seed: int, *path: str | int) -> int:
    """The seed of one stream, in [0, 2**63), e.g. `stream_seed(0, "order", epoch)`."""
    name = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 1

"""What the networks for images ask of the data."""


def image_shape(in_shape: tuple[int, ...], network: str) -> tuple[int, int, int]:
    """The channels, height and width of one example.

    Raises:
        ValueError: the examples are no images.
    """
    if len(in_shape) != 3 or min(in_shape) < 1:
        raise ValueError(
            f"{network} needs images, [channels, height, width], and an example of this data has shape "
            f"{list(in_shape)}; a network for vectors, such as mlp, takes any"
        )
    channels, height, width = in_shape
    return channels, height, width

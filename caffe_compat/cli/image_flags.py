"""The flags that say what a net expects of an image: --mean, --channels, --scale and --size."""

import argparse

from caffe_compat.data.preprocessing import CHANNELS, ImageFlags
from caffe_compat.errors import CaffeError


def add_image_flags(parser: argparse.ArgumentParser) -> None:
    """Declares --mean, --channels, --scale and --size, which `image_flags_of` reads."""
    add = parser.add_argument
    add(
        "--mean", type=mean_values, metavar="B,G,R|FILE",
        help="the mean to subtract from pixels (0 to 255), in the order of --channels; from a mean image "
             "(.binaryproto, .npy) the mean of each channel is taken",
    )  # fmt: skip
    add("--channels", choices=tuple(CHANNELS), help="the order of an image's channels")
    add("--scale", type=float, metavar="NUMBER", help="the factor for pixels minus the mean")
    add(
        "--size",
        type=image_size,
        metavar="HEIGHT,WIDTH",
        help="height and width of the net's images; one number for squares",
    )


def image_flags_of(arguments: argparse.Namespace) -> ImageFlags:
    """Returns what the flags of `add_image_flags` say."""
    return ImageFlags(arguments.channels, arguments.mean, arguments.scale, arguments.size)


def mean_values(text: str) -> tuple[float, ...]:
    """Returns the numbers of `104,117,123`, of one number, or the channels' means of a mean image's file."""
    if text.endswith((".binaryproto", ".npy")):
        from caffe_compat.convert.stored_preprocessing import mean_of_file  # a late import: few commands need it

        try:
            return mean_of_file(text)
        except CaffeError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"expected one number, three numbers as in 104,117,123, or a mean image (.binaryproto, .npy), got '{text}'"
        )
    return values


def image_size(text: str) -> tuple[int, int]:
    """Returns height and width of `224,320`, or of `224` for a square."""
    parts = text.split(",")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected HEIGHT,WIDTH or one number, each from 1 on, got '{text}'")
    return int(parts[0]), int(parts[-1])

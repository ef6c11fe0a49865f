"""The index of NUS-WIDE images that could still be downloaded (`idx_final_test` of nus_test_accessible.mat)."""

import math
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import CaffeError, DataError, FormatError
from caffe_compat.srn.metrics.mat5_file import NUMERIC_CLASSES, read_variables
from caffe_compat.srn.metrics.number_files import read_matrix, require_regular_file, shown

VARIABLE = "idx_final_test"


def read_accessible_images(path: Path, images: int, listed_in: str = "the label file") -> NDArray[np.intp]:
    """Positions (from 0) of the images to evaluate, in the index's order; `listed_in` names what has the lines.

    The index is a `.mat` file of MATLAB 5 or later, or text with one number per line. Its numbers are positions from
    1, or one 0 or 1 per image: evaluate.m takes `labels(idx_final_test, :)`, which MATLAB reads in both ways.
    Raises DataError or FormatError where it is neither.
    """
    require_regular_file(path)
    numbers = np.ravel(_read_mat(path, images) if path.suffix == ".mat" else read_matrix(path, np.float64))
    if numbers.size == images and np.isin(numbers, (0, 1)).all():
        return np.flatnonzero(numbers)
    if numbers.size == 0 or not (numbers.min() >= 1 and numbers.max() <= images and (numbers % 1 == 0).all()):
        raise DataError(
            f"{path}: expected positions from 1 to {images} (the lines of {listed_in}), or as many 0 and 1, found "
            f"{_range(numbers)}; the index and {listed_in} must be of one data set"
        )
    positions, times = np.unique(numbers, return_counts=True)
    if times.max() > 1:
        raise DataError(
            f"{path}: expected each position once, found {positions[times.argmax()]:g} {times.max()} times among "
            f"{numbers.size} numbers; if they are 0 and 1, {listed_in} must have as many lines, and it has {images}"
        )
    return numbers.astype(np.intp) - 1


def _range(numbers: NDArray[np.float64]) -> str:
    return f"{numbers.size} numbers, {numbers.min():g} to {numbers.max():g}" if numbers.size else "none"


def _read_mat(path: Path, images: int) -> NDArray[np.float64]:
    try:
        # MATLAB 7.3 writes HDF5, MATLAB 5 to 7 a format of their own.
        return _read_hdf5(path, images) if h5py.is_hdf5(path) else _read_mat5(path, images)
    except CaffeError as error:
        if str(error).startswith(str(path)):
            raise
        raise FormatError(
            f"{path}: cannot be read as a MATLAB file ({error}); give the index as text instead"
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # h5py's, for damaged files
        raise FormatError(
            f"{path}: cannot be read as a MATLAB file ({str(error)[:80]}); give the index as text instead"
        ) from error


def _read_hdf5(path: Path, images: int) -> NDArray[np.float64]:
    with h5py.File(path) as file:
        variable = file.get(VARIABLE)
        kinds = {name: "numbers" for name in file if isinstance(file.get(name), h5py.Dataset)}
        if not isinstance(variable, h5py.Dataset) or variable.dtype.kind not in "biuf":
            raise _no_index(path, kinds, isinstance(variable, h5py.Dataset))
        _check_size(path, variable.shape or (1,), images)
        return np.asarray(variable[()], np.float64)


def _read_mat5(path: Path, images: int) -> NDArray[np.float64]:
    variables = {each.name: each for each in read_variables(path.read_bytes(), 8 * images)}
    variable = variables.get(VARIABLE)
    if variable is None or variable.kind not in NUMERIC_CLASSES:
        raise _no_index(path, variables, variable is not None)
    _check_size(path, variable.shape, images)
    return variable.numbers()


def _check_size(path: Path, shape: tuple[int, ...], images: int) -> None:
    count = math.prod(shape)
    if count > images:
        raise DataError(
            f"{path}: expected at most {images} numbers in {VARIABLE}, one per image, found {count}; "
            "the index must be of the same data set as the labels"
        )


def _no_index(path: Path, names: Iterable[str], is_there: bool) -> FormatError:
    if is_there:
        return FormatError(f"{path}: expected numbers in {VARIABLE}, found another kind of variable")
    found = ", ".join(map(shown, sorted(names)[:5])) or "none"
    return FormatError(f"{path}: expected a variable {VARIABLE}, found {found}; give the index as text instead")

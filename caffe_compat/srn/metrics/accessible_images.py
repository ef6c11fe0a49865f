"""The index of NUS-WIDE images that could still be downloaded (`idx_final_test` of nus_test_accessible.mat)."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, matlab

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.metrics.number_files import read_matrix

VARIABLE = "idx_final_test"


def read_accessible_images(path: Path, images: int, listed_in: str = "the label file") -> NDArray[np.intp]:
    """Positions (from 0) of the images to evaluate, in the index's order; `listed_in` names what has the lines.

    A `.mat` file of any version, or text with one number a line; either positions counted from 1, as MATLAB
    does, or one 0 or 1 an image: evaluate.m takes `labels(idx_final_test, :)`, which MATLAB understands both ways.
    """
    numbers = np.ravel(_read_mat(path) if path.suffix == ".mat" else read_matrix(path, np.float64))
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


def _read_mat(path: Path) -> NDArray[np.float64]:
    try:
        variables = _mat_variables(path)
    except (OSError, ValueError, NotImplementedError, matlab.MatReadError) as error:
        raise FormatError(
            f"{path}: cannot be read as a MATLAB file ({error}); give the index as text instead"
        ) from error
    if VARIABLE not in variables:
        found = ", ".join(sorted(variables)) or "none"
        raise FormatError(f"{path}: expected a variable {VARIABLE}, found {found}; give the index as text instead")
    if variables[VARIABLE].dtype.kind not in "biuf":
        raise FormatError(f"{path}: expected numbers in {VARIABLE}, found another kind of variable")
    return np.asarray(variables[VARIABLE], np.float64)


def _mat_variables(path: Path) -> dict[str, NDArray[np.float64]]:
    """MATLAB 7.3 writes HDF5; older versions their own format, with three entries that are not variables."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return {name: file[name][()] for name in file if isinstance(file[name], h5py.Dataset)}
    return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}

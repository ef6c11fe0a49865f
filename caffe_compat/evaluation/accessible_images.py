"""The index of NUS-WIDE images that could still be downloaded (`idx_final_test` of nus_test_accessible.mat)."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, matlab  # type: ignore[import-untyped]

from caffe_compat.errors import DataError, FormatError
from caffe_compat.evaluation.text_matrices import read_matrix

VARIABLE = "idx_final_test"


def read_accessible_images(path: Path, images: int) -> NDArray[np.intp]:
    """Positions (from 0) of the images to evaluate.

    A `.mat` file of any version, or text with one number a line; either positions counted from 1, as MATLAB
    does, or one 0 or 1 an image.
    """
    index = np.ravel(_read_mat(path) if path.suffix == ".mat" else read_matrix(path, np.float64)).astype(np.int64)
    if index.size == images and np.isin(index, (0, 1)).all():
        return np.flatnonzero(index)
    if index.size == 0 or index.min() < 1 or index.max() > images:
        raise DataError(
            f"{path}: expected positions from 1 to {images} (the lines of the label file), found {_range(index)}; "
            "the index and the label file must be of one data set"
        )
    return index - 1


def _range(index: NDArray[np.int64]) -> str:
    return f"{index.min()} to {index.max()}" if index.size else "none"


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
    return variables[VARIABLE]


def _mat_variables(path: Path) -> dict[str, NDArray[np.float64]]:
    """MATLAB 7.3 writes HDF5; older versions their own format, with three entries that are not variables."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return {name: file[name][()] for name in file if isinstance(file[name], h5py.Dataset)}
    return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}

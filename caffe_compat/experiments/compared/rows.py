"""The compared methods of section 4.1, by name, in the order of the paper's tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from caffe_compat.experiments.arms import Arm, ArmStep
from caffe_compat.experiments.compared.cnn_rnn import cnn_rnn_scores, path_steps, write_path_databases
from caffe_compat.experiments.compared.knn import knn_scores
from caffe_compat.experiments.compared.method import Budget, Method
from caffe_compat.experiments.compared.people import read_sizes
from caffe_compat.experiments.compared.people_scores import people_scores

#: Bins a side of a pooled region, by backbone: small for the narrow one, whose maps are small.
BINS = {"narrow": 2}


def _one_step(title: str, model: str, output: str = "y_cls") -> Callable[[Budget, Path], Arm]:
    """An arm that spends the whole budget on one step of the generator's model."""
    return lambda budget, data: Arm(title, model, (ArmStep(budget.epochs, budget.rate),), (output,))


def _cnn_rnn(budget: Budget, data: Path) -> Arm:
    """Half of the epochs for the convolutional net, which then stays as it is, and half for the rest."""
    first = budget.epochs // 2
    steps = (ArmStep(first, budget.rate), ArmStep(budget.epochs - first, budget.rate))
    return Arm("CNN-RNN", "cnn_rnn", steps, ("image_embedding",), {"path_steps": path_steps(data)})


def _regions(title: str, model: str) -> Callable[[Budget, Path], Arm]:
    """An arm over photographs with people: their side and the numbers of regions are those of the data."""

    def arm(budget: Budget, data: Path) -> Arm:
        sizes = read_sizes(data)
        options: dict[str, Any] = {name: sizes[name] for name in ("around", "parts", "neighbours", "scenes")}
        options["source"] = "lmdb"  # photographs and boxes lie in LMDBs wherever the crops lie
        options |= {"input_size": sizes["side"], "bins": BINS.get(budget.setting.options.get("backbone", ""), 14)}
        return Arm(title, model, (ArmStep(budget.epochs, budget.rate),), ("y",), options)

    return arm


ROWS = {
    "knn": Method(
        name="KNN",
        citation="Chua et al., NUS-WIDE: a real-world web image database, CIVR 2009 [5]",
        tables=(1,),
        ours="on pool5 of the trained ResNet-101, of length 1; the validation split chooses k",
        arm=_one_step("KNN", "resnet101"),
        scores=knn_scores,
    ),
    "warp": Method(
        name="WARP",
        citation="Gong et al., Deep convolutional ranking for multilabel image annotation, ICLR 2014 [11]",
        tables=(1, 2),
        ours="the backbone is ResNet-101; absent labels are drawn without replacement",
        arm=_one_step("WARP", "warp"),
        thresholded=False,
    ),
    "cnn_rnn": Method(
        name="CNN-RNN",
        citation="Wang et al., CNN-RNN: a unified framework for multi-label image classification, CVPR 2016 [36]",
        tables=(1, 2),
        ours="the backbone is ResNet-101, without dropout; no label twice in a path; scores made of the beam's paths",
        arm=_cnn_rnn,
        scores=cnn_rnn_scores,
        complete_data=write_path_databases,
    ),
    "r_cnn": Method(
        name="R-CNN",
        citation="Girshick, Fast R-CNN, ICCV 2015 [8]",
        tables=(3,),
        ours="regions are pooled between stages 4 and 5 of a ResNet, as He et al. do; one person per item of a batch",
        arm=_regions("R-CNN", "r_cnn"),
        scores=people_scores,
    ),
    "r_star_cnn": Method(
        name="R*CNN",
        citation="Gkioxari, Girshick and Malik, Contextual action recognition with R*CNN, ICCV 2015 [9]",
        tables=(3,),
        ours="as for R-CNN; candidates are windows of fixed forms around the person, not proposals",
        arm=_regions("R*CNN", "r_star_cnn"),
        scores=people_scores,
    ),
    "dhc": Method(
        name="DHC",
        citation="Li et al., Human attribute recognition by deep hierarchical contexts, ECCV 2016 [24]",
        tables=(3,),
        ours="as for R-CNN; parts of a grid where none are given, and like parts of the nearest people, not matches",
        arm=_regions("DHC", "dhc"),
        scores=people_scores,
    ),
}


def rows_of(table: int) -> dict[str, Method]:
    """The rows of one of the paper's tables, 1 to 3."""
    return {key: method for key, method in ROWS.items() if table in method.tables}

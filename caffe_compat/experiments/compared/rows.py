"""The compared methods of section 4.1, by name, in the order of the paper's tables."""

from collections.abc import Callable

from caffe_compat.experiments.arms import Arm, Step
from caffe_compat.experiments.compared.knn import knn_scores
from caffe_compat.experiments.compared.method import Budget, Method


def _one_step(title: str, model: str, output: str = "y_cls") -> Callable[[Budget], Arm]:
    """An arm that spends the whole budget on one step of the generator's model."""
    return lambda budget: Arm(title, model, (Step(budget.epochs, budget.rate),), (output,))


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
}


def rows_of(table: int) -> dict[str, Method]:
    """The rows of one of the paper's tables, 1 to 3."""
    return {key: method for key, method in ROWS.items() if table in method.tables}

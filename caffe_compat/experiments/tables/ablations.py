"""The ablations that the paper's text argues for: SRN with one thing changed.

All rows have SRN's budget. They train on the relation scenes of the mechanism study, over a backbone that sees 15
pixels, because there the spatial part decides. They stand apart from
the plans, because the list of rows grows.
"""

from dataclasses import replace
from typing import Any

from caffe_compat.experiments.arms import same_budget
from caffe_compat.experiments.mechanism.arms import ARMS
from caffe_compat.experiments.mechanism.trials import NARROW
from caffe_compat.experiments.tables.rows import PaperRow, own_row

SRN = ARMS["srn"].arm


def _changed(key: str, title: str, **options: Any) -> PaperRow:
    """SRN with other options of the generator."""
    return own_row(f"{key}_{NARROW}", replace(SRN, title=title, options=options))


#: Key, and the sentence or choice of the paper that a row tries.
ABLATION_ROWS = (
    own_row(f"srn_{NARROW}", replace(SRN, title="SRN as the text says")),
    own_row(f"srn_att_{NARROW}", replace(ARMS["srn_att"].arm, title="A in place of U (section 3.3)")),
    _changed("uniform", "no attention: A is uniform (section 3.2)", attention="uniform"),
    _changed("alpha", "alpha is learned (section 3.4)", learn_alpha=True),
    _changed("full", "conv4 of all maps, not grouped (section 3.3)", conv4="full"),
    _changed("three_losses", "step 4 on y_att, y_sr and y_cls (released code)", finetune_losses="released"),
    own_row(
        f"released_{NARROW}",
        replace(SRN, title="layout of the released models", outputs=("prob",), options={"layout": "released"}),
    ),
    own_row(
        f"end_to_end_{NARROW}",
        replace(SRN, title="end to end in one step (section 3.4)", steps=same_budget(SRN.steps, 0.03), end_to_end=True),
    ),
    _changed("plateau", "the rate falls as the validation loss stops falling (section 3.4)", lr_policy="plateau"),
)

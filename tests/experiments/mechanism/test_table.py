from caffe_compat.experiments.mechanism import table
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.experiments.mechanism.trials import StudyRow

SRN, BASELINE = StudyRow("srn"), StudyRow("baseline", 63, 500)


def results():
    def ap(*values):
        return {
            output: {"presence": 0.99, "relation": value}
            for output, value in zip(("y", "y_cls", "y_att", "y_sr"), values, strict=False)
        }

    return [
        Result(SRN, 0, ap(0.9, 0.5, 0.51, 0.92)),
        Result(SRN, 1, ap(0.94, 0.5, 0.49, 0.90)),
        Result(BASELINE, 0, {"y_cls": {"presence": 0.98, "relation": 0.53}}),
    ]


def test_markdown_has_intervals_where_there_are_seeds():
    assert table.markdown(results()).splitlines() == [
        "| arm | takes away | field | scenes | y_cls | y_att | y_sr | y |",
        "|---|---|---|---|---|---|---|---|",
        "| SRN | nothing | 15 | 1600 | 50.0 (50.0 to 50.0) | 50.0 (37.3 to 62.7) | 91.0 (78.3 to 103.7) "
        "| 92.0 (66.6 to 117.4) |",
        "| narrow baseline | attention and regularization | 63 | 500 | 53.0 |  |  |  |",
    ]


def test_latex_escapes_what_it_must():
    text = table.latex(results())
    assert r"arm & field & scenes & y\_cls & y\_att & y\_sr & y \\" in text
    assert r"narrow baseline & 63 & 500 & 53.0 &  &  &  \\" in text


def test_json_says_what_each_result_was_made_from():
    first, *_ = table.as_json(results())
    assert (first["arm"], first["receptive_field"], first["scenes"], first["seed"]) == ("srn", 15, 1600, 0)
    assert first["ap"]["y_sr"]["relation"] == 0.92

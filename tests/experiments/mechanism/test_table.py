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


def test_srn_is_paired_by_seed_with_each_arm_of_its_field_and_scenes():
    others = {key: {"presence": 0.9, "relation": 0.5} for key in ("y_cls", "y_att", "y_sr")}
    controls = [
        Result(StudyRow("point"), 0, {"y": {"presence": 0.98, "relation": 0.5}, **others}),
        Result(StudyRow("point"), 1, {"y": {"presence": 0.96, "relation": 0.56}, **others}),
        Result(StudyRow("baseline"), 0, {"y_cls": {"presence": 0.995, "relation": 0.55}}),
    ]
    lines = table.markdown([*results(), *controls]).splitlines()
    assert lines[-7:] == [
        "",
        "Gains of SRN's prediction over that of an arm of the same field and scenes, in points, paired by seed:",
        "",
        "| what | minus | field | scenes | presence AP | relation AP | seeds |",
        "|---|---|---|---|---|---|---|",
        "| SRN | SRN, conv4 1x1 and mean | 15 | 1600 | +2.0 (-10.7 to +14.7) | +39.0 (+26.3 to +51.7) | 2 |",
        "| SRN | narrow baseline | 15 | 1600 | -0.5 | +35.0 | 1 |",
    ]


def test_srn_on_the_trained_baseline_is_paired_with_its_baseline():
    baseline, late = StudyRow("baseline", 111, 500), StudyRow("late", 111, 500)
    ap = {output: {"presence": 0.9, "relation": 0.7} for output in ("y", "y_cls", "y_att", "y_sr")}
    shown = table.markdown([Result(baseline, 0, {"y_cls": {"presence": 0.8, "relation": 0.75}}), Result(late, 0, ap)])
    assert shown.endswith("| SRN on the trained baseline | narrow baseline | 111 | 500 | +10.0 | -5.0 | 1 |\n")


def test_latex_escapes_what_it_must():
    text = table.latex(results())
    assert r"arm & field & scenes & y\_cls & y\_att & y\_sr & y \\" in text
    assert r"narrow baseline & 63 & 500 & 53.0 &  &  &  \\" in text


def test_json_says_what_each_result_was_made_from():
    first, *_ = table.as_json(results())
    assert (first["arm"], first["receptive_field"], first["scenes"], first["seed"]) == ("srn", 15, 1600, 0)
    assert first["ap"]["y_sr"]["relation"] == 0.92

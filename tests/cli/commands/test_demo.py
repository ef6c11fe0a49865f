"""The demo from end to end, in its tiny form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.cli.commands import demo

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_tiny_demo_makes_all_that_the_demo_makes(tmp_path):
    command = [sys.executable, ROOT / "tools" / "demo.py", "--tiny", "--control", "--out", tmp_path]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )

    assert done.returncode == 0, done.stderr
    for stage in ("data and nets", "training", "mechanism", "evaluation", "comparison with OpenCV", "report"):
        assert f"== {stage}: done in " in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["models"]) == {"resnet26", "resnet26_srn"}
    assert all(0 <= value <= 1 for figures in results["models"].values() for value in figures.values())
    assert set(results["models"]["resnet26_srn"]) == {"mAP", "F1-C", "F1-O"}
    assert set(results["outputs"]) == {"y", "y_cls", "y_att", "y_sr"}
    assert set(results["mechanism"]) == {"srn", "point"}
    assert 0 < results["mechanism"]["point"]["y"]["relation"] <= 1
    assert results["parity"]["against"] == "opencv"
    assert results["parity"]["max_error"] < 1e-4
    assert results["control"]["models"].keys() == results["models"].keys()
    assert results["seconds"] > 0
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "attention_1.png", "gains.png", "losses.png", "outputs.png", "scenes.png",
    }  # fmt: skip
    assert (tmp_path / "report.html").read_text().count('src="data:image/png;base64,') == 5


@pytest.mark.parametrize(("flags", "lines"), [((), ["[   0 s] == training"]), (("--quiet",), ["wrote {}/report.html"])])
def test_quiet_says_where_the_report_is(flags, lines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "run_demo", lambda request, say: say("== training"))
    assert demo.main(["--out", str(tmp_path), *flags]) == 0
    assert capsys.readouterr().out.splitlines() == [line.format(tmp_path) for line in lines]

"""Makes a table of the mechanism study and writes it as Markdown, LaTeX and JSON."""

import json
from pathlib import Path

from caffe_compat.experiments.mechanism import table
from caffe_compat.experiments.mechanism.study import run_study
from caffe_compat.experiments.mechanism.trials import TABLES
from caffe_compat.experiments.runs import Say
from caffe_compat.proto.file_bytes import replacing


def reproduce(name: str, seeds: int, out: Path, say: Say) -> str:
    """Runs what is missing of table `name` for seeds 0, 1 ... and writes OUT/NAME.md, .tex and .json.

    Returns the table as Markdown. Training files stay in OUT/work, so that an interrupted call goes on.
    """
    results = run_study(TABLES[name], range(seeds), out.resolve() / "work", say)
    shown = table.markdown(results)
    texts = {
        f"{name}.md": shown,
        f"{name}.tex": table.latex(results),
        f"{name}.json": json.dumps(table.as_json(results), indent=1) + "\n",
    }
    for file, text in texts.items():
        with replacing(out / file) as beside:
            beside.write_text(text, encoding="utf-8")
    return shown

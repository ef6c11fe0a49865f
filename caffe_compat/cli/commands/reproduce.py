"""Make a table: train every row from generated files, measure it, and write Markdown, LaTeX and JSON.

1, 2, 3    the paper's tables, its numbers beside ours
ablations  SRN with one thing changed
mechanism  does spatial regularization itself do the work (docs/mechanism.md)? It has three parts:
controls   SRN, its controls and its baselines
dose       backbones that see more and more of the picture
samples    the whole picture in view, with fewer and more training scenes
figures    the paper's figures 1 to 3 and 5 to 7 of one trained SRN, as report.html

At demo scale the data are generated and the nets are small. At full scale the data are a folder that `prepare` wrote.
After an interruption, the same command continues the run.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from caffe_compat.cli.devices import gpus_of, use_first
from caffe_compat.cli.flags import add_device, add_quiet, whole_number
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.experiments.reproduce import (
    MECHANISM,
    STUDIES,
    expectation,
    reproduce,
    reproduce_figures,
    reproduce_table,
    study_expectation,
    time_plan,
)
from caffe_compat.experiments.runs import ON_CPU, Say
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES
from caffe_compat.experiments.tables.plans import DEMO_TABLES, TablePlan, demo_plan, full_plan, plan_without_data
from caffe_compat.experiments.training_time import against_paper, estimate_lines

PAPER_BATCH = 96
FIGURES = "figures"
_TABLES = sorted({*MECHANISM, *DEMO_TABLES, *PAPER_TABLES, FIGURES})


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("reproduce", __doc__ or "", "caffe-compat reproduce --table controls --seeds 3")
    result.add_argument("--table", choices=_TABLES, required=True, help="which table to make")
    result.add_argument(
        "--scale", choices=("demo", "full"), default="demo", help="generated data, or a prepared folder"
    )
    result.add_argument(
        "--dataset", choices=[table.dataset for table in PAPER_TABLES.values()],
        help="for --scale full: the dataset of the table (default: that of the paper)",
    )  # fmt: skip
    result.add_argument(
        "--data", type=Path, metavar="DIR", help="for --scale full: the prepared folder (default: data/DATASET)"
    )
    result.add_argument(
        "--seeds", type=whole_number(1), default=3, metavar="N", help="number of seeds: 0, 1, 2 and so on"
    )
    result.add_argument(
        "--rates", type=_factors, default=(1.0,), metavar="X,Y",
        help="factors of the learning rates; the validation split chooses one for each row (default: 1)",
    )  # fmt: skip
    result.add_argument("--weights", metavar="FILE", help="for --scale full: weights at the start of the first step")
    result.add_argument(
        "--batch-size", type=whole_number(1), default=24, metavar="N", help="for --scale full: images per GPU and pass"
    )
    add_device(result)
    result.add_argument(
        "--estimate", action="store_true", help="measure one step, say how long training takes, and end"
    )
    result.add_argument(
        "--gpus", type=whole_number(1), default=1, metavar="N", help="for --estimate: devices that share each batch"
    )
    result.add_argument("--out", type=Path, default=Path("out/reproduce"), help="folder for the table and all its runs")
    add_quiet(result, "print the table, but no progress")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Runs what is missing, writes the table, prints it."""
    if arguments.table in MECHANISM or arguments.table == FIGURES:
        return _run_study(arguments)
    use_first(gpus_of(arguments.device))
    plan = _plan(arguments)
    if arguments.estimate:
        _print_estimate(plan, arguments)
        return DONE
    claim_folder(arguments.out)
    print(reproduce_table(plan, arguments.seeds, arguments.out, _teller(arguments), arguments.rates))
    return DONE


def _run_study(arguments: argparse.Namespace) -> int:
    if arguments.scale == "full":
        raise UsageError(f"--table {arguments.table} draws its own data; leave --scale out")
    if arguments.estimate:
        seeds = 1 if arguments.table == FIGURES else arguments.seeds
        print(study_expectation(STUDIES[arguments.table], seeds, arguments.out.resolve() / "work"))
        return DONE
    claim_folder(arguments.out)
    tell = _teller(arguments)
    if arguments.table == FIGURES:
        print(reproduce_figures(arguments.out, tell))
    else:
        print(reproduce(arguments.table, arguments.seeds, arguments.out, tell))
    return DONE


def _plan(arguments: argparse.Namespace) -> TablePlan:
    if arguments.scale == "demo":
        if arguments.table not in DEMO_TABLES:
            raise UsageError(f"--table {arguments.table} has no demo scale; take --scale full")
        return demo_plan(arguments.table)
    if arguments.table not in PAPER_TABLES:
        raise UsageError(f"--table {arguments.table} has no full scale; take {', '.join(PAPER_TABLES)}")
    dataset = PAPER_TABLES[arguments.table].dataset
    if arguments.dataset not in (None, dataset):
        raise UsageError(f"--table {arguments.table} is of --dataset {dataset}, found {arguments.dataset}")
    data = arguments.data or Path("data") / dataset
    passes = max(1, PAPER_BATCH // arguments.batch_size)
    mode = "GPU" if gpus_of(arguments.device) else "CPU"
    options = {"batch_size": arguments.batch_size, "iter_size": passes, "solver_mode": mode}
    if arguments.estimate and not data.exists():
        return plan_without_data(arguments.table, **options)
    flags = ("--device", arguments.device) if arguments.device else ON_CPU
    if arguments.weights:
        flags = (*flags, "--weights", os.path.realpath(arguments.weights))
    return replace(full_plan(arguments.table, data, flags, **options), gpus=tuple(gpus_of(arguments.device)))


def _print_estimate(plan: TablePlan, arguments: argparse.Namespace) -> None:
    """The measured steps of the last row, the whole table on one device, and the paper's own hours for table 2."""
    times = time_plan(plan)
    work = arguments.out.resolve() / "work"
    for line in estimate_lines(times, arguments.gpus):
        print(line)
    print(expectation(plan, arguments.seeds, work, arguments.rates, times))
    if plan.dataset == PAPER_TABLES["2"].dataset:
        print(against_paper(times, arguments.gpus))


def _teller(arguments: argparse.Namespace) -> Say:
    started = time.monotonic()

    def tell(line: str) -> None:
        if not arguments.quiet:
            print(f"[{time.monotonic() - started:5.0f} s] {line}", flush=True)

    return tell


def _factors(text: str) -> tuple[float, ...]:
    """The numbers of --rates; ValueError, which argparse reports, for others."""
    factors = tuple(float(part) for part in text.split(","))
    if not all(0 < factor < 1000 for factor in factors):
        raise ValueError(text)
    return factors


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv, interrupted="interrupted; run it again to go on")

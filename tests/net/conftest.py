"""How many random nets to try."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--random-nets", type=int, default=40, help="how many random nets tests/net builds and runs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "net_seed" in metafunc.fixturenames:
        metafunc.parametrize("net_seed", range(metafunc.config.getoption("--random-nets", 40)))

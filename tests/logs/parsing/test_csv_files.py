from pathlib import Path

from caffe_compat.logs.parsing.csv_files import write_tables
from caffe_compat.logs.parsing.reader import Row, TrainingLog


def test_one_file_for_training_and_one_for_each_test_net(tmp_path: Path) -> None:
    train = [Row(0, 1.5, 0.1, {"loss": 4.0}), Row(20, 3.25, 0.01, {"loss": 2.0, "loss_att": 0.5})]
    tests = {1: [Row(20, 3.0, 0.01, {"acc": 0.75})], 0: [Row(20, 2.0, 0.01, {"acc": 0.5})]}
    written = write_tables(TrainingLog(train=train, tests=tests), tmp_path / "new", "run.log", ";")
    assert [path.name for path in written] == ["run.log.train", "run.log.test", "run.log.test_1"]
    assert written[0].read_text().splitlines() == [
        "NumIters;Seconds;LearningRate;loss;loss_att",
        "0.0;1.5;0.1;4.0;",
        "20.0;3.25;0.01;2.0;0.5",
    ]
    assert written[1].read_text().splitlines() == ["NumIters;Seconds;LearningRate;acc", "20.0;2.0;0.01;0.5"]
    assert written[2].read_text().splitlines()[1] == "20.0;3.0;0.01;0.75"


def test_without_tests_the_test_table_is_empty(tmp_path: Path) -> None:
    written = write_tables(TrainingLog(train=[Row(0, 1.5, 0.1, {"loss": 4.0})]), tmp_path, "run.log")
    assert written[1].read_text().splitlines() == ["NumIters,Seconds,LearningRate"]

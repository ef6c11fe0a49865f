import json
from pathlib import Path

import pytest
import torch

from caffe_compat.convert.formats.state_dict import read_state_dict, write_state_dict
from caffe_compat.errors import FormatError
from tests.convert.models import model_of

TEXT = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 3 dim: 2 } } }'


def test_plain_tensors_and_a_description(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    model = model_of(TEXT)
    write_state_dict(str(path), model)
    tensors = torch.load(path, weights_only=True)

    assert list(tensors) == ["p.weight"]
    assert torch.equal(tensors["p.weight"], torch.from_numpy(model.blobs["p"][0]))
    assert json.loads((tmp_path / "a.pt.json").read_text())["net"]["layer"][0]["type"] == "Parameter"


def test_tensors_stay_where_their_description_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pt"
    write_state_dict(str(path), model_of(TEXT))
    before = path.read_bytes()

    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", no_room)
    with pytest.raises(OSError, match="No space left"):
        write_state_dict(str(path), model_of(TEXT, seed=2))
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.pt", "a.pt.json"]


def test_without_its_description_it_is_no_model(tmp_path: Path) -> None:
    write_state_dict(str(tmp_path / "a.pt"), model_of(TEXT))
    (tmp_path / "a.pt.json").unlink()
    with pytest.raises(FormatError, match=r"a\.pt: expected a\.pt\.json beside it, found no such file; move both"):
        read_state_dict(str(tmp_path / "a.pt"))


def test_a_description_that_is_not_text_is_refused(tmp_path: Path) -> None:
    write_state_dict(str(tmp_path / "a.pt"), model_of(TEXT))
    (tmp_path / "a.pt.json").write_bytes(b"\xff{}")
    with pytest.raises(FormatError, match=r"a\.pt\.json: the description of the net is not text \(.*\); convert again"):
        read_state_dict(str(tmp_path / "a.pt"))


def test_code_in_a_file_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_state_dict(str(path), model_of(TEXT))
    torch.save({"p.weight": Path("x")}, path)
    with pytest.raises(FormatError, match=r"a\.pt: not a whole file of plain tensors \(.*\); convert it again"):
        read_state_dict(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "expected a dictionary of tensors, found list; convert it again"),
        ({"p.weight": 3}, "expected a contiguous float32 tensor 'p.weight', found int; convert it again"),
        ({"p.weight": torch.zeros(2).half()}, "float32 tensor 'p.weight', found torch.float16; convert it again"),
        ({"p.weight": torch.zeros(1).expand(2**40)}, "contiguous float32 tensor 'p.weight', found torch.float32"),
    ],
)
def test_other_contents_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_state_dict(str(path), model_of(TEXT))
    torch.save(content, path)
    with pytest.raises(FormatError, match=rf"a\.pt: .*{message}"):
        read_state_dict(str(path))

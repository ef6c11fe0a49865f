"""caffe.proto says everything that either dialect says, and the generated modules load wherever we claim."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.wire import is_repeated

ROOT = Path(__file__).parents[2]
MODULES = ("caffe_pb2", "dialects/bvlc_pb2", "dialects/srn_fork_pb2")
DIALECTS = {"bvlc": bvlc_pb2, "srn_fork": srn_fork_pb2}
OURS = caffe_pb2.DESCRIPTOR.message_types_by_name
MESSAGES = [
    pytest.param(message, id=f"{dialect}.{message.name}")
    for dialect, schema in DIALECTS.items()
    for message in schema.DESCRIPTOR.message_types_by_name.values()
]
ENUMS = [
    pytest.param(holder, enum, id=f"{dialect}.{enum.name}")
    for dialect, schema in DIALECTS.items()
    for holder in (schema.DESCRIPTOR, *schema.DESCRIPTOR.message_types_by_name.values())
    for enum in holder.enum_types_by_name.values()
]


@pytest.mark.parametrize("message", MESSAGES)
def test_covers_every_field(message: Descriptor) -> None:
    for theirs in message.fields:
        ours = OURS[message.name].fields_by_name[theirs.name]
        assert ours.type == theirs.type
        assert is_repeated(ours) or not is_repeated(theirs)
        if theirs.type == FieldDescriptor.TYPE_MESSAGE:
            assert ours.message_type.name == theirs.message_type.name


@pytest.mark.parametrize(("holder", "theirs"), ENUMS)
def test_covers_every_enum_value(holder: Descriptor | FileDescriptor, theirs: EnumDescriptor) -> None:
    where = caffe_pb2.DESCRIPTOR if isinstance(holder, FileDescriptor) else OURS[holder.name]
    ours = where.enum_types_by_name[theirs.name]
    assert ours.values_by_name.keys() >= theirs.values_by_name.keys()
    for name, value in theirs.values_by_name.items():
        assert ours.values_by_name[name].number == value.number


def test_numbers_are_bvlcs_so_that_its_files_decode_as_they_are() -> None:
    for message in bvlc_pb2.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            assert OURS[message.name].fields_by_name[field.name].number == field.number


def test_fields_of_the_fork_keep_their_numbers_or_move_up_by_1000() -> None:
    moved = {
        f"{message.name}.{field.name}"
        for message in srn_fork_pb2.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if OURS[message.name].fields_by_name[field.name].number == field.number + 1000
    }
    assert moved == {
        "DataParameter.shuffle",
        "LayerParameter.bn_param",
        "LayerParameter.video_data_param",
        "SolverParameter.richness",
    }


@pytest.mark.parametrize("module", MODULES)
def test_loads_without_a_warning(module: str) -> None:
    run = "import runpy, sys; runpy.run_path(sys.argv[1])['NetParameter'](name='n').SerializeToString()"
    path = ROOT / "caffe_compat/proto" / f"{module}.py"
    subprocess.run([sys.executable, "-W", "error", "-c", run, path], check=True)


def _protoc() -> bool:
    found = shutil.which("protoc")
    version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout if found else ""
    return "libprotoc 3.21" in version


@pytest.mark.skipif(not _protoc(), reason="needs protoc 21.12, which made the modules")
def test_generated_modules_are_fresh(tmp_path: Path) -> None:
    protos = [f"caffe_compat/proto/{module.replace('_pb2', '')}.proto" for module in MODULES]
    command = ["protoc", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *protos]
    subprocess.run(command, cwd=ROOT, check=True)
    for made in tmp_path.rglob("*_pb2.py*"):
        assert made.read_bytes() == (ROOT / made.relative_to(tmp_path)).read_bytes()

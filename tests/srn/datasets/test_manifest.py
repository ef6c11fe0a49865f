import hashlib
import subprocess

from caffe_compat.srn.datasets.manifest import write_manifest


def test_sha256sum_agrees(tmp_path):
    (tmp_path / "train_lmdb").mkdir()
    for name in ("b.txt", "a b.txt", "train_lmdb/data.mdb", "train_lmdb/lock.mdb", ".hidden"):
        (tmp_path / name).write_text(name)
    path = write_manifest(tmp_path)
    names = ["a b.txt", "b.txt", "train_lmdb/data.mdb"]
    assert path.read_text() == "".join(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}\n" for n in names)
    subprocess.run(["sha256sum", "--check", "--quiet", path.name], cwd=tmp_path, check=True)

    assert write_manifest(tmp_path).read_text().count("\n") == 3  # it does not list itself

"""`create-label-lmdb`."""


def test_the_database_is_made_once(tmp_path, program):
    (tmp_path / "labels.txt").write_text("1 0 1\n0 0 1\n")
    (tmp_path / "list.txt").write_text("a.jpg 2\nb.jpg 1\n")
    command = ("create-label-lmdb", tmp_path / "labels.txt", tmp_path / "list.txt", tmp_path / "lmdb")

    first, second = (program(*command) for _ in range(2))

    assert first == (0, "Total # of item in label lmdb: 2\n", "")
    assert second == (
        1, "", f"caffe-compat create-label-lmdb: {tmp_path / 'lmdb'}: exists already; remove it or name another place\n"
    )  # fmt: skip

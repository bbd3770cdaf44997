"""`python -m tests.scenario.support2_stream` with a file that is not the data, or a folder that cannot be: told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.support2_stream import COLUMNS, main

HEADER = ",".join(COLUMNS)


def refused(capsys: pytest.CaptureFixture[str], out: Path, data: Path) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(out), str(data)])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.splitlines()[-1].partition("error: ")[2]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not support2.csv: it has no column '', 'surv2m'"),
        (b"age,sex\n1,male\n", "not support2.csv: it has no column '', 'surv2m', 'death', 'd.time', 'dzgroup'"),
        (f"{HEADER}\n1,0.5,1,7,old,male,ARF\n".encode(), "not support2.csv: line 2 cannot be read: "),
        (f"{HEADER}\n1,0.5,1,7,70,other,ARF\n".encode(), "not support2.csv: line 2 cannot be read: "),
        (f"{HEADER}\n1,0.5\n".encode(), "not support2.csv: line 2 cannot be read: "),
        (b"\xff\xfe\x00", "codec can't decode"),
    ],
)
def test_another_file_is_named_with_what_it_lacks(
    content: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "other.csv"
    data.write_bytes(content)
    said = refused(capsys, tmp_path / "out", data)
    assert said.startswith(f"{data}: ")
    assert told in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "support2.csv"
    data.write_text(f"{HEADER}\n1,0.5,1,7,70,male,ARF\n", encoding="utf-8")
    assert refused(capsys, data / "out", data) == f"{data / 'out'}: cannot be written: Not a directory"
    main([str(tmp_path / "out"), str(data)])
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "out" / name) for name in ("manifest.yaml", "events.ndjson")]

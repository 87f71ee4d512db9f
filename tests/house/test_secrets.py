"""A key that somebody commits is found; that the repository holds none is the stage `secrets` of bin/test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = {
    "a cloud key": 'key = "AKIA' + 'IOSFODNN7EXAMPLA"\n',
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n",
    "words to come in by": "PASS" + "WORD" + ' = "hunter2-is-not-good-enough"' + chr(10),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_secret_fails_the_stage(what: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "secrets", tmp_path / "bin")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "settings.py").write_text(PLANTED[what])
    for command in (["git", "init", "-q"], ["git", "add", "settings.py"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "bin" / "secrets"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "settings.py" in done.stdout

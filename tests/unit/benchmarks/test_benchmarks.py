"""That the benchmarks run; no time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[3]


def test_everything_measured_in_one_command(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/run.py", "--quick", "--without-published", "--out", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "results.tsv", sep="\t")
    assert table["study"].tolist() == ["planted", "planted", "pbmc68k_reduced", "pbmc68k_reduced"]
    assert table["method"].tolist() == ["ours", "logistic regression"] * 2
    assert (table[["cpu", "wall", "peak"]] > 0).all(axis=None) and table["accuracy"].between(0.2, 1).all()
    assert (table["markers"].dropna() > 30).all() and table["markers"].notna().tolist() == [True, True, False, False]
    floor = json.loads((tmp_path / "floor.json").read_text())
    assert floor["floor"] > 0 and set(floor["parts"]) >= {"products", "optimiser"}
    assert "<svg" in (tmp_path / "results.svg").read_text()

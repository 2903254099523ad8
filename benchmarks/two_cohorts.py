"""Do novel transcripts improve predictions in a cohort that took no part? Two simulated cohorts, one procedure.

    python benchmarks/two_cohorts.py FOLDER --seeds 4 --cores 2

For each seed, the studies two_cohorts_known and two_cohorts_with_novel of config/studies are run as they stand, and
`deepmapper predict` names the samples of the other cohort with the models of each. This is done twice: with novel
transcripts that differ between the classes, and with none that do. FOLDER receives the studies and comparison.tsv; the
same command again runs what is missing.
"""

import argparse
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from deepmapper.core.auc import auc
from deepmapper.findings.paired import compare_paired
from deepmapper.simulate.cohorts import CLASSES, CohortDesign, write_cohorts

ROOT = Path(__file__).parents[1]
SETS = {"two_cohorts_known": "known", "two_cohorts_with_novel": "with_novel"}
DRAWS = 2000  # resamples of the other cohort


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        for differing in (CohortDesign.differing_novel, 0):
            design = replace(CohortDesign(), differing_novel=differing)
            studies = {name: options.folder / f"{seed}_{differing}_{SETS[name]}" for name in SETS}
            for name, study in studies.items():
                run(name, study, design, seed, options.cores)
            for model in sorted(path.name for path in (study / "predicted").iterdir()):
                named = [pd.read_csv(one / f"predicted/{model}/target.tsv", sep="\t") for one in studies.values()]
                rows.append({"seed": seed, "differing_novel": differing, "model": model, **compare(*named)})
            pd.DataFrame(rows).to_csv(options.folder / "comparison.tsv", sep="\t", index=False, float_format="%.3f")
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    print(table.groupby(["differing_novel", "model"]).mean(numeric_only=True).round(3).to_string())


def run(name: str, study: Path, design: CohortDesign, seed: int, cores: int):
    """Simulate, train and predict, as a user would; what is there is left as it is."""
    if (study / "predicted").exists():
        return
    if not (study / "data/truth.tsv").exists():
        write_cohorts(study / "data", design, seed)
    (study / "config").mkdir(exist_ok=True)
    shutil.copy(ROOT / "config/studies" / name / "config.yaml", study / "config/config.yaml")
    command = [sys.executable, "-m", "deepmapper"]
    subprocess.run([*command, "run", study, "--cores", str(cores), "--", "model"], check=True)
    for model in sorted((study / "results/model").iterdir()):
        out = study / "predicting" / model.name
        out.parent.mkdir(exist_ok=True)
        call = [*command, "predict", model, study / "data/independent.h5ad", "--given", "risk", "-o", out]
        subprocess.run(call, check=True)
    (study / "predicting").rename(study / "predicted")


def compare(known: pd.DataFrame, with_novel: pd.DataFrame) -> dict:
    """Compare two tables target.tsv of the same samples, whose classes are in the column given.

    AUC of either, their difference with its 95 % interval over resampled samples, accuracy of either, and McNemar's
    test of the accuracies.
    """
    y = (known["given"] == CLASSES[1]).to_numpy()
    scores = [one.set_index("cell").loc[known["cell"]] for one in (known, with_novel)]
    high = [np.where(one["nearest"] == CLASSES[1], one["probability"], 1 - one["probability"]) for one in scores]
    high = [np.nan_to_num(score, nan=0.5) for score in high]  # a model without signal names nobody
    right = [(one["nearest"] == known["given"].to_numpy()).to_numpy() for one in scores]
    rng = np.random.default_rng(0)
    drawn = [np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (0, 1)]) for _ in range(DRAWS)]
    differences = [auc(high[1][rows], y[rows]) - auc(high[0][rows], y[rows]) for rows in drawn]
    low, up = np.quantile(differences, [0.025, 0.975])
    found = {"auc_known": auc(high[0], y), "auc_with_novel": auc(high[1], y)}
    found |= {"gain": found["auc_with_novel"] - found["auc_known"], "gain_low": low, "gain_high": up}
    found |= {"accuracy_known": right[0].mean(), "accuracy_with_novel": right[1].mean()}
    return found | {"p_accuracy": compare_paired(*right).p}


if __name__ == "__main__":
    main()

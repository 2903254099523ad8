"""Whole runs of the workflow on real matrices: naive against memory CD4 T cells, and blood cell types.

    python benchmarks/real_data.py naive_memory FOLDER --matrix zheng2017_facs10.h5ad
    python benchmarks/real_data.py all_sorted FOLDER --matrix zheng2017_facs10.h5ad
    python benchmarks/real_data.py pbmc3k FOLDER --matrix pbmc3k.h5ad

Depth and detected genes are adjusted for. FOLDER receives the configuration and everything that the workflow writes;
what it says of features, chords and confounders is printed. The same command again runs what is missing.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
NAIVE, MEMORY = "CD4+/CD45RA+/CD25- Naive T", "CD4+/CD45RO+ Memory"
STUDIES = {
    "naive_memory": ("facs_population", lambda label: label not in (NAIVE, MEMORY)),
    "all_sorted": ("facs_population", lambda label: False),
    "pbmc3k": ("cell_type", lambda label: label == "unlabelled"),
}
SHOWN = ["chord", "order", "class", "z", "side_1", "side_2", "side_3", "auc_chord", "auc_additive", "synergy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--target", default="all", help="such as results/findings/chords.tsv, the chords alone")
    options = parser.parse_args()
    (options.folder / "config").mkdir(parents=True, exist_ok=True)
    (options.folder / "config/config.yaml").write_text(yaml.safe_dump(configuration(options), sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(options.cores)]
    command += ["--workflow-profile", str(ROOT / "workflow/profiles/default"), options.target]
    subprocess.run(command, cwd=options.folder, check=True)
    show(options.folder / "results")


def configuration(options):
    import anndata

    column, left_out = STUDIES[options.study]
    labels = anndata.read_h5ad(options.matrix, backed="r").obs[column].astype(str).unique()
    return {
        "matrix": {"path": str(options.matrix.resolve())},
        "labels": {"column": column, "exclude": sorted(label for label in labels if left_out(label))},
        "confounders": {"depth": True, "detected": True},
        "passes": {"n_passes": options.passes},
        "models": {"cnn_small": {}, "linear": {}},
    }


def show(results):
    for name in ("features/confounders.json", "chords/screen.json", "findings/chords.json"):
        print(json.loads((results / name).read_text())["statement"])
    chords = pd.read_csv(results / "findings/chords.tsv", sep="\t")
    print(chords[SHOWN].head(20).to_string(index=False) if len(chords) else "no chord")
    for table in sorted(results.glob("findings/*/features.tsv")):
        print(table.parent.name, pd.read_csv(table, sep="\t").head(20).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()

"""Simulate the study of the reads demo; seed 0 gives the one in resources/demo/reads.

Run by hand: python scripts/make_study.py FOLDER [--seed N] [--sheet FILE]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # works in a fresh clone, before anything is installed

from deepmapper.simulate.reads import make_study  # noqa: E402

# Many shallow samples: enough for the chord, and as many reads in all as a few deep ones.
DEMO = {
    "samples_per_condition": 24,
    "fragments_per_sample": 1000,
    "fold_of_genes": 4.0,
    "responders": 0.5,
    "chord": True,
}


def main() -> None:
    """Write the study and print where its sample sheet is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", help="receives reference, reads and truth")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0; equal seeds give equal files")
    parser.add_argument("--sheet", metavar="FILE", help="the sample sheet to write (default FOLDER/samples.tsv)")
    args = parser.parse_args()
    study = make_study(args.folder, seed=args.seed, sheet=args.sheet, **DEMO)
    print(f"wrote {len(study.samples)} samples: {study.sheet}")


if __name__ == "__main__":
    main()

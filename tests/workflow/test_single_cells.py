"""The commands for single cells in docs/reads.md give the right counts of known and novel transcripts."""

import gzip
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("STAR"), reason="STAR is not installed"),
]

PAGE = Path(__file__).resolve().parents[2] / "docs/reads.md"
GENES = {"t1": "g1", "t2": "g1", "t3": "g2", "DENOVO_a": "DENOVO_a", "DENOVO_b": "g1"}


def commands() -> str:
    """Commands of the section in order, without the call of Snakemake and sized for few short sequences."""
    section = PAGE.read_text().partition("\n## Single cells\n")[2].partition("\n## ")[0]
    blocks = [block for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) if "snakemake" not in block]
    text = "set -eu\n" + "".join(blocks)
    return text.replace("--genomeSAindexNbases 12", "--genomeSAindexNbases 4").replace(
        "--runThreadN 8", "--runThreadN 1"
    )


def test_cells_and_features_come_back(tmp_path):
    from deepmapper.io import read_matrix

    rng = random.Random(1)

    def bases(n):
        return "".join(rng.choices("ACGT", k=n))

    shared = bases(300)  # the isoforms of g1 end with the same sequence
    sequences = {"t1": bases(200) + shared, "t2": bases(150) + shared, "t3": bases(400), "DENOVO_a": bases(400)}
    sequences["DENOVO_b"] = bases(170) + shared
    for folder in ("reads/hybrid", "reads/novelty", "reads/reference"):
        (tmp_path / "results" / folder).mkdir(parents=True)
    (tmp_path / "fastq").mkdir()
    fasta = "".join(f">{name}\n{text[:80]}\n{text[80:]}\n" for name, text in sequences.items())
    (tmp_path / "results/reads/hybrid/hybrid.fa").write_text(fasta)
    table = "".join(f"{t}\t{g}\t\n" for t, g in GENES.items() if t in ("t1", "t2", "t3"))
    (tmp_path / "results/reads/reference/transcript_to_gene.tsv").write_text(
        f"transcript_id\tgene_id\tgene_name\n{table}"
    )
    contigs = [("contig", "name", "kept", "gene_id"), ("a", "DENOVO_a", "true", "DENOVO_a")]
    contigs += [("b", "DENOVO_b", "true", "g1"), ("c", "DENOVO_c", "false", "")]
    (tmp_path / "results/reads/novelty/contigs.tsv").write_text("".join("\t".join(row) + "\n" for row in contigs))
    barcodes = [bases(16) for _ in range(50)]
    (tmp_path / "3M-february-2018.txt").write_text("".join(f"{barcode}\n" for barcode in barcodes))
    truth, mates = Counter(), ([], [])
    for barcode in barcodes[:20]:
        for i in range(100):
            name = rng.choice(list(sequences))
            truth[barcode, GENES[name]] += 1
            end = len(sequences[name]) - rng.randrange(100)
            for mate, read in zip(mates, (barcode + bases(12), sequences[name][end - 91 : end]), strict=True):
                mate.append(f"@{barcode}{i}\n{read}\n+\n{'I' * len(read)}\n")
    for number, mate in enumerate(mates, 1):
        (tmp_path / f"fastq/s1_R{number}.fastq.gz").write_bytes(gzip.compress("".join(mate).encode()))
    done = subprocess.run(["bash", "-c", commands()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.warns(match="left out"):  # the raw matrix
        adata = read_matrix(tmp_path / "cells/samples")
    assert set(adata.var_names) == {"g1", "g2", "DENOVO_a"}
    found = adata.to_df()
    found.index = [name.split("-")[0] for name in found.index]
    wrong = sum(abs(found.loc[cell, gene] - n) for (cell, gene), n in truth.items())
    assert wrong <= 0.005 * 2000

"""The same reads in other files give the same counts: packed otherwise, of Windows, in lanes, as BAM, from the SRA."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess

import anndata
import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.tools]

RUN = "SRR9000001"


def unpacked(path) -> bytes:
    return gzip.decompress(path.read_bytes())


def halves(text: bytes) -> tuple[bytes, bytes]:
    """Split FASTQ into two files."""
    lines = text.splitlines(keepends=True)
    middle = len(lines) // 8 * 4
    return b"".join(lines[:middle]), b"".join(lines[middle:])


def fake_archive(folder, reads) -> None:
    """Write programs of sra-tools that know one run, of single reads."""
    shutil.copy(reads, folder / "run.fastq")
    scripts = {
        "prefetch": f'[ "$1" = {RUN} ] || exit 3; mkdir $1; touch $1/$1.sra',
        "vdb-dump": 'case "$*" in *TYPE*) echo "READ_TYPE: SRA_READ_TYPE_BIOLOGICAL";; *) echo "READ_LEN: 100";; esac',
        "fasterq-dump": f"mkdir fastq; cp {folder}/run.fastq fastq/{RUN}.fastq",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\nset -e\n{script}\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("trim", [False, True])
def test_reads_as_they_come(reads_directory, small_run, monkeypatch, tmp_path, trim):
    directory, study = reads_directory()
    reads, odd = study.sheet.parent / "fastq", directory.folder / "odd files"
    odd.mkdir()
    table = pd.read_csv(study.sheet, sep="\t", dtype=str).fillna("").set_index("sample", drop=False)
    paired, single = (table.index[(table["fq2"] != "") == kind] for kind in (True, False))
    # ctrl_1, pairs: bzip2 and xz, in two lanes as lists
    name = paired[0]
    for mate, pack, ending in ((1, bz2.compress, "bz2"), (2, lzma.compress, "xz")):
        files = []
        for lane, text in enumerate(halves(unpacked(reads / f"{name}_R{mate}.fastq.gz")), 1):
            files.append(f"odd files/s_L00{lane}_R{mate}.fastq.{ending}")
            (directory.folder / files[-1]).write_bytes(pack(text.replace(b"/%d\n" % mate, b" %d:N:0:ACGT\n" % mate)))
        table.loc[name, f"fq{mate}"] = ",".join(files)
    # ctrl_2, single: Windows, plain
    text = unpacked(reads / f"{single[0]}.fastq.gz")
    (odd / "from windows.fq").write_bytes(text.replace(b"\n", b"\r\n"))
    table.loc[single[0], "fq1"] = "odd files/from windows.fq"
    # stim_1, pairs: unaligned BAM
    bam = odd / "stim 1.bam"
    mates = [f"-{mate}" if i == 0 else reads / f"{paired[1]}_R{mate}.fastq.gz" for mate in (1, 2) for i in (0, 1)]
    subprocess.run(["samtools", "import", *mates, "-o", bam], check=True)
    table["bam"] = ""
    table.loc[paired[1], ["fq1", "fq2", "bam"]] = "", "", "odd files/stim 1.bam"
    # stim_2, single: a run of the SRA
    (tmp_path / "bin").mkdir()
    (tmp_path / "plain.fastq").write_bytes(unpacked(reads / f"{single[1]}.fastq.gz"))
    fake_archive(tmp_path / "bin", tmp_path / "plain.fastq")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    table["sra"] = ""
    table.loc[single[1], ["fq1", "sra"]] = "", RUN
    table.to_csv(study.sheet, sep="\t", index=False)

    table_of_reads = "results/reads/alignment.tsv"
    if trim:
        directory.configure(reads={"trim": True})
    done = directory.run(table_of_reads if trim else "expression")
    assert done.jobs["fetch_reads"] == done.jobs["extract_reads"] == 1
    assert not (directory.results / "reads/extracted" / paired[1] / "1").exists(), "a copy of the reads is not kept"
    assert (directory.results / f"reads/fetched/{RUN}/single.fastq.gz").exists(), "what was fetched is kept"
    found, expected = (pd.read_csv(run.folder / table_of_reads, sep="\t") for run in (directory, small_run[0]))
    assert list(found["sample"]) == list(expected["sample"])
    assert list(found["layout"]) == list(expected["layout"])
    if trim:
        np.testing.assert_allclose(found["fragments"], expected["fragments"], rtol=0.05)
        return
    found = anndata.read_h5ad(directory.results / "expression.h5ad")
    expected = anndata.read_h5ad(small_run[0].results / "expression.h5ad")
    assert list(found.obs["counted_fragments"]) == list(expected.obs["counted_fragments"])
    assert list(found.obs["counted_layout"]) == list(expected.obs["counted_layout"])
    assert list(found.var_names) == list(expected.var_names)
    np.testing.assert_allclose(found.X.toarray(), expected.X.toarray(), atol=2)
    assert directory.would_run("expression") == {}

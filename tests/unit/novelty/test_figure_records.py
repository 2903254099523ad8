"""What a figure shows of the first novel transcripts, and the depth of the reads around them."""

import shutil
import subprocess

import numpy as np
import pytest

from deepmapper.novelty.coverage import first_novel, measure_coverage
from deepmapper.novelty.figure_records import figure_records
from deepmapper.reads.annotation import Transcript, write_gtf

PLACE = Transcript("DENOVO_a", "DENOVO_a", "", "chr1", "+", ((6000, 6200), (6400, 6500)))


def test_first_novel_transcripts_keep_their_ranks(tmp_path):
    rows = [f"{i}\t{'DENOVO_' if i % 2 else 'T'}{i}\t{i % 2 == 1}" for i in range(1, 9)]
    (tmp_path / "features.tsv").write_text("\n".join(["rank\tfeature\tis_denovo", *rows]) + "\n")
    assert first_novel(tmp_path / "features.tsv", 3) == {"DENOVO_1": 1, "DENOVO_3": 3, "DENOVO_5": 5}


def test_records_hold_the_neighbours_in_order_and_depth_by_class(tmp_path):
    near = [
        Transcript("T1", "G1", "ABC1", "chr1", "-", ((9000, 9100),)),
        Transcript("T2", "G2", "", "chr1", "+", ((6100, 6600),)),
        Transcript("T3", "G3", "", "chr1", "+", ((11_600, 11_700),)),
        Transcript("T4", "G4", "", "chr2", "+", ((6100, 6600),)),
    ]
    write_gtf(tmp_path / "near.gtf", near)
    write_gtf(tmp_path / "novel.gtf", [PLACE], "novel")
    (tmp_path / "novel.tsv").write_text(
        "name\talias\tclass\tclass_code\tmeaning\tlength\n"
        "DENOVO_a\tchr1:6001-6500\tintergenic\tu\twhere nothing is annotated\t300\n"
        "DENOVO_b\tnovel1\tunmapped\t\tnothing like it\t900\n"
    )
    values = {name: {"ctrl": np.ones(2), "stim": np.zeros(1)} for name in ("DENOVO_a", "DENOVO_b")}
    one, two = figure_records(
        {"DENOVO_a": 2, "DENOVO_b": 7},
        novel=tmp_path / "novel.tsv",
        places=tmp_path / "novel.gtf",
        neighbours=tmp_path / "near.gtf",
        values=values,
        coverage={"DENOVO_a": {"s1": [1, 3], "s2": [3, 5], "s3": [8, 8], "unlabelled": [90, 90]}},
        label_of={"s1": "ctrl", "s2": "ctrl", "s3": "stim"},
    )
    assert (one["rank"], one["about"]) == (2, "intergenic (u): where nothing is annotated")
    assert one["model"] == ("chr1:6001-6500", "+", PLACE.exons)
    assert [label for label, *_ in one["neighbours"]] == ["G2 (T2)", "ABC1 (T1)"]
    assert {name: depth.tolist() for name, depth in one["coverage"].items()} == {"ctrl": [2, 4], "stim": [8, 8]}
    assert two["about"] == "unmapped: nothing like it"
    assert "model" not in two


@pytest.mark.skipif(shutil.which("samtools") is None, reason="not installed: samtools")
@pytest.mark.parametrize("chrom", ["chr1", "odd:name"])
def test_depth_is_per_million_aligned_fragments_and_leaves_introns_out(tmp_path, chrom):
    lines = ["@HD\tVN:1.6\tSO:coordinate", f"@SQ\tSN:{chrom}\tLN:30000"]
    lines += [f"r{i}\t0\t{chrom}\t6101\t60\t100M200N100M\t*\t0\t0\t{'A' * 200}\t{'I' * 200}" for i in range(4)]
    (tmp_path / "a.sam").write_text("\n".join(lines) + "\n")
    subprocess.run(["samtools", "view", "-b", "-o", tmp_path / "a.bam", tmp_path / "a.sam"], check=True)
    subprocess.run(["samtools", "index", tmp_path / "a.bam"], check=True)
    (tmp_path / "alignment.tsv").write_text("sample\taligned\na\t2000000\n")
    place = Transcript("DENOVO_a", "DENOVO_a", "", chrom, "+", PLACE.exons)
    depth = measure_coverage({"a": tmp_path / "a.bam"}, tmp_path / "alignment.tsv", {"DENOVO_a": place})
    parts = depth["DENOVO_a"]["a"]
    edges = np.linspace(1000, 11_500, len(parts) + 1)
    assert sum(parts) * (edges[1] - edges[0]) == pytest.approx(4 * 200 / 2, rel=0.01)
    middle = (edges[:-1] + edges[1:]) / 2
    assert not any(np.array(parts)[(middle > 6230) & (middle < 6370)])
    assert max(parts) == pytest.approx(2)

"""MultiQC's section on where the fragments went."""

import json

from deepmapper.reads.fates import COLUMNS
from deepmapper.reads.quality import summarise_quality


def test_multiqc_gets_the_four_places_of_every_sample(tmp_path, fake_program):
    fake_program("multiqc", f'cp "${{@: -1}}"/fragments_mqc.json {tmp_path}/seen.json; touch "$2"/page.html')
    rows = [" ".join(COLUMNS), "s1 paired 100 60 10 20 10 9 0.6 0.1 0.2 0.1 5 1 reverse reverse"]
    (tmp_path / "fragments.tsv").write_text("\n".join(rows).replace(" ", "\t") + "\n")
    empty = {"fastp": {}, "alignments": {}, "quantifications": {}}
    summarise_quality(tmp_path / "page.html", **empty, fragments=tmp_path / "fragments.tsv")
    section = json.loads((tmp_path / "seen.json").read_text())
    assert section["plot_type"] == "bargraph"
    assert section["data"] == {
        "s1": {
            "Counted on known transcripts": 60,
            "Counted on novel transcripts": 10,
            "Aligned to the genome, not counted": 20,
            "Neither aligned nor counted": 10,
        }
    }
    assert (tmp_path / "page.html").exists()

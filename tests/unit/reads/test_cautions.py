"""What the summary page says about the reads."""

import json

from deepmapper.reads.cautions import reads_cautions
from deepmapper.reads.chromosomes import Place, write_places
from deepmapper.reads.fates import COLUMNS


def test_names_that_differ_and_samples_that_do_not_map_are_told(tmp_path):
    write_places(tmp_path / "c.tsv", [Place("1", "chr1", "habit", 3, 5), Place("chr2", "chr2", "exact", 1, 1)])
    for name, note in (("a", ""), ("b", "sample b: none of 7 fragments maps to a transcript")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "quantification.json").write_text(json.dumps({"note": note}))
    # of sample b nothing counts
    rows = ["a single 10 8 0 1 1 0 0.8 0 0.1 0.1 1 0 unstranded", "b single 7 0 0 7 0 0 0 0 1 0 0 0 unstranded"]
    fragments, alignment = tmp_path / "f.tsv", tmp_path / "a.tsv"
    fragments.write_text("\n".join([" ".join(COLUMNS), *(f"{row} " for row in rows)]).replace(" ", "\t") + "\n")
    alignment.write_text("sample\tfragments\thalf_mapped\na\t10\t0\nb\t7\t0\n")
    folders = [tmp_path / "a", tmp_path / "b"]
    first, second, third = reads_cautions(tmp_path / "c.tsv", folders, fragments, alignment)
    assert first.startswith("The annotation: matched 1 sequence with 3 genes to names of the genome that differ")
    assert second == "Sample b: none of 7 fragments maps to a transcript"
    assert third.startswith("Sample b (100.0 %): this share of the fragments aligns to the genome but matches no")
    write_places(tmp_path / "c.tsv", [])
    for file in (fragments, alignment):
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    assert reads_cautions(tmp_path / "c.tsv", [tmp_path / "a"], fragments, alignment) == []

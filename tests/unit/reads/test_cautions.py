"""What the summary page says about the reads."""

import json

from deepmapper.reads.cautions import reads_cautions
from deepmapper.reads.chromosomes import Place, write_places


def test_names_that_differ_and_samples_that_do_not_map_are_told(tmp_path):
    write_places(tmp_path / "c.tsv", [Place("1", "chr1", "habit", 3, 5), Place("chr2", "chr2", "exact", 1, 1)])
    for name, note in (("a", ""), ("b", "sample b: none of 7 fragments maps to a transcript")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "quantification.json").write_text(json.dumps({"note": note}))
    first, second = reads_cautions(tmp_path / "c.tsv", [tmp_path / "a", tmp_path / "b"])
    assert first.startswith("The annotation: matched 1 sequence with 3 genes to names of the genome that differ")
    assert second == "Sample b: none of 7 fragments maps to a transcript"
    write_places(tmp_path / "c.tsv", [])
    assert reads_cautions(tmp_path / "c.tsv", [tmp_path / "a"]) == []

"""Where the fragments went: every sample in a small study, a figure of constant size in a large one."""

import xml.etree.ElementTree as ET

import pytest

from deepmapper import plots


def test_every_sample_is_named_with_its_fragments(examples, words, tmp_path):
    table = examples.fragments_table(8).assign(fragments=12345)
    plots.fragment_fates(table, tmp_path / "a.svg")
    found = words(tmp_path / "a.svg")
    assert set(table["sample"]) < set(found)
    assert found.count("12,345") == 8
    assert "8 samples of 12,345 fragments" in found
    assert {"counted on novel transcripts", "aligned to the genome, not counted"} < set(found)


@pytest.mark.parametrize("n", [300, 3000])
def test_a_large_study_gives_a_figure_of_constant_size(examples, words, n, tmp_path):
    for samples in (61, n):
        plots.fragment_fates(examples.fragments_table(samples), tmp_path / f"{samples}.svg")
    roots = (ET.parse(tmp_path / f"{samples}.svg").getroot() for samples in (61, n))
    small, large = ([float(side) for side in root.get("viewBox").split()[2:]] for root in roots)
    assert large == pytest.approx(small, rel=0.05)  # the numbers at the axis may be longer
    assert (tmp_path / f"{n}.svg").stat().st_size < 300_000
    assert not [text for text in words(tmp_path / f"{n}.svg") if text.startswith("patient")]

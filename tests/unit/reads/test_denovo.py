"""Names of novel transcripts."""

from deepmapper.reads.denovo import is_denovo


def test_novel_transcripts_are_recognised_by_their_name():
    assert is_denovo("DENOVO_0a")
    assert not is_denovo("T1_DENOVO_")

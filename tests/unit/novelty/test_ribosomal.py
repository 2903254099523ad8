"""Ribosomal RNA by profiles: found on both strands in pieces, in nothing else; files that are no profiles."""

import gzip
import random

import pytest

from deepmapper.errors import InputError
from deepmapper.novelty.ribosomal import find_ribosomal
from deepmapper.reads.nucleotides import reverse_complement


def test_pieces_of_every_kind_are_found_on_both_strands(ribosomal_rna, profiles):
    pieces = {}
    for name, sequence in ribosomal_rna.items():
        piece = sequence[: max(110, len(sequence) // 3)]
        pieces |= {f"{name}+": piece, f"{name}-": reverse_complement(piece)}
    found = find_ribosomal(pieces.items(), profiles)
    assert found.keys() == pieces.keys()
    assert all(rna.profile.endswith("S_rRNA") and rna.e_value <= 1e-6 for rna in found.values())
    assert min(rna.coverage for rna in found.values()) > 0.8


def test_a_subunit_within_a_long_transcript_is_told_by_its_share_of_the_profile(ribosomal_rna, profiles):
    small = ribosomal_rna["5_8S_rRNA"]
    rest = "".join(random.Random(1).choices("ACGT", k=4000))
    given = {name: rest + ribosomal_rna[name] + rest for name in ("18S_rRNA", "28S_rRNA")} | {
        "small": rest + small + rest
    }
    found = find_ribosomal(given.items(), profiles)
    assert min(found[name].profile_share for name in ("18S_rRNA", "28S_rRNA")) > 0.9
    assert found["18S_rRNA"].coverage < 0.25
    assert found["small"].profile_share == 0  # pieces of 5.8S and 5S occur in other transcripts


def test_random_sequences_hold_none(profiles):
    rng = random.Random(2)
    assert find_ribosomal(((str(i), "".join(rng.choices("ACGT", k=1000))) for i in range(200)), profiles) == {}


def test_no_contigs_and_the_number_of_threads(ribosomal_rna, profiles):
    assert find_ribosomal([], profiles) == {}
    pieces = [(name, sequence[:200]) for name, sequence in ribosomal_rna.items()]
    one, two = (find_ribosomal(pieces, profiles, threads=n) for n in (1, 2))
    assert one == two and len(one) == len(pieces)


@pytest.mark.parametrize(
    "content",
    [b"", b">a\nACGT\n", gzip.compress(b"HMMER3/f [3.1\nNAME  a\n"), b"\x89PNG\r\n"],
    ids=["empty", "FASTA", "cut off", "image"],  # the compressed bytes hold the time, and processes must agree on names
)
def test_what_holds_no_profiles_is_refused(tmp_path, content):
    path = tmp_path / "profiles.hmm"
    path.write_bytes(content)
    with pytest.raises(InputError, match="profiles.hmm: .* expected profiles of ribosomal RNA .*"):
        find_ribosomal([("a", "ACGT" * 50)], path)

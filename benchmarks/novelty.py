"""Novel transcripts that only the annotation lacks, in simulated studies: what comes back, what is false, what is told.

    python benchmarks/novelty.py [--draws N] [--first-seed N] [--genes N] [--unlisted N] [--isoforms N] [--fragments N]

Each draw is a study of its own (genome, genes, reads of four samples). Its reads are aligned and assembled, the models
are screened with the defaults, and what is kept is compared with the truth: a new gene comes back if a model holds at
least 90 % of it, an isoform if a model has exactly its introns. StringTie's own models are judged in the same way, and
the stated number of false ones stands beside the true one. What the screen loses, and what is false, is listed with the
reason. Needs HISAT2, samtools, StringTie and minimap2 on PATH.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))


def main() -> None:
    """Run all draws and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--genes", type=int, default=240, help="annotated genes (default: 240)")
    parser.add_argument("--unlisted", type=int, default=12, help="genes that the annotation lacks (default: 12)")
    parser.add_argument("--isoforms", type=int, default=10, help="isoforms that it lacks (default: 10)")
    parser.add_argument("--fragments", type=int, default=30_000, help="of each of the samples (default: 30000)")
    args = parser.parse_args()
    print("seed\tgenes\tisoforms\tof StringTie\tkept\tfalse\tstated")
    for seed in range(args.first_seed, args.first_seed + args.draws):
        with tempfile.TemporaryDirectory() as scratch:
            print(seed, *draw(Path(scratch), seed, args), sep="\t", flush=True)


def draw(folder: Path, seed: int, args: argparse.Namespace) -> list[str]:
    """Make a study and find what its annotation lacks."""
    from deepmapper.novelty.controls import write_hidden
    from deepmapper.novelty.loci import introns_of, shared
    from deepmapper.novelty.models import assemble_models, merge_models, read_models
    from deepmapper.novelty.screen import screen_novelty
    from deepmapper.reads.alignment import align_reads, build_hisat2_index
    from deepmapper.reads.annotation import read_annotation
    from deepmapper.reads.references import prepare_genome, write_splice_sites
    from deepmapper.reads.samples import Unit
    from deepmapper.simulate.reads import make_study

    log = io.StringIO()
    study = make_study(
        folder,
        seed=seed,
        n_genes=args.genes,
        n_unlisted=args.unlisted,
        n_unlisted_isoforms=args.isoforms,
        samples_per_condition=2,
        fragments_per_sample=args.fragments,
    )
    prepare_genome(folder / "genome.fa", genome=study.genome)
    build_hisat2_index(folder / "genome.fa", folder / "index", log=log)
    sites, known, controls, hidden = (
        folder / name for name in ("sites.tsv", "known.gtf", "controls.gtf", "hidden.tsv")
    )
    write_splice_sites(sites, annotation=study.annotation, genome=folder / "genome.fa", gtf=known, log=log)
    write_hidden(known, controls, hidden)
    models = {}
    with study.sheet.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            name, bam, unit = row["sample"], folder / f"{row['sample']}.bam", Unit("1", row["fq1"], row["fq2"])
            index, out = str(folder / "index/genome"), folder / name
            align_reads([unit], index=index, folder=out, sample=name, splice_sites=sites, bam=bam, log=log)
            models[name] = folder / f"models_{name}"
            assemble_models(bam, known, models[name], controls=controls, paired=unit.paired, log=log)
    merge_models(models, known, folder / "genome.fa", folder / "merged", log=log)
    merge_models(models, controls, folder / "genome.fa", folder / "hidden", gtf="controls.gtf", log=log)
    screen_novelty(
        None,
        transcripts=study.transcripts,
        genome=folder / "genome.fa",
        annotation=study.annotation,
        models=folder / "merged",
        controls=folder / "hidden",
        hidden=hidden,
        folder=folder / "novelty",
        log=log,
    )
    truth = {t.id: t for t in read_annotation(study.unlisted_annotation)}
    kept = read_annotation(folder / "novelty/denovo.gtf")

    def matches(place, true) -> bool:
        if place.chrom != true.chrom or place.strand not in (".", true.strand):
            return False
        if true.id.startswith("UNLISTED"):
            size = sum(end - start for start, end in true.exons)
            return shared(place.exons, true.exons) >= 0.9 * size
        return introns_of(place) == introns_of(true)

    raw = [model.transcript for model in read_models(folder / "merged")]
    back = {name for name, true in truth.items() if any(matches(place, true) for place in kept)}
    of_stringtie = {name for name, true in truth.items() if any(matches(place, true) for place in raw)}
    genes = [name for name in truth if name.startswith("UNLISTED")]
    isoforms = [name for name in truth if name not in genes]

    def is_false(place) -> bool:
        return not any(
            matches(place, true) or (true.id in genes and shared(place.exons, true.exons)) for true in truth.values()
        )

    with (folder / "novelty/contigs.tsv").open() as file:
        rows = {row["contig"]: row for row in csv.DictReader(file, delimiter="\t")}
    by_name = {row["name"]: row for row in rows.values()}
    for name in sorted(of_stringtie - back):
        for model in (rows[place.id] for place in raw if matches(place, truth[name])):
            print(f"# lost: {name}, {model['class']}, {model['reason']}")
    for row in (by_name[place.id] for place in kept if is_false(place)):
        print(f"# false: {row['class']}, {row['class_code']}, {row['supporting_reads']} fragments, {row['reason']}")
    rate = json.loads((folder / "novelty/error_rate.json").read_text())
    stated = sum(value for value in rate["expected_false"].values() if value is not None)
    return [
        f"{len(back & set(genes))}/{len(genes)}",
        f"{len(back & set(isoforms))}/{len(isoforms)}",
        f"{len(of_stringtie & set(genes))} + {len(of_stringtie & set(isoforms))}",
        str(len(kept)),
        str(sum(map(is_false, kept))),
        f"{stated:.1f} ({rate['recovered']}/{rate['hidden']} hidden back)",
    ]


if __name__ == "__main__":
    main()

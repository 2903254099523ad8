"""What is made of the files of a study, so that its configuration can read them.

numpy, scipy, pandas and anndata are imported on first use.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.files import atomic_write
from ..errors import InputError
from .catalogue import Study
from .download import unpack

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# The two runs of the second batch of Kang et al.: unstimulated and stimulated cells.
_KANG_RUNS = {"ctrl": "GSM2560248_2.1.mtx.gz", "stim": "GSM2560249_2.2.mtx.gz"}


def unpack_populations(study: Study, data: Path) -> str:
    """Unpack every archive of a study into a folder of its name."""
    folders = []
    for file in study.files:
        folder = data / file.name.removesuffix("_filtered_gene_bc_matrices.tar.gz")
        if not folder.exists():
            unpack(data / file.name, folder)
        folders.append(folder.name)
    return f"unpacked: {', '.join(folders)}"


def join_kang(study: Study, data: Path) -> str:
    """Join the unstimulated and stimulated cells of Kang et al. with what the authors say of each.

    Kept are cells that the authors call singlets and give a type, and genes that are detected in both conditions;
    those of one condition alone are listed in ``exclusive_genes.tsv``.
    """
    import anndata
    import numpy as np

    target = data / "kang2018.h5ad"
    if target.exists():
        return f"{target} is there"
    names = [file.name for file in study.files]
    archive, genes, cells = (data / next(n for n in names if part in n) for part in ("RAW.tar", "genes", "tsne"))
    about = _read_cells(cells)
    runs = {label: _read_run(archive, member, genes) for label, member in _KANG_RUNS.items()}
    both = runs["ctrl"].obs_names.intersection(runs["stim"].obs_names)
    # barcodes of both runs: the authors' table ends those of the stimulated run in 11
    renamed = {name: name.removesuffix("-1") + "-11" for name in both}
    runs["stim"].obs_names = [renamed.get(name, name) for name in runs["stim"].obs_names]
    joined = anndata.concat(runs, label="condition", merge="same")
    missing = joined.obs_names.difference(about.index)
    if len(missing):
        raise InputError(
            f"{cells}: lacks {len(missing)} of {joined.n_obs} cells, such as {missing[0]}. Fetch the files again."
        )
    joined.obs = joined.obs.join(about.loc[joined.obs_names])
    if (joined.obs["condition"].astype(str) != joined.obs["stim"]).any():
        raise InputError(f"{cells}: gives cells another condition than their run. Fetch the files again.")
    kept = ((joined.obs["multiplets"] == "singlet") & (joined.obs["cell"] != "")).to_numpy()
    joined = joined[kept].copy()
    detected = {label: _detected(joined[joined.obs["condition"] == label]) for label in _KANG_RUNS}
    exclusive = detected["ctrl"] != detected["stim"]
    with atomic_write(data / "exclusive_genes.tsv") as path:
        rows = [
            f"{g}\t{'ctrl' if c else 'stim'}"
            for g, c in zip(joined.var_names[exclusive], detected["ctrl"][exclusive], strict=True)
        ]
        path.write_text("\n".join(["gene\tdetected_in", *rows]) + "\n")
    shared = joined[:, np.logical_and(*detected.values())].copy()
    shared.obs["donor"] = "d" + shared.obs["ind"].astype(str)
    shared.obs = shared.obs[["condition", "donor", "cell"]].rename(columns={"cell": "cell_type"})
    with atomic_write(target) as path:
        shared.write_h5ad(path)
    size = f"{shared.n_obs} cells × {shared.n_vars} genes"
    return f"{size} detected in both conditions; {exclusive.sum()} of one are in exclusive_genes.tsv"


def _read_cells(path: Path) -> pd.DataFrame:
    """The authors' table of cells: by barcode, with donor, condition, type and whether it is a doublet."""
    import pandas as pd

    # written by R: the header has no name for the first column, so pandas takes that as the index
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_filter=False)
    table["cell"] = table["cell"].replace("NA", "")
    return table[["ind", "stim", "cell", "multiplets"]]


def _read_run(archive: Path, member: str, genes: Path) -> AnnData:
    """One run: genes × cells in the archive, the names of the genes beside it."""
    import anndata
    import pandas as pd
    from scipy import io, sparse

    barcodes = member.split("_")[0] + "_barcodes.tsv.gz"
    with tarfile.open(archive) as content:
        files = {}
        for name in (member, barcodes):
            file = content.extractfile(name) if name in content.getnames() else None
            if file is None:
                raise InputError(f"{archive}: holds no {name}, expected the archive of GSE96583. Fetch it again.")
            files[name] = gzip.decompress(file.read())
    from io import BytesIO

    counts = sparse.csr_matrix(io.mmread(BytesIO(files[member])).T).astype("float32")
    table = pd.read_csv(genes, sep="\t", header=None, dtype=str, keep_default_na=False)
    var = pd.DataFrame({"symbol": table[1].to_numpy()}, index=table[0].to_numpy())
    obs = pd.DataFrame(index=files[barcodes].decode().split())
    if counts.shape != (len(obs), len(var)):
        raise InputError(f"{archive}: {member} is {counts.shape}, expected {len(obs)} cells × {len(var)} genes.")
    return anndata.AnnData(counts, obs, var)


def _detected(adata: AnnData):
    return adata.X.getnnz(axis=0) > 0


def label_pbmc3k(study: Study, data: Path) -> str:
    """Unpack the counts, and write the cell types of the processed data as a table of labels."""
    import h5py
    import pandas as pd
    from anndata.io import read_elem

    archive, processed = (data / file.name for file in study.files)
    folder = data / "pbmc3k"
    if not folder.exists():
        unpack(archive, folder)
    with h5py.File(processed) as file:
        obs: pd.DataFrame = read_elem(file["obs"])
    if "louvain" not in obs:
        raise InputError(
            f"{processed}: has no column louvain, expected the cell types of the tutorial. Fetch it again."
        )
    table = pd.DataFrame({"cell": obs.index.astype(str), "cell_type": obs["louvain"].astype(str)})
    with atomic_write(data / "cell_types.tsv") as path:
        table.to_csv(path, sep="\t", index=False)
    return f"{len(table)} cells of {table['cell_type'].nunique()} types in cell_types.tsv"


def simulate_two_cohorts(study: Study, data: Path) -> str:
    """Simulate two cohorts, and write the first with and without its novel transcripts, the second, and the truth."""
    from ..simulate.cohorts import write_cohorts

    if (data / "truth.tsv").exists():
        return f"{data / 'truth.tsv'} is there, and so are both cohorts"
    truth = write_cohorts(data)
    novel = int(truth["is_denovo"].sum())
    return f"simulated: two cohorts, {len(truth) - novel} known and {novel} novel transcripts"


PREPARE: dict[str, Callable[[Study, Path], str]] = {
    "unpack_populations": unpack_populations,
    "join_kang": join_kang,
    "label_pbmc3k": label_pbmc3k,
    "simulate_two_cohorts": simulate_two_cohorts,
}

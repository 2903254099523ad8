"""Predictions from a model folder: for an AnnData in Python, or for files."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.blocks import VStack
from ..core.files import unwritable
from ..core.tables import write_json, write_table
from ..core.target_schemas import NEW_IDENTITIES, TARGET, TARGET_GENES
from ..core.words import count, did_you_mean, listed, some
from ..errors import DeepMapperWarning, InputError
from ..features.target import describe_cells, describe_source, missing_note, source_names, unique_cells
from ..io.align import align, feature_table
from ..io.assemble import unique_names
from ..io.expression import import_matrix, open_expression
from ..io.feature_names import ids_of
from . import model_folder
from .answer import Answer, answer, write_annotated
from .embedded import Embedded, OpenedEmbedding, add_embeddings, embed_parts, open_run_embeddings
from .model import Model


def predict(
    model: Model | str | Path,
    adata: Any,
    *,
    level: float = 0.05,
    new_identities: bool = True,
    label_column: str = "",
    domain_column: str = "",
    allowed_terms: Sequence[str] = (),
    align: bool = True,
    seed: int = 0,
    device: Any = "cpu",
) -> pd.DataFrame:
    """Name the samples of an AnnData with a trained model.

    Parameters
    ----------
    model
        The folder of the model (results/model/NAME of a run), or what `model_folder.load` returned.
    adata
        AnnData with values of the same kind as those of the reference (usually raw counts in `X`); its features are
        found by name. Logarithms to another base, or of another total, are recognised and converted, see `io.align`. An
        AnnData that is backed is read into memory.
    level
        Error rate of the verdict "new" and of the sets of labels.
    new_identities
        Whether to cluster the new samples.
    label_column, domain_column
        Columns of `obs` with labels, to compare with, and with domains; "" for none.
    allowed_terms
        Terms of the model's ontology to which answers are restricted, see `answer.answer`.
    align
        Whether factors of the features are removed where they are large, see `answer.answer`.
    seed
        Of the comparison of target and reference.
    device
        To compute on.

    Returns
    -------
    pandas.DataFrame
        One row per sample, named like it: the columns of target.tsv. ``attrs["summary"]`` holds target.json, and
        ``attrs["new_identities"]`` new_identities.tsv as a list of rows.

    Raises
    ------
    InputError
        If the folder is no model, an argument is of no use, or the names, values or features do not fit the model.

    Warns
    -----
    DeepMapperWarning
        If values were converted, or could not be compared with those of the reference; if the file lacks features of
        the model or columns that are asked for, or has samples without counts or from which the model learned.
        ``attrs["summary"]["cautions"]`` holds what concerns the values and the model.
    """
    loaded = model if isinstance(model, Model) else model_folder.load(model)
    options: dict[str, Any] = {"level": level, "new_identities": new_identities, "seed": seed, "device": device}
    options |= {"allowed_terms": allowed_terms, "align": align}
    options |= {"label_column": label_column, "domain_column": domain_column}
    found = answer_for(loaded, {"": checked_anndata(adata)}, **options)
    table = found.table.set_index("cell", drop=False)
    table.index.name = None
    table.attrs["summary"] = found.summary
    table.attrs["new_identities"] = found.identities.to_dict("records")
    return table


def predict_file(
    model: str | Path,
    matrix: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    format: str = "auto",
    layer: str = "X",
    embeddings: Sequence[str | Path] = (),
    **options: Any,
) -> Answer:
    """Name the samples of one or more files, and write the results to a folder.

    Parameters
    ----------
    model
        Folder of the model.
    matrix
        A file or folder in any supported format (`io.read.read_matrix`), or several.
    out
        Folder for target.tsv, target.json, new_identities.tsv, target_genes.tsv and target.h5ad.
    format, layer
        As in `io.read.read_matrix`.
    embeddings
        Folders of embeddings that a run has fitted (results/embeddings/NAME), in which the samples are placed, too.
    options
        Further arguments of `io.expression.import_matrix` (`duplicate_names`, `transpose`, `empty_cells`), and those of
        `predict` apart from the first two.

    Raises
    ------
    InputError
        If a folder is no model or embedding, a file is named twice, cannot be read or does not fit one of them, or
        nothing can be written to `out`.
    """
    paths = [matrix] if isinstance(matrix, str | Path) else list(matrix)
    if twice := [str(path) for path, n in Counter(map(str, paths)).items() if n > 1]:
        raise InputError(f"{listed(twice)}: named twice; expected every file once.")
    of_import = {name: options.pop(name) for name in _IMPORT_OPTIONS if name in options}
    loaded, opened = model_folder.load(model), open_run_embeddings(embeddings)
    parent = _parent_of(out)
    with tempfile.TemporaryDirectory(prefix=f".{Path(out).name}-", dir=parent) as folder:
        new = {}
        for i, path in enumerate(paths):
            imported = Path(folder) / f"{i}.h5ad"
            import_matrix(imported, path, format, layer, **of_import)
            new[str(path)] = open_expression(imported)
        found = answer_for(loaded, new, **options)
        found = add_embeddings(found, _embedded(opened, new, found))
        write_answer(found, loaded, out)
    return found


def _embedded(opened: Mapping[str, OpenedEmbedding], new: Mapping[str, Any], found: Answer) -> dict[str, Embedded]:
    """Place the samples in every embedding."""
    parts = [(path, adata, None) for path, adata in new.items()]
    sources = [source["source"] for source in found.summary["sources"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)  # the model gave these
        return {kind: embed_parts(embedding, parts, sources) for kind, embedding in opened.items()}


def _parent_of(out: str | Path) -> Path:
    """Return the folder of the folder of results, which then exists; refuse what cannot be written before any work."""
    reason, parent = unwritable(out), Path(out).parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = reason or f"{parent} cannot be made ({error.strerror})"
    if reason:
        raise InputError(f"{reason}, so no results can be written to {out}. Choose another folder.")
    return parent


_IMPORT_OPTIONS = ("labels_table", "duplicate_names", "transpose", "strandedness", "empty_cells", "obs_columns")


def answer_for(
    model: Model, new: Mapping[str, Any], *, label_column: str = "", domain_column: str = "", **options: Any
) -> Answer:
    """Name the samples of several matrices.

    Parameters
    ----------
    model
        The model.
    new
        AnnData or `io.expression.Expression` by path of the file; "" for one that is in memory.
    label_column, domain_column
        As in `predict`.
    options
        Keyword arguments of `answer.answer`.

    Raises
    ------
    InputError
        If an option is of no use, or the values or features do not fit the model.
    """
    _check_options(options)
    var = feature_table(model.features, model.ids)
    parts = [align(adata, var, model.scale, path or "the matrix") for path, adata in new.items()]
    names = source_names([path for path in new if path])
    tables = [
        describe_cells(part, adata.obs, names.get(path, ""), label_column, domain_column, alone=not path)
        for part, (path, adata) in zip(parts, new.items(), strict=True)
    ]
    cells = pd.concat(unique_cells(tables), ignore_index=True)
    sources = [describe_source(part, table, var.index) for part, table in zip(parts, tables, strict=True)]
    for source in sources:
        if source["missing"]:
            warnings.warn(missing_note(source, len(var)), DeepMapperWarning, stacklevel=3)
    for note in _useless_columns(model, new, cells, label_column, domain_column):
        warnings.warn(note, DeepMapperWarning, stacklevel=3)
    return answer(model, VStack(tuple(part.values for part in parts)).to_memory(), cells, sources, **options)


def _check_options(options: Mapping[str, Any]) -> None:
    level, seed = options.get("level", 0.05), options.get("seed", 0)
    if not (isinstance(level, Real) and 0 < float(level) < 1):
        raise InputError(f"level is {level!r}: expected an error rate above 0 and below 1, such as 0.05.")
    if not (isinstance(seed, Integral) and int(seed) >= 0):
        raise InputError(f"seed is {seed!r}: expected a whole number of at least 0.")


def _useless_columns(
    model: Model, new: Mapping[str, Any], cells: pd.DataFrame, label_column: str, domain_column: str
) -> list[str]:
    """Say which columns are asked for in vain: those that no file has, and labels none of which is a class."""
    columns = dict.fromkeys(str(name) for adata in new.values() for name in adata.obs.columns)
    notes = [
        f"There is no column {name!r} in the table of samples (obs), so {what}.{did_you_mean(name, columns)}"
        for name, what in (
            (label_column, "no given labels are compared with the predicted ones"),
            (domain_column, "all samples of a file count as one domain"),
        )
        if name and name not in columns
    ]
    given = cells["given"].dropna().unique()
    if len(given) and not set(given) & set(model.classes):
        notes.append(
            f"None of the given labels ({some(given)}) is a class of the model ({some(model.classes)}), so they are "
            "not compared with the predicted ones."
        )
    return notes


def checked_anndata(adata: Any) -> Any:
    """Return an AnnData in memory, in which every feature and every sample has a name of its own.

    Features that share a name get their id behind it, as features of a file do, if there is a column of ids.

    Raises
    ------
    InputError
        If it is none, has no values, or names are used twice.
    """
    if not all(hasattr(adata, name) for name in ("X", "obs", "var", "obs_names", "var_names")):
        raise InputError(
            f"adata is of type {type(adata).__name__}: expected an AnnData. For files there are "
            "deepmapper.transfer.predict.predict_file and the command `deepmapper predict`."
        )
    adata = adata.to_memory() if adata.isbacked else adata
    if adata.X is None:
        raise InputError("adata.X is empty: expected values of the same kind as those of the reference of the model.")
    if not adata.var_names.is_unique and (ids := ids_of(adata.var)) is not None:
        adata = adata.copy()
        adata.var_names = unique_names(adata.var_names, "feature", "adata.var_names", "make_unique", ids)
    for names, kind, attribute in ((adata.var_names, "feature", "var_names"), (adata.obs_names, "sample", "obs_names")):
        if not names.is_unique:
            twice = names[names.duplicated()].unique()
            raise InputError(
                f"adata.{attribute}: found {count(len(twice), f'duplicate {kind} name')} ({some(twice)}), expected "
                f"every {kind} to have a name of its own. Rename them, or call adata.{attribute}_make_unique()."
            )
    return adata


def write_answer(found: Answer, model: Model, folder: str | Path) -> None:
    """Write the tables, target.json and target.h5ad to a folder, each atomically."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_table(found.table, folder / "target.tsv", TARGET)
    write_json(found.summary, folder / "target.json")
    write_table(found.identities, folder / "new_identities.tsv", NEW_IDENTITIES)
    write_table(found.genes, folder / "target_genes.tsv", TARGET_GENES)
    write_annotated(found, model, folder / "target.h5ad")

"""h5ad and 10x files that are damaged, or made to mislead: read right, or one message that names the place."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from deepmapper.errors import InputError
from deepmapper.io.expression import import_matrix

COUNTS = np.array([[3, 0, 1], [0, 2, 0], [5, 0, 2], [0, 0, 9]], dtype=np.float32)


@pytest.fixture
def h5ad(tmp_path):
    obs = pd.DataFrame({"state": pd.Categorical(list("abab")), "donor": list("xxyy")}, index=list("ABCD"))
    table = anndata.AnnData(sparse.csr_matrix(COUNTS), obs, pd.DataFrame(index=["g0", "g1", "g2"]))
    table.layers["counts"] = table.X.copy()
    table.write_h5ad(tmp_path / "m.h5ad")
    return tmp_path / "m.h5ad"


def change(file, key, value, **options):
    """Replace the values of an array, keeping what says how to read it."""
    attributes = dict(file[key].attrs)
    del file[key]
    file.create_dataset(key, data=value, **options).attrs.update(attributes)


def names_in(file):
    """Where the names of the samples are; anndata 0.13 writes text as a group of values and a mask."""
    return "obs/_index/values" if isinstance(file["obs/_index"], h5py.Group) else "obs/_index"


def half_step(values):
    values = values[:].astype("f8")
    values[1] += 0.5
    return values


def vary(values, **changes):
    values = np.array(values[:])
    for place, value in changes.items():
        values[int(place[1:])] = value
    return values


def nest(group):
    for _ in range(1000):
        group = group.create_group("a")


def ragged(file):
    del file["obs/donor"]
    column = file.create_dataset("obs/donor", (4,), dtype=h5py.vlen_dtype("i4"))
    column.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


DAMAGED = {
    "fractional indices": (
        lambda f: change(f, "X/indices", half_step(f["X/indices"])),
        r"m\.h5ad \(X\): the sparse matrix is damaged \(its indices are not whole numbers\)",
    ),
    "fractional indptr": (lambda f: change(f, "X/indptr", half_step(f["X/indptr"])), "indices are not whole numbers"),
    "decreasing indptr": (lambda f: change(f, "X/indptr", vary(f["X/indptr"], i1=4, i2=1)), "indptr does not fit"),
    "negative indptr": (lambda f: change(f, "X/indptr", vary(f["X/indptr"], i1=-3)), "indptr does not fit"),
    "indptr beyond the values": (lambda f: change(f, "X/indptr", vary(f["X/indptr"], i4=99)), "indptr does not fit"),
    "indices out of range": (lambda f: change(f, "X/indices", vary(f["X/indices"], i0=7)), "indices must be < 3"),
    "negative indices": (lambda f: change(f, "X/indices", vary(f["X/indices"], i0=-1)), "indices must be >= 0"),
    "NaN": (lambda f: change(f, "X/data", vary(f["X/data"], i0=np.nan)), "1 NaN or infinite value, .* sample 'A'"),
    "text for numbers": (lambda f: change(f, "X/data", np.full(6, b"1")), "expected a matrix of numbers"),
    "compound values": (lambda f: change(f, "X/data", np.zeros(6, "f4,i4")), "expected a matrix of numbers"),
    "codes beyond the categories": (
        lambda f: change(f, "obs/state/codes", np.array([0, 1, 9, 1], "i1")),
        r"m\.h5ad cannot be read: /obs/state: codes need to be between",
    ),
    "codes below -1": (lambda f: change(f, "obs/state/codes", np.array([0, 1, -5, 1], "i1")), "/obs/state: codes need"),
    "no names of samples": (lambda f: f.__delitem__("obs/_index"), "cannot be read: /obs: .*_index"),
    "a column of compounds": (lambda f: change(f, "obs/donor", np.zeros(4, "f4,i4")), "cannot be read: /obs/donor: "),
    "a column of lists": (ragged, "/obs/donor cannot be written .*Remove it"),
    "zero bytes in names": (
        lambda f: change(f, names_in(f), np.array([b"a\0b", b"B", b"C", b"D"])),
        r"m\.h5ad \(X\): the sample name 'a\\x00b' holds a zero byte",
    ),
    "deep groups in uns": (lambda f: nest(f["uns"]), r"m\.h5ad: /uns/a/a.* is nested deeper than 200 groups"),
    "deep groups in obs": (lambda f: nest(f["obs"]), "is nested deeper than 200 groups"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_h5ad_is_refused_with_the_place(h5ad, tmp_path, case):
    damage, message = DAMAGED[case]
    with h5py.File(h5ad, "r+") as file:
        damage(file)
    with pytest.raises(InputError, match=message):
        import_matrix(tmp_path / "out.h5ad", h5ad)
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5ad"]


def add_cycles(file):
    file["obs/again"], file["X/again"], file["uns/again"] = file["obs"], file["X"], file["uns"]
    file["obs/soft"], file["one"], file["two"] = map(h5py.SoftLink, ("/obs", "/two", "/one"))


READ = {
    "groups that hold themselves": add_cycles,
    "indices as floating-point numbers": lambda f: [
        change(f, f"X/{name}", f[f"X/{name}"][:].astype("f8")) for name in ("indices", "indptr")
    ],
    "a named type": lambda f: f.__setitem__("obs/type", np.dtype("f8")),
}


@pytest.mark.parametrize("case", READ)
def test_unusual_h5ad_is_read(h5ad, tmp_path, case):
    with h5py.File(h5ad, "r+") as file:
        READ[case](file)
    import_matrix(tmp_path / "out.h5ad", h5ad)
    read = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert (read.X.toarray() == COUNTS).all()
    assert list(read.obs["state"]) == list("abab")


def test_h5ad_behind_a_block_of_the_user_is_read(h5ad, tmp_path):
    with h5py.File(h5ad) as file, h5py.File(tmp_path / "block.h5ad", "w", userblock_size=512) as copy:
        for name in file:
            file.copy(name, copy)
        copy.attrs.update(file.attrs)
    import_matrix(tmp_path / "out.h5ad", tmp_path / "block.h5ad")
    assert (anndata.read_h5ad(tmp_path / "out.h5ad").X.toarray() == COUNTS).all()


@pytest.mark.parametrize(
    ("key", "damage", "message"),
    [
        ("indices", lambda values: vary(values, i0=77), "indices must be < 3"),
        ("indices", half_step, "indices are not whole numbers"),
        ("indptr", lambda values: vary(values, i1=5), "indptr must be a non-decreasing sequence"),
        ("shape", lambda values: values[:][::-1], "index pointer size 5 should be 4"),
        ("shape", lambda values: -values[:], "cannot be negative"),
    ],
)
def test_damaged_10x_h5_is_refused(tmp_path, key, damage, message):
    X = sparse.csr_matrix(COUNTS)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("matrix")
        group["shape"], group["barcodes"] = np.array([3, 4]), np.array([b"A", b"B", b"C", b"D"])
        group["data"], group["indices"], group["indptr"] = X.data, X.indices, X.indptr
        group["features/id"] = group["features/name"] = np.array([b"g0", b"g1", b"g2"])
        change(file, f"matrix/{key}", damage(group[key]))
    with pytest.raises(InputError, match=message):
        import_matrix(tmp_path / "out.h5ad", tmp_path / "m.h5")

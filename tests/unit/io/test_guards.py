"""Files that would lead elsewhere, run code, or ask for more memory than there is: refused before they are read."""

import gzip
import json
import os
import pickle
import socket
import time

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from deepmapper.errors import InputError
from deepmapper.io.expression import import_matrix, open_expression
from deepmapper.io.read import read_matrix

HUGE = 10**11
SECRET = "root:x:0:0"


def table(n: int = 6) -> AnnData:
    obs = pd.DataFrame({"state": ["a", "b"] * (n // 2)}, index=[f"cell{i}" for i in range(n)])
    counts = np.arange(n * 4, dtype=np.float32).reshape(n, 4)
    return AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(4)]))


@pytest.fixture
def h5ad(tmp_path):
    path = tmp_path / "matrix.h5ad"
    table().write_h5ad(path)
    return path


@pytest.fixture
def tenx(tmp_path):
    path = tmp_path / "matrix.h5"
    X = table().X
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(X, name)
        group["shape"] = [4, 6]
        group["barcodes"] = np.array([f"cell{i}" for i in range(6)], "S")
        group["features/id"] = group["features/name"] = np.array([f"g{i}" for i in range(4)], "S")
    return path


@pytest.fixture
def secret(tmp_path):
    """Write files with content that no result may show."""
    (tmp_path / "passwd").write_bytes(SECRET.encode() * 6)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["names"] = np.array([f"{SECRET}{i}" for i in range(6)], "S")
        file["values"] = np.arange(24.0)
    return tmp_path


def replace(file, key, value=None, **options):
    attributes = dict(file[key].attrs)
    del file[key]
    if value is not None:
        file[key] = value
    else:
        file.create_dataset(key, **options)
    if not isinstance(value, h5py.ExternalLink):
        file[key].attrs.update(attributes)


def array_of(place, key):
    """Key of an array in a file or folder; anndata 0.13 writes text as a group of values and a mask."""
    is_group = isinstance(place[key], h5py.Group) if isinstance(place, h5py.File) else (place / key / "values").exists()
    return f"{key}/values" if is_group else key


def virtual(source):
    layout = h5py.VirtualLayout(shape=(6,), dtype="S11")
    layout[:] = h5py.VirtualSource(source, "names", shape=(6,))
    return layout


# What is done to the open file, given the folder of the other files and the key of a text and of a number array.
LEADS_ELSEWHERE = {
    "external link": lambda file, folder, names, numbers: replace(
        file, names, h5py.ExternalLink(str(folder / "other.h5"), "/names")
    ),
    "external link below a group that no one reads": lambda file, folder, names, numbers: file.create_group(
        "uns/deep"
    ).update({"link": h5py.ExternalLink("other.h5", "/")}),
    "external raw storage": lambda file, folder, names, numbers: replace(
        file, names, shape=(6,), dtype="S10", external=[(str(folder / "passwd"), 0, 60)]
    ),
    "virtual dataset": lambda file, folder, names, numbers: (
        file.__delitem__(names),
        file.create_virtual_dataset(names, virtual(str(folder / "other.h5"))),
    ),
    "references": lambda file, folder, names, numbers: replace(
        file, names, np.array([file[numbers].ref] * 6, h5py.ref_dtype)
    ),
}
SAYS = {"references": "holds references to objects", "external link": "is a link to another file"}


@pytest.mark.parametrize("case", LEADS_ELSEWHERE)
@pytest.mark.parametrize("kind", ["h5ad", "tenx"])
def test_hdf5_that_leads_to_another_file_is_refused(case, kind, request, secret):
    path = request.getfixturevalue(kind)
    names, numbers = {"h5ad": ("obs/_index", "X/data"), "tenx": ("matrix/barcodes", "matrix/data")}[kind]
    with h5py.File(path, "r+") as file:
        LEADS_ELSEWHERE[case](file, secret, array_of(file, names), numbers)
    with pytest.raises(InputError) as caught:
        import_matrix(secret / "out.h5ad", path)
    message = str(caught.value)
    assert message.startswith(f"{path}: /")
    assert SAYS.get(case, "another file" if "link" in case else "keeps its values in other files") in message
    assert SECRET not in message
    assert not (secret / "out.h5ad").exists()


def test_the_workflows_own_file_is_checked_too(h5ad, secret):
    with h5py.File(h5ad, "r+") as file:
        replace(file, "obs/_index", h5py.ExternalLink("other.h5", "/names"))
    with pytest.raises(InputError, match="obs/_index is a link to another file"):
        open_expression(h5ad)


def test_links_within_the_file_are_read(h5ad):
    with h5py.File(h5ad, "r+") as file:
        file["layers/same"] = h5py.SoftLink("/X")
        file["uns/round"] = file["uns"]  # a hard link to its own group
        file["uns/nowhere"] = h5py.SoftLink("/gone")
    assert (read_matrix(h5ad, layer="same").X != table().X).nnz == 0


def test_a_symlinked_file_is_read(h5ad, tmp_path):
    (tmp_path / "link.h5ad").symlink_to(h5ad)
    assert read_matrix(tmp_path / "link.h5ad").shape == (6, 4)


def test_filter_of_a_plugin_is_named(h5ad):
    with h5py.File(h5ad, "r+") as file:
        values = file["X/data"][:]
        del file["X/data"]
        space, layout = h5py.h5s.create_simple((len(values),)), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((len(values),))
        layout.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        h5py.h5d.create(file["X"].id, b"data", h5py.h5t.IEEE_F32LE, space, layout)
    with pytest.raises(InputError, match=r"X/data is compressed with the filter 32015 .* again with gzip"):
        read_matrix(h5ad)


DECLARING = {"h5ad": ("obs/_index", "X/indptr", "X/data"), "tenx": ("matrix/barcodes", "matrix/data")}


@pytest.mark.parametrize("options", [{}, {"chunks": (2**20,)}, {"chunks": (2**20,), "compression": "gzip"}])
@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, keys in DECLARING.items() for key in keys],
)
def test_hdf5_that_declares_more_than_it_holds_is_refused(kind, key, options, request):
    path = request.getfixturevalue(kind)
    with h5py.File(path, "r+") as file:
        key = array_of(file, key)
        replace(file, key, shape=(HUGE,), dtype=file[key].dtype, **options)
    with pytest.raises(InputError, match=rf"{key} should have {HUGE} values .* has only 0 bytes"):
        read_matrix(path)


@pytest.mark.parametrize("shape", [(HUGE, 4), (6, HUGE), (HUGE, HUGE)])
def test_h5ad_with_a_shape_that_its_names_do_not_have_is_refused(h5ad, tmp_path, shape):
    with h5py.File(h5ad, "r+") as file:
        file["X"].attrs["shape"] = shape
    for read in (lambda: read_matrix(h5ad), lambda: import_matrix(tmp_path / "out.h5ad", h5ad)):
        with pytest.raises(InputError, match=r"matrix\.h5ad"):
            read()


@pytest.mark.parametrize("shape", [(HUGE, 6), (4, HUGE), (HUGE, HUGE)])
def test_10x_h5_with_a_shape_that_its_names_do_not_have_is_refused(tenx, shape):
    with h5py.File(tenx, "r+") as file:
        replace(file, "matrix/shape", np.array(shape))
    with pytest.raises(InputError, match=r"matrix\.h5"):
        read_matrix(tenx)


def test_tables_that_do_not_fit_into_memory_are_refused(h5ad, monkeypatch):
    monkeypatch.setattr("deepmapper.io.guards.physical_memory", lambda: 100)
    with pytest.raises(InputError, match=r"reading it needs more than \d+ bytes of memory, .* has 100 bytes"):
        read_matrix(h5ad)


def tenx_folder(folder, header, names=(4, 6), compress=False):
    folder.mkdir()
    (folder / "features.tsv").write_text("".join(f"id{i}\tg{i}\n" for i in range(names[0])))
    (folder / "barcodes.tsv").write_text("".join(f"cell{i}\n" for i in range(names[1])))
    text = f"%%MatrixMarket matrix coordinate integer general\n{header}\n1 1 3\n".encode()
    (folder / ("matrix.mtx.gz" if compress else "matrix.mtx")).write_bytes(gzip.compress(text) if compress else text)
    return folder


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (f"{HUGE} 6 1", f"{HUGE} features and 6 cells, but features.tsv has 4 lines"),
        (f"4 {HUGE} 1", f"4 features and {HUGE} cells"),
        (f"4 6 {HUGE}", f"declares {HUGE} values, but the file has only"),
    ],
)
def test_mtx_that_declares_more_than_it_holds_is_refused(tmp_path, header, message, compress):
    with pytest.raises(InputError, match=message):
        read_matrix(tenx_folder(tmp_path / "10x", header, compress=compress))


@pytest.fixture(params=[2, 3])
def zarr(tmp_path, request):
    import anndata

    path = tmp_path / "matrix.zarr"
    with anndata.settings.override(zarr_write_format=request.param):
        table().write_zarr(path)
    return path


def metadata_of(array):
    return next(array / name for name in (".zarray", "zarr.json") if (array / name).exists())


def test_zarr_with_a_link_out_of_its_folder_is_refused(zarr, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (zarr / "obs/state").rename(tmp_path / "elsewhere/state")
    (zarr / "obs/state").symlink_to(tmp_path / "elsewhere/state")
    with pytest.raises(InputError, match=r"obs/state is a link to .*elsewhere/state, outside of the zarr folder"):
        read_matrix(zarr)


def test_a_symlinked_zarr_is_read(zarr, tmp_path):
    (tmp_path / "link.zarr").symlink_to(zarr)
    assert read_matrix(tmp_path / "link.zarr").shape == (6, 4)


def test_zarr_in_a_folder_named_like_an_address_is_read(zarr, tmp_path):
    zarr.rename(tmp_path / "memory::x.zarr")
    assert read_matrix(tmp_path / "memory::x.zarr").shape == (6, 4)


class Acts:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_zarr_with_pickles_is_refused(tmp_path):
    import anndata

    path = tmp_path / "matrix.zarr"
    with anndata.settings.override(zarr_write_format=2):
        table().write_zarr(path)
    array = path / array_of(path, "obs/_index")
    about = json.loads((array / ".zarray").read_text())
    about |= {"filters": [{"id": "pickle", "protocol": 5}], "compressor": None, "shape": [6], "chunks": [6]}
    (array / ".zarray").write_text(json.dumps(about))
    values = np.array([Acts(str(tmp_path / "acted"))] * 6, dtype=object)
    (array / "0").write_bytes(pickle.dumps(values))
    with pytest.raises(InputError, match=r"obs/_index(/values)?/\.zarray: the values of this array are pickles"):
        read_matrix(path)
    assert not (tmp_path / "acted").exists()


@pytest.mark.parametrize("key", ["obs/_index", "X/indptr"])
def test_zarr_that_declares_more_than_it_holds_is_refused(zarr, key):
    key = array_of(zarr, key)
    file = metadata_of(zarr / key)
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"shape": [HUGE]}))
    with pytest.raises(InputError, match=rf"{key}/.*should have {HUGE} values"):
        read_matrix(zarr)


def fifo(path):
    os.mkfifo(path)


def bound_socket(path):
    os.chdir(path.parent)  # the path of a socket may have 107 characters
    with socket.socket(socket.AF_UNIX) as it:
        it.bind(path.name)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("name", ["m.h5ad", "m.h5", "m.csv", "m.tsv.gz", "m.zarr", "m"])
@pytest.mark.parametrize(("make", "kind"), [(fifo, "a named pipe"), (bound_socket, "a socket"), (device, "a device")])
def test_a_pipe_socket_or_device_is_refused_at_once(tmp_path, monkeypatch, make, kind, name):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)
    started = time.monotonic()
    with pytest.raises(InputError, match=f"{name} is {kind}, expected a file or a folder"):
        read_matrix(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is {kind}, expected a file or a folder"):
        read_matrix(table_at(tmp_path), labels_table=tmp_path / name)
    assert time.monotonic() - started < 5


def table_at(folder):
    table().write_h5ad(folder / "good.h5ad")
    return folder / "good.h5ad"


def test_a_pipe_within_a_10x_folder_or_zarr_is_refused(tmp_path):
    folder = tenx_folder(tmp_path / "10x", "4 6 1")
    (folder / "matrix.mtx").unlink()
    os.mkfifo(folder / "matrix.mtx")
    with pytest.raises(InputError, match=r"matrix\.mtx is a named pipe"):
        read_matrix(folder)
    table().write_zarr(tmp_path / "m.zarr")
    os.mkfifo(tmp_path / "m.zarr/obs/pipe")
    with pytest.raises(InputError, match="pipe is neither a file nor a folder"):
        read_matrix(tmp_path / "m.zarr")

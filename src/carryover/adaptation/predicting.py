"""Labels and probabilities of images from an adapted network."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from scipy.special import softmax

from carryover._core.errors import InputError
from carryover.adaptation.phases import all_scores
from carryover.adaptation.saving import Predictor, load_predictor
from carryover.data.atomic import written_whole
from carryover.data.sources import open_dataset

_ROWS = 1024
WRITERS = {".parquet": pd.DataFrame.to_parquet, ".csv": pd.DataFrame.to_csv}


def predict(
    folder: str | Path,
    data: str,
    *,
    split: str | None = None,
    image: str | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """A row for each image of ``data`` (whatever ``datasets`` reads), in its order.

    ``folder``: an adaptation run's.  Columns: ``hash`` (of the decoded image), ``label`` (the class's name, or the
    predicted number), and for classes ``probability <class>`` of each.  Raises InputError for a folder
    without a predictor and for images that cannot be read.
    """
    predictor = load_predictor(folder, device=device)
    height, width, channels = predictor.shape
    column = open_dataset(data, split=split).images(image, size=(height, width), channels=channels)
    parts = [
        _rows(predictor, column.read(start, start + _ROWS), device) for start in range(0, len(column), _ROWS)
    ]
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "hash", column.example_hashes)
    return table


def write_predictions(table: pd.DataFrame, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a Parquet or CSV file whole; InputError for another ending and for a file that is there."""
    path = check_writable(path, overwrite=overwrite)
    with written_whole(path, overwrite=overwrite) as partial:
        WRITERS[path.suffix](table, partial, index=False)
    return path


def check_writable(path: str | Path, *, overwrite: bool = False) -> Path:
    """The path; InputError for an ending that is not written, and for a file that is there."""
    path = Path(path)
    if path.suffix not in WRITERS:
        raise InputError(f"{path} must end in {' or '.join(WRITERS)}")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name or give --overwrite")
    return path


def _rows(predictor: Predictor, pixels: Any, device: str) -> pd.DataFrame:
    scores = all_scores(predictor.network, predictor.preprocessing.apply(pixels, device))
    numbers = scores.to(torch.float64).cpu().numpy()
    if not predictor.classes:
        return pd.DataFrame({"label": numbers[:, 0]})
    probabilities = softmax(numbers, axis=1)
    columns = {"label": [predictor.classes[code] for code in numbers.argmax(axis=1)]}
    for place, name in enumerate(predictor.classes):
        columns[f"probability {name}"] = probabilities[:, place]
    return pd.DataFrame(columns)

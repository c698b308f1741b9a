"""``carryover predict``: labels and probabilities of images from an adapted network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class PredictCommand:
    """Predict the labels of images with the network that carryover adapt left in a folder."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The folder of carryover adapt."""
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder, Parquet file or hub id of the images."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("predictions.parquet")
    """Parquet or CSV file for hashes, labels and probabilities."""
    split: str | None = None
    """The split to take."""
    image: str | None = None
    """Image column."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a file that is there."""
    device: str = "cpu"
    """Where to compute, such as cpu or cuda."""

    def run(self) -> int:
        """Predict, write the table, say where it is; the exit code."""
        from carryover.adaptation.predicting import check_writable, predict, write_predictions

        check_writable(self.out, overwrite=self.overwrite)
        table = predict(self.run_folder, self.data, split=self.split, image=self.image, device=self.device)
        path = write_predictions(table, self.out, overwrite=self.overwrite)
        print(f"{len(table):,} predictions: {path}")
        return 0

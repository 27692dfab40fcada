"""Any table of numbers from a file, with a column of classes."""

from pathlib import Path

from paribus.data.classification import RawClasses, RawTableClasses
from paribus.data.contract import Split
from paribus.data.label_noise import LabelNoise
from paribus.data.open_table import check_columns, open_table
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import naming
from paribus.data.stratified import ResplitClassification
from paribus.data.table_file import INPUT
from paribus.supplied import Supplied


class LabelledTable(ResplitClassification):
    """A CSV or Parquet file with numeric inputs and a column of classes, split again at random for every seed.

    Args:
        path: the file, relative to the working directory; CSV in UTF-8 with a header, or Parquet.
        target: name of the column of classes: texts, whole numbers or booleans. Labels follow their order.
        columns: names of the input columns; None for all but the target.
        test_fraction, validation_fraction, batch_size, label_noise, input_scaling, seed: see `ResplitClassification`.

    Raises:
        UserError: on `setup`, for a file that cannot be used: what is wrong, in which column and row, and what to do.
    """

    def __init__(
        self,
        path: str,
        target: str,
        columns: list[str] | None,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(test_fraction, validation_fraction, batch_size, label_noise, input_scaling, seed)
        check_columns(columns, target)
        self.path, self.target = path, target
        self.columns = None if columns is None else list(columns)

    def load(self) -> RawTableClasses:
        """Read and check the file."""
        file = open_table(Path(self.path).expanduser())
        inputs = file.inputs(self.target, self.columns)
        label, classes = file.classes(self.target)
        return RawTableClasses(file.matrix([(name, INPUT) for name in inputs]), label, classes, tuple(inputs))

    def split(self, raw: RawClasses) -> Split:
        """As for every table; a mistake names the file."""
        with naming(self.path):
            return super().split(raw)

"""Kinds of files for `tests.campaigns.fuzz`, one module each.

    def samples(folder: Path) -> list[Path]:   write small valid files below an empty folder
    def read(path: Path) -> None:              read one of them as the product does

Every sample is damaged where it lies, among the intact others, and restored afterwards. A `UserError` of `read` is a
rejection; all other exceptions are findings. Files that only accompany samples are written but not returned.
"""

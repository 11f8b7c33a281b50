"""Copy the shipped configurations and weights into the built package; everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("configs/**/*.yaml", "pretrained/*.safetensors")


class BuildWithShippedFiles(build_py):
    """Put the files where `opengait.shipped` looks for them; an editable installation finds them in the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source in (path for pattern in SHIPPED for path in Path().glob(pattern)):
                target = Path(self.build_lib, "opengait", "assets", source)
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))


setup(cmdclass={"build_py": BuildWithShippedFiles})

# Sourced by the other scripts: changes to the project's folder and provides an environment with all requirements, which
# is the active one if it satisfies them, or else .venv, which is set up once.
#
#   extras   extras of pyproject.toml that are needed as well, such as "test lint"
#   PYTHON   the interpreter that creates .venv (3.11 or newer)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Exits with 0 if the interpreter $1 has everything that requirements.txt and the extras name.
satisfied() {
    command -v "$1" > /dev/null && "$1" - ${extras:-} 2> /dev/null << 'END'
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

extras = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
lines = [line.partition("#")[0].strip() for line in Path("requirements.txt").read_text().splitlines()]
lines += [line for extra in sys.argv[1:] for line in extras[extra]]
for requirement in map(Requirement, filter(None, lines)):
    if not requirement.specifier.contains(version(requirement.name), prereleases=True):
        sys.exit(1)
END
}

if satisfied python; then
    echo "Using the active environment, $(command -v python)."
else
    if ! satisfied .venv/bin/python; then
        echo "Setting up .venv, since the active environment lacks requirements (once, a few minutes) ..."
        "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3." >&2
            exit 2
        }
        "${PYTHON:-python3}" -m venv .venv
        .venv/bin/python -m pip install --quiet --upgrade pip packaging
        .venv/bin/python -m pip install --quiet -e ".${extras:+[dev]}"
    fi
    PATH="$PWD/.venv/bin:$PATH"
fi

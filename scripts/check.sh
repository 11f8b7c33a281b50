#!/usr/bin/env bash
# Check lint, formatting, types and the documentation. pre-commit runs the first three too.
set -euo pipefail
extras="lint"
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
ruff check .
ruff format --check .
mypy
if python -c 'import mkdocs, mkdocstrings' 2> /dev/null; then
    mkdocs build --strict --quiet --site-dir "$(mktemp -d)"
else
    echo "The documentation was not built: install mkdocs with pip install -e '.[docs]'."
fi

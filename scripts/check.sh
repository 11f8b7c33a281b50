#!/usr/bin/env bash
# Lint, formatting, types and the documentation; what the tests cannot see. pre-commit runs the first three too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
ruff check .
ruff format --check .
mypy
if python -c 'import mkdocs, mkdocstrings' 2> /dev/null; then
    mkdocs build --strict --quiet --site-dir "$(mktemp -d)"
else
    echo "The documentation was not built: pip install -e '.[docs]' brings mkdocs."
fi

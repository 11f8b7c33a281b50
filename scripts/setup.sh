# Sourced by the other scripts: goes to the project's folder and makes .venv ready, once.
# PYTHON chooses the interpreter that creates it (3.11 or newer).
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! cmp -s requirements.txt .venv/installed-requirements.txt; then
    echo "Setting up .venv from requirements.txt (once, a few minutes) ..."
    "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3." >&2
        exit 2
    }
    "${PYTHON:-python3}" -m venv .venv
    .venv/bin/python -m pip install --quiet --upgrade pip
    .venv/bin/python -m pip install --quiet -r requirements.txt
    cp requirements.txt .venv/installed-requirements.txt
fi
PATH="$PWD/.venv/bin:$PATH"

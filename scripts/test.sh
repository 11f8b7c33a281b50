#!/usr/bin/env bash
# Run all tests, in the active environment or in .venv; arguments are passed to pytest.
set -euo pipefail
extras="test"
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# One thread per worker: the tests are small, and two workers with all cores each would wait for one another.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m pytest -n 2 --dist loadfile "$@"

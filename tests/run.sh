#!/usr/bin/env bash
# Everything a change must pass: format, lint, types, import contracts, tests with coverage.
#
#   tests/run.sh                     everything
#   tests/run.sh tests/isodep -x     the same checks; the arguments go to pytest, coverage is not measured
#
# Needs: Debian or a relative, CPython 3.11 or later with pip, gcc. As root it installs the other packages itself.
# Makes: tests/.venv, a virtual environment that is renewed when pyproject.toml or constraints.txt change.
# Exits: 0 when all passed, 1 otherwise. Where CI is set a missing peer fails the tests; elsewhere it skips them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

venv=tests/.venv
python=${PYTHON:-python3}

say() { printf '\n== %s\n' "$*"; }
die() {
    printf 'tests/run.sh: %s\n' "$*" >&2
    exit 1
}

# --- The peers that are programs, and what pyscard is built with ----------------------------------------------------

has_file() { [ -e "$1" ]; }
has_program() { command -v "$1" >/dev/null; }
has_headers() { # of the Python in use: pyscard is built against them
    "$python" -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))'
}
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

missing_packages() {
    has_program gcc || echo gcc libc6-dev
    has_program swig || echo swig
    has_program pkg-config || echo pkg-config
    has_file /usr/include/PCSC/winscard.h || echo libpcsclite-dev
    has_program pcscd || echo pcscd
    has_file /etc/reader.conf.d/vpcd || echo vsmartcard-vpcd
    has_program opensc-tool || echo opensc
    has_program scriptor || echo pcsc-tools
    has_program tshark || echo tshark
    has_program ip || echo iproute2
    has_program chromium || echo chromium
    has_program curl || echo curl
    has_program openssl || echo openssl
    has_program nsenter || echo util-linux
    has_headers || echo python3-dev
    has_venv || echo python3-venv
}

install_packages() {
    local packages
    mapfile -t packages < <(missing_packages | tr ' ' '\n')
    [ ${#packages[@]} -eq 0 ] && return
    say "Installing ${packages[*]}"
    if ! has_program apt-get; then
        echo "No apt-get here: install by hand what provides ${packages[*]}." >&2
    elif [ "$(id -u)" -ne 0 ]; then
        echo "Not root. Run: sudo apt-get install --no-install-recommends ${packages[*]}" >&2
    elif
        # The lists of a fresh image are empty or old.
        DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null &&
            DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
                "${packages[@]}" </dev/null >/dev/null
    then
        return
    else
        echo "apt-get could not install ${packages[*]}; its message is above." >&2
    fi
    if [ -n "${CI:-}" ]; then die "CI runs every test: these packages must be there."; fi
    echo "Going on: tests that need them are skipped and say so." >&2
}

# --- The virtual environment ----------------------------------------------------------------------------------------

stamp() { "$python" -c 'import sys; print(sys.version)' && cat pyproject.toml tests/constraints.txt; }

make_environment() {
    local now
    now=$(stamp | sha256sum)
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$now" ] && return
    say "Making $venv"
    "$python" -m venv --clear "$venv" || die "cannot make $venv"
    if ! "$venv/bin/python" -m pip install -qq --constraint tests/constraints.txt --editable '.[test]'; then
        [ -n "${CI:-}" ] && die "pip could not install the project with its tests' tools; its message is above"
        die "pip failed. If it was pyscard: it is built here and needs gcc, swig and libpcsclite-dev"
    fi
    echo "$now" >"$venv/stamp" # last: a broken environment is made again
}

# --- The checks: all of them run, so that one run shows every fault -------------------------------------------------

failed=()
check() {
    say "$*"
    "$@" || failed+=("$1 ${2:-}")
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "$python is not Python 3.11 or later (PYTHON=... chooses another)"
install_packages
make_environment
# Not for the shell's sake alone: tests start the installed `nfcbridge` by name.
PATH="$PWD/$venv/bin:$PATH"

check ruff format --check
check ruff check
check mypy
check lint-imports --no-cache
if [ $# -gt 0 ]; then
    check pytest "$@"
else
    check pytest --cov --cov-report=term
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFailed:'
    printf ' [%s]' "${failed[@]}"
    echo
    exit 1
fi

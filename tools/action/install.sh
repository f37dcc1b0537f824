#!/usr/bin/env bash
# Installs covey for the GitHub Action into $RUNNER_TEMP/covey/env: every package by its hash, covey from a wheel or
# from the action's own sources. Nothing of the repository under review is on Python's path.
set -euo pipefail
if [[ ${RUNNER_OS:-Linux} == Windows ]]; then
    printf '%s\n' "covey does not run on Windows: use a Linux or macOS runner" >&2
    exit 1
fi
environment=$RUNNER_TEMP/covey/env
"${COVEY_PYTHON:-python3}" -m venv "$environment"
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check --no-input install)
"${pip[@]}" --require-hashes -r "$GITHUB_ACTION_PATH/requirements/run.txt"
if [[ -n ${COVEY_WHEEL:-} ]]; then
    "${pip[@]}" --no-deps -- "$COVEY_WHEEL"
else
    "${pip[@]}" --require-hashes -r "$GITHUB_ACTION_PATH/requirements/build.txt"
    PATH=$environment/bin:$PATH "${pip[@]}" --no-deps --no-build-isolation -- "$GITHUB_ACTION_PATH"
fi

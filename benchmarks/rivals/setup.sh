#!/usr/bin/env bash
# Environments in which `carryover reproduce ranking_small_n` asks other implementations for their scores.
#
#   benchmarks/rivals/setup.sh FOLDER LOGME TLLIB
#   CARRYOVER_RIVALS=FOLDER carryover reproduce ranking_small_n --out DIR --size small
#
# LOGME and TLLIB are checkouts of thuml/LogME and thuml/Transfer-Learning-Library, used as they are; transformer-ranker
# comes from PyPI.  FOLDER gets a folder for each, with its own Python: `NAME/score PROBLEMS.npz` prints scores, and
# NAME/version says which release that is.  About 3 GB, most of it torch.
set -euo pipefail

if [ $# -ne 3 ]; then
  sed -n '2,10p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
logme=$(cd "$2" && pwd)
tllib=$(cd "$3" && pwd)
constraints=$here/../../constraints.txt
python=${PYTHON:-python3}

# environment NAME VERSION CHECKOUT PACKAGE...
environment() {
  local own=$folder/$1 version=$2 checkout=$3
  shift 3
  mkdir -p "$own"
  [ -x "$own/venv/bin/python" ] || "$python" -m venv "$own/venv"
  "$own/venv/bin/python" -m pip install --quiet --constraint "$constraints" "$@"
  cp "$here/$(basename "$own").py" "$own/score.py"
  cp "$here/answering.py" "$own/answering.py"
  printf '#!/bin/sh\nexec "%s" "%s" "%s" "$1"\n' "$own/venv/bin/python" "$own/score.py" "$checkout" >"$own/score"
  chmod +x "$own/score"
  echo "$version" >"$own/version"
}

# The commit of a checkout, or of loose files a hash.
commit() {
  git -C "$1" rev-parse --short=10 HEAD 2>/dev/null && return
  echo "files $(find "$1" -name '*.py' -exec sha256sum {} + | cut -d' ' -f1 | sort | sha256sum | cut -c1-10)"
}

environment thuml "$(commit "$logme")" "$logme" numpy scipy numba
environment tllib "$(commit "$tllib")" "$tllib" numpy numba scikit-learn
environment transformer_ranker 0.2.0 - transformer-ranker==0.2.0 torch transformers datasets accelerate
echo "export CARRYOVER_RIVALS=$folder"

# What `make demo` shows: one case that holds, one sweep that drifts.
set -eu
convdiff="${BIN:-.venv/bin}/convdiff"

say() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }

say "1. The question convdiff began with: do the first outputs depend on the input's length?"
"$convdiff" run cases/variable_padding.yaml

say "2. One output element, with oneDNN on and off: a setting that changes the bits."
code=0
"$convdiff" sweep cases/single_output.yaml --vary TF_ENABLE_ONEDNN_OPTS=1,0 || code=$?
if [ "$code" -ne 1 ]; then
    say "The sweep was to drift (exit 1), but it ended with $code."
    exit 1
fi
say "That sweep ended with exit code 1: a CI job fails on it. The first ended with 0."

# What `make demo` shows: one case that holds, one sweep that drifts, and the layer where a net does.
set -eu
convdiff="${BIN:-.venv/bin}/convdiff"

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
say() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }

say "1. The question convdiff began with: do the first outputs depend on the input's length?"
"$convdiff" run cases/variable_padding.yaml

say "Exit code 0. Lengths 7 and 8 give the bits of length 9: this TensorFlow does not drift. Its
conv2d and multiply + reduce_sum differ by rounding, as expected; with -v the report says why."

say "2. One output element, with oneDNN on and off: a setting that changes the bits."
code=0
"$convdiff" sweep cases/single_output.yaml --vary TF_ENABLE_ONEDNN_OPTS=1,0 || code=$?
if [ "$code" -ne 1 ]; then
    say "The sweep was to drift (exit 1), but it ended with $code."
    exit 1
fi
say "Exit code 1: the setting changes the bits, the case expects equal ones, a CI job would fail."

say "3. A net of nine layers, with oneDNN off, at its smallest sufficient length and longer: in which
layer does a difference begin?"
code=0
"$convdiff" trace cases/nine_layer_net.yaml --lengths 452,516 \
    --vary TF_ENABLE_ONEDNN_OPTS=0 --vary ONEDNN_MAX_CPU_ISA=SSE41 || code=$?
if [ "$code" -ne 1 ]; then
    say "The net was to drift (exit 1), but it ended with $code."
    exit 1
fi
say "All layers agree but the last, which was run alone with its real input; two orders are proved.

Now your own convolution: $convdiff init, or with arrays of yours, $convdiff init --help"

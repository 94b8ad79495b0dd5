#!/usr/bin/env bash
# Do random numbers keep their bits under every compiler and set of flags?
# Usage: portable_random.sh [SOURCE_DIR]. Exit code 77: nothing to compare with.
set -euo pipefail
source=${1:-${GRADSWEEP_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

builds=0
failures=0

# check COMPILER FLAGS RANDOM_FLAGS: RANDOM_FLAGS are for random.c alone, which
# promises its bits even where the compiler may contract a * b + c. The words
# of both are split on purpose.
check() {
  local compiler=$1 name="$1 $2 $3" objects=()
  local common="-std=c11 -D_GNU_SOURCE -I$source/host"
  for file in tests/portable_random.c host/base/orthogonal.c host/base/random.c; do
    local flags="-ffp-contract=off $2"
    [[ $file == */base/random.c ]] && flags+=" $3"
    objects+=("$work/$(basename "$file").o")
    # shellcheck disable=SC2086
    "$compiler" $common $flags -c "$source/$file" -o "${objects[-1]}"
  done
  "$compiler" "${objects[@]}" -lm -o "$work/program"
  "$work/program" >"$work/output"
  builds=$((builds + 1))
  if [[ $builds == 1 ]]; then
    cp "$work/output" "$work/expected"
    cat "$work/expected"
  fi
  if cmp -s "$work/output" "$work/expected"; then
    echo "same bits: $name"
  else
    failures=$((failures + 1))
    echo "OTHER BITS: $name"
    diff "$work/expected" "$work/output" || true
  fi
}

flag_sets=("-O0" "-O1" "-O2" "-Os" "-O3 -fno-math-errno")
if [[ $(uname -m) == x86_64 ]] && grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; then
  flag_sets+=("-O3 -march=native"
    "-O3 -march=native -fno-math-errno -mprefer-vector-width=512"
    "-O3 -march=x86-64-v3 -fno-math-errno")
else
  echo "skipped: flags that need an x86-64 processor with AVX2 and FMA"
fi

for compiler in gcc clang; do
  if ! command -v "$compiler" >/dev/null; then
    echo "skipped: $compiler is not installed"
    continue
  fi
  for flags in "${flag_sets[@]}"; do
    check "$compiler" "$flags" ""
  done
  check "$compiler" "${flag_sets[-1]}" "-ffp-contract=fast"
done

if [[ $builds == 0 ]]; then
  exit 77
fi
echo "$builds builds, $failures with other bits"
[[ $failures == 0 ]]

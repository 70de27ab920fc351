#!/bin/sh
# Builds sea_breeze.wasm. The same compiler and C library give the same bytes (checked by
# tests/e2e/module_rebuild_test.ts):
#
#   clang 14.0.6, lld 14.0.6, wasi-libc 0.0~git20220510.9886d3d, as Debian 12 has them:
#   apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
#
# Usage: build.sh [OUTPUT]   (CLANG names another clang)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
'') output=$here/sea_breeze.wasm ;;
/*) output=$1 ;;
*) output=$PWD/$1 ;;
esac
cd "$here"
# --strip-all drops debug sections and names, -fno-ident and -ffile-prefix-map what could tell one machine from another.
exec "${CLANG:-clang}" --target=wasm32-wasi -std=c11 -Oz -Wall -Wextra -Werror \
  -fno-ident -ffile-prefix-map="$here"=. \
  -Wl,--strip-all -Wl,--gc-sections -Wl,-z,stack-size=65536 \
  -o "$output" sea_breeze.c

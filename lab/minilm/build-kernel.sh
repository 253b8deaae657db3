#!/usr/bin/env bash
# Compiles the kernel of the sentence embedder. Needs: pip install ziglang==0.17.1
set -euo pipefail
cd "$(dirname "$0")/../../src/inference/embedding/minilm"
"${PYTHON:-python3}" -m ziglang cc -target wasm32-freestanding -O3 -ffast-math -msimd128 -nostdlib -Wl,--no-entry -Wl,--strip-all -o kernel.wasm kernel.c
ls -l kernel.wasm

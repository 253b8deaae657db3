"""Packs the weights of all-MiniLM-L6-v2 into the file that src/inference/embedding/minilm/model.ts reads.

usage: build-weights.py MODEL.safetensors VOCABULARY.txt PROJECTION.npy OUTPUT.bin

Word embeddings: 4 bits in groups of 32. Matrices of the layers: 6 bits in groups of 64. Each group's scale is the one of eight candidates with
the least squared error. Biases, normalisations, positions and the projection: float32. The format is described in model.ts.
"""
import struct, sys

import numpy as np
from safetensors.numpy import load_file

SPACE = b"minilm-l6-256-v1"
LAYERS, POSITIONS = 6, 256
CANDIDATES = (1.0, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72)


def quantize(matrix, bits, group):
    """Codes (uint8, shape of the matrix) and scales (float16, one per group) with weight = (code - 2^(bits-1)) * scale."""
    half = 2 ** (bits - 1)
    values = matrix.reshape(-1, group)
    peaks = np.abs(values).max(1, keepdims=True) + 1e-12
    codes = scales = errors = None
    for candidate in CANDIDATES:
        scale = np.maximum((peaks * candidate / (half - 1)).astype(np.float16), np.float16(6.2e-5)).astype(np.float32)
        code = np.clip(np.round(values / scale), -half, half - 1)
        error = ((code * scale - values) ** 2).sum(1, keepdims=True)
        if errors is None:
            codes, scales, errors = code, scale, error
        else:
            better = error < errors
            codes, scales, errors = np.where(better, code, codes), np.where(better, scale, scales), np.where(better, error, errors)
    return (codes + half).astype(np.uint8).reshape(matrix.shape), scales.astype(np.float16).reshape(matrix.shape[0], -1)


def nibbles(codes):
    return (codes[:, 0::2] & 15) | (codes[:, 1::2] & 15) << 4


def pack_embeddings(matrix):
    codes, scales = quantize(matrix, 4, 32)
    return np.concatenate([scales.view(np.uint8), nibbles(codes)], 1).tobytes()


def pack_layer_matrix(matrix):
    """The packed rows, and the scale of each row's int8 form."""
    codes, scales = quantize(matrix, 6, 64)
    high = codes >> 4
    pairs = high[:, 0::4] | high[:, 1::4] << 2 | high[:, 2::4] << 4 | high[:, 3::4] << 6
    weights = (codes.astype(np.float32) - 32).reshape(len(codes), -1, 64) * scales.astype(np.float32)[..., None]
    row_scales = np.abs(weights).reshape(len(codes), -1).max(1) / 127
    return np.concatenate([scales.view(np.uint8), nibbles(codes), pairs], 1).tobytes(), row_scales.astype(np.float32)


def checksum(data):
    value = 0x811C9DC5
    for word in np.frombuffer(data, "<u4").tolist():
        value = ((value ^ word) * 0x01000193) & 0xFFFFFFFF
    return value


def main():
    model, vocabulary_file, projection_file, output = sys.argv[1:5]
    tensors = load_file(model)
    weight = lambda name: tensors[name].astype(np.float32)
    projection = np.load(projection_file).astype(np.float32)
    positions = weight("embeddings.position_embeddings.weight")[:POSITIONS] + weight("embeddings.token_type_embeddings.weight")[0]
    floats = [positions, weight("embeddings.LayerNorm.weight"), weight("embeddings.LayerNorm.bias")]
    packed = []
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for names in (["attention.self.query", "attention.self.key", "attention.self.value"], ["attention.output.dense"], ["intermediate.dense"], ["output.dense"]):
            rows, scales = pack_layer_matrix(np.concatenate([weight(f"{prefix}{name}.weight") for name in names]))
            packed.append(rows)
            floats += [scales, np.concatenate([weight(f"{prefix}{name}.bias") for name in names])]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            floats += [weight(f"{prefix}{name}.weight"), weight(f"{prefix}{name}.bias")]
    floats.append(projection)
    float_bytes = np.concatenate([part.ravel() for part in floats]).astype("<f4").tobytes()
    embeddings = weight("embeddings.word_embeddings.weight")
    vocabulary = open(vocabulary_file, "rb").read().rstrip(b"\n")
    if vocabulary.count(b"\n") + 1 != len(embeddings):
        sys.exit("vocabulary and embeddings differ in length")
    vocabulary += b"\n" * (-len(vocabulary) % 4)
    sections = [float_bytes, pack_embeddings(embeddings), vocabulary, b"".join(packed)]
    body = b"".join(sections)
    header = struct.pack("<4s9I24s", b"HCML", 1, len(embeddings), LAYERS, len(projection), *(len(section) for section in sections), checksum(body), SPACE)
    with open(output, "wb") as out:
        out.write(header + body)
    print(f"{output}: {len(header) + len(body)} bytes: floats {len(float_bytes)}, embeddings {len(sections[1])}, vocabulary {len(vocabulary)}, layers {len(sections[3])}; checksum {checksum(body):08x}")


main()

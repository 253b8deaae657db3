// The encoder of all-MiniLM-L6-v2 (BERT: Devlin et al. 2019; MiniLM: Wang et al. 2020) for WebAssembly with 128-bit SIMD.
//
// Weights are int8 with one scale per row; activations are quantised to 12 bits per token and multiplied by i32x4.dot_i16x8_s; attention,
// layer normalisation and GELU (tanh form: Hendrycks and Gimpel 2016) are fp32. No libraries, no imports. The memory is one block:
// the buffers below, then the layout of model.ts. lab/minilm/build-kernel.sh compiles it.
#include <wasm_simd128.h>

#define HIDDEN 384
#define INNER 1536
#define HEADS 12
#define HEAD 32
#define MAX_TOKENS 256
#define MAX_DIMENSIONS 384
#define ACTIVATION_LIMIT 2047.f
#define EMBEDDING_GROUP 32
#define LAYER_GROUP 64
#define EXPORT(name) __attribute__((export_name(name)))

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;

extern u8 __heap_base;
static float hidden[MAX_TOKENS * HIDDEN], inner[MAX_TOKENS * INNER], qkv[MAX_TOKENS * 3 * HIDDEN], context[MAX_TOKENS * HIDDEN];
static i16 quantized[(MAX_TOKENS + 4) * INNER] __attribute__((aligned(16)));
static float token_scale[MAX_TOKENS + 4], scores[MAX_TOKENS + 4], row_values[INNER], pooled[HIDDEN];
static i32 token_ids[MAX_TOKENS];
static float result[MAX_DIMENSIONS];

/** First free byte after the buffers, a multiple of 64. */
EXPORT("base") u32 base(void) { return ((u32)&__heap_base + 63) & ~63u; }
/** The ids of a text, at most 256, are written here, and its vector is read here. */
EXPORT("ids") i32 *ids_address(void) { return token_ids; }
EXPORT("result") float *result_address(void) { return result; }

/** FNV-1a over little-endian words of four bytes, from `hash` on. */
EXPORT("checksum") u32 checksum(const u32 *words, u32 count, u32 hash) {
  for (u32 i = 0; i < count; i++) hash = (hash ^ words[i]) * 0x01000193u;
  return hash;
}

/** A 16-bit float; never subnormal, infinite or NaN here. */
static inline float half(u16 bits) {
  union { u32 i; float f; } value = { bits & 0x7fff ? ((u32)(bits & 0x8000) << 16) | (((u32)(bits & 0x7fff) << 13) + (112u << 23)) : 0 };
  return value.f;
}

/**
 * Converts rows of 6-bit codes to int8 with one scale per row. A packed row: the scales of its groups of 64 (float16), then four bits of each
 * code (two per byte, the lower half first), then the upper two bits of each (four per byte, from the lowest bits up). A weight is its
 * code minus 32, times its group's scale. `codes` may overlap `packed` from below: each row is read before it is overwritten.
 */
EXPORT("unpack") void unpack(const u8 *packed, i8 *codes, const float *scales, u32 rows, u32 width) {
  const u32 groups = width / LAYER_GROUP;
  for (u32 row = 0; row < rows; row++) {
    const u8 *low = packed + 2 * groups, *high = low + width / 2;
    for (u32 g = 0; g < groups; g++) {
      const float factor = half(((const u16 *)packed)[g]) / scales[row];
      for (u32 i = g * LAYER_GROUP; i < (g + 1) * LAYER_GROUP; i += 4) {
        const u32 upper = high[i >> 2];
        for (u32 j = 0; j < 4; j++) {
          const u32 code = ((low[(i + j) >> 1] >> ((j & 1) * 4)) & 15) | (((upper >> (2 * j)) & 3) << 4);
          row_values[i + j] = (float)((i32)code - 32) * factor;
        }
      }
    }
    packed = high + width / 4;
    for (u32 i = 0; i < width; i += 16) {
      v128_t part[4];
      for (int j = 0; j < 4; j++) part[j] = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_v128_load(row_values + i + 4 * j)));
      wasm_v128_store(codes + i, wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(part[0], part[1]), wasm_i16x8_narrow_i32x4(part[2], part[3])));
    }
    codes += width;
  }
}

/** e^a as 2^n times a polynomial, relative error below 1e-5. */
static inline v128_t exponential(v128_t a) {
  a = wasm_f32x4_min(wasm_f32x4_max(a, wasm_f32x4_splat(-87.f)), wasm_f32x4_splat(87.f));
  const v128_t t = wasm_f32x4_mul(a, wasm_f32x4_splat(1.44269504f)), n = wasm_f32x4_nearest(t), f = wasm_f32x4_sub(t, n);
  v128_t p = wasm_f32x4_splat(0.0013333558f);
  p = wasm_f32x4_add(wasm_f32x4_mul(p, f), wasm_f32x4_splat(0.009618129f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, f), wasm_f32x4_splat(0.05550411f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, f), wasm_f32x4_splat(0.24022651f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, f), wasm_f32x4_splat(0.69314718f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, f), wasm_f32x4_splat(1.f));
  return wasm_f32x4_mul(p, wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23));
}

static inline float sum_lanes(v128_t a) {
  return wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1) + wasm_f32x4_extract_lane(a, 2) + wasm_f32x4_extract_lane(a, 3);
}

static inline i32 sum_integers(v128_t a) {
  return wasm_i32x4_extract_lane(a, 0) + wasm_i32x4_extract_lane(a, 1) + wasm_i32x4_extract_lane(a, 2) + wasm_i32x4_extract_lane(a, 3);
}

static void gelu(float *values, int count) {
  for (int i = 0; i < count; i += 4) {
    const v128_t v = wasm_v128_load(values + i), cube = wasm_f32x4_mul(wasm_f32x4_mul(v, v), v);
    const v128_t z = wasm_f32x4_mul(wasm_f32x4_add(v, wasm_f32x4_mul(cube, wasm_f32x4_splat(0.044715f))), wasm_f32x4_splat(-1.5957691f));
    wasm_v128_store(values + i, wasm_f32x4_div(v, wasm_f32x4_add(wasm_f32x4_splat(1.f), exponential(z))));
  }
}

static void normalise(float *row, const float *gain, const float *bias) {
  v128_t sum = wasm_f32x4_splat(0), squares = sum;
  for (int i = 0; i < HIDDEN; i += 4) sum = wasm_f32x4_add(sum, wasm_v128_load(row + i));
  const v128_t mean = wasm_f32x4_splat(sum_lanes(sum) / HIDDEN);
  for (int i = 0; i < HIDDEN; i += 4) {
    const v128_t d = wasm_f32x4_sub(wasm_v128_load(row + i), mean);
    squares = wasm_f32x4_add(squares, wasm_f32x4_mul(d, d));
  }
  const v128_t factor = wasm_f32x4_splat(1.f / __builtin_sqrtf(sum_lanes(squares) / HIDDEN + 1e-12f));
  for (int i = 0; i < HIDDEN; i += 4) {
    const v128_t d = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(row + i), mean), factor);
    wasm_v128_store(row + i, wasm_f32x4_add(wasm_f32x4_mul(d, wasm_v128_load(gain + i)), wasm_v128_load(bias + i)));
  }
}

static void normalise_all(int tokens, const float *gain_and_bias) {
  for (int t = 0; t < tokens; t++) normalise(hidden + t * HIDDEN, gain_and_bias, gain_and_bias + HIDDEN);
}

/** Converts each token's activations to integers of magnitude up to 2047, with one scale per token. */
static void quantize(const float *rows, int tokens, int width) {
  for (int t = 0; t < tokens; t++) {
    const float *row = rows + t * width;
    v128_t peaks = wasm_f32x4_splat(1e-9f);
    for (int i = 0; i < width; i += 4) peaks = wasm_f32x4_max(peaks, wasm_f32x4_abs(wasm_v128_load(row + i)));
    peaks = wasm_f32x4_max(peaks, wasm_i32x4_shuffle(peaks, peaks, 2, 3, 0, 1));
    peaks = wasm_f32x4_max(peaks, wasm_i32x4_shuffle(peaks, peaks, 1, 0, 3, 2));
    const float peak = wasm_f32x4_extract_lane(peaks, 0);
    token_scale[t] = peak / ACTIVATION_LIMIT;
    const v128_t factor = wasm_f32x4_splat(ACTIVATION_LIMIT / peak);
    i16 *out = quantized + t * width;
    for (int i = 0; i < width; i += 8) {
      const v128_t a = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_mul(wasm_v128_load(row + i), factor)));
      const v128_t b = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_mul(wasm_v128_load(row + i + 4), factor)));
      wasm_v128_store(out + i, wasm_i16x8_narrow_i32x4(a, b));
    }
  }
}

typedef struct { const i8 *codes; const float *scales, *bias; int width, outputs; } Matrix;
#define ADD_DOT(sum, weight, value) sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(weight, value))

/** One token, four outputs at a time. */
static void multiply_token(int t, Matrix m, float *out, int add) {
  const i16 *values = quantized + t * m.width;
  for (int o = 0; o < m.outputs; o += 4) {
    const i8 *w0 = m.codes + o * m.width, *w1 = w0 + m.width, *w2 = w1 + m.width, *w3 = w2 + m.width;
    v128_t a = wasm_i32x4_splat(0), b = a, c = a, d = a;
    for (int i = 0; i < m.width; i += 8) {
      const v128_t v = wasm_v128_load(values + i);
      ADD_DOT(a, wasm_i16x8_load8x8(w0 + i), v);
      ADD_DOT(b, wasm_i16x8_load8x8(w1 + i), v);
      ADD_DOT(c, wasm_i16x8_load8x8(w2 + i), v);
      ADD_DOT(d, wasm_i16x8_load8x8(w3 + i), v);
    }
    const v128_t ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    const v128_t cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    const v128_t sums = wasm_i32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
    const v128_t scale = wasm_f32x4_mul(wasm_f32x4_splat(token_scale[t]), wasm_v128_load(m.scales + o));
    v128_t r = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), scale), wasm_v128_load(m.bias + o));
    float *place = out + t * m.outputs + o;
    if (add) r = wasm_f32x4_add(r, wasm_v128_load(place));
    wasm_v128_store(place, r);
  }
}

/** out[token][output] (+)= the result of {@link quantize} times the matrix, plus its bias. Four tokens and two outputs at a time. */
static void multiply(int tokens, Matrix m, float *out, int add) {
  const int rest = tokens & 3;
  // Three remaining tokens are cheaper as four, with one unused, than one by one.
  if (rest == 1 || rest == 2) {
    for (int t = tokens - rest; t < tokens; t++) multiply_token(t, m, out, add);
    tokens -= rest;
  }
  for (int o = 0; o < m.outputs; o += 2) {
    const i8 *w0 = m.codes + o * m.width, *w1 = w0 + m.width;
    for (int t = 0; t < tokens; t += 4) {
      v128_t a0 = wasm_i32x4_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
      const i16 *v0 = quantized + t * m.width, *v1 = v0 + m.width, *v2 = v1 + m.width, *v3 = v2 + m.width;
      for (int i = 0; i < m.width; i += 8) {
        const v128_t a = wasm_i16x8_load8x8(w0 + i), b = wasm_i16x8_load8x8(w1 + i);
        v128_t v = wasm_v128_load(v0 + i);
        ADD_DOT(a0, a, v); ADD_DOT(b0, b, v);
        v = wasm_v128_load(v1 + i);
        ADD_DOT(a1, a, v); ADD_DOT(b1, b, v);
        v = wasm_v128_load(v2 + i);
        ADD_DOT(a2, a, v); ADD_DOT(b2, b, v);
        v = wasm_v128_load(v3 + i);
        ADD_DOT(a3, a, v); ADD_DOT(b3, b, v);
      }
      const i32 first[4] = { sum_integers(a0), sum_integers(a1), sum_integers(a2), sum_integers(a3) };
      const i32 second[4] = { sum_integers(b0), sum_integers(b1), sum_integers(b2), sum_integers(b3) };
      const int count = tokens - t < 4 ? tokens - t : 4;
      for (int j = 0; j < count; j++) {
        float *place = out + (t + j) * m.outputs + o;
        const float x = (float)first[j] * token_scale[t + j] * m.scales[o] + m.bias[o];
        const float y = (float)second[j] * token_scale[t + j] * m.scales[o + 1] + m.bias[o + 1];
        place[0] = add ? place[0] + x : x;
        place[1] = add ? place[1] + y : y;
      }
    }
  }
}

static void attend(int tokens) {
  const int whole = (tokens + 3) & ~3;
  for (int h = 0; h < HEADS; h++) {
    for (int t = 0; t < tokens; t++) {
      const float *q = qkv + t * 3 * HIDDEN + h * HEAD;
      v128_t query[8], out[8];
      // 1 / sqrt(32)
      for (int i = 0; i < 8; i++) query[i] = wasm_f32x4_mul(wasm_v128_load(q + 4 * i), wasm_f32x4_splat(0.17677669529f));
      float peak = -1e30f;
      for (int s = 0; s < tokens; s++) {
        const float *k = qkv + s * 3 * HIDDEN + HIDDEN + h * HEAD;
        v128_t a = wasm_f32x4_mul(query[0], wasm_v128_load(k)), b = wasm_f32x4_mul(query[1], wasm_v128_load(k + 4));
        for (int i = 2; i < 8; i += 2) {
          a = wasm_f32x4_add(a, wasm_f32x4_mul(query[i], wasm_v128_load(k + 4 * i)));
          b = wasm_f32x4_add(b, wasm_f32x4_mul(query[i + 1], wasm_v128_load(k + 4 * i + 4)));
        }
        const float score = sum_lanes(wasm_f32x4_add(a, b));
        scores[s] = score;
        if (score > peak) peak = score;
      }
      for (int s = tokens; s < whole; s++) scores[s] = -1e30f;
      v128_t sum = wasm_f32x4_splat(0);
      for (int s = 0; s < whole; s += 4) {
        const v128_t e = exponential(wasm_f32x4_sub(wasm_v128_load(scores + s), wasm_f32x4_splat(peak)));
        wasm_v128_store(scores + s, e);
        sum = wasm_f32x4_add(sum, e);
      }
      for (int i = 0; i < 8; i++) out[i] = wasm_f32x4_splat(0);
      for (int s = 0; s < tokens; s++) {
        const float *v = qkv + s * 3 * HIDDEN + 2 * HIDDEN + h * HEAD;
        const v128_t weight = wasm_f32x4_splat(scores[s]);
        for (int i = 0; i < 8; i++) out[i] = wasm_f32x4_add(out[i], wasm_f32x4_mul(weight, wasm_v128_load(v + 4 * i)));
      }
      const v128_t share = wasm_f32x4_splat(1.f / sum_lanes(sum));
      for (int i = 0; i < 8; i++) wasm_v128_store(context + t * HIDDEN + h * HEAD + 4 * i, wasm_f32x4_mul(out[i], share));
    }
  }
}

/** One packed row of the embedding table: the scales of its groups of 32 (float16), then 4-bit codes, two per byte, the lower half first. A value is its code minus 8, times the scale. */
static void embed_token(float *out, const u8 *table, i32 id, const float *position) {
  const u32 groups = HIDDEN / EMBEDDING_GROUP;
  const u8 *row = table + (u32)id * (2 * groups + HIDDEN / 2), *codes = row + 2 * groups;
  for (u32 i = 0; i < HIDDEN; i++) {
    const i32 code = (codes[i >> 1] >> ((i & 1) * 4)) & 15;
    out[i] = (float)(code - 8) * half(((const u16 *)row)[i / EMBEDDING_GROUP]) + position[i];
  }
}

/**
 * Encodes the text whose ids were written: the mean of the last layer over all tokens, projected, scaled to unit length.
 * Floats, in order: positions [MAX_TOKENS][384] (the token type is added in), embedding normalisation (gain, bias); for each layer the
 * scale and bias of each row of the four matrices (query-key-value, attention output, inner, outer), then gain and bias of its two normalisations;
 * projection [dimensions][384]. Codes: the same matrices, in the same order.
 */
EXPORT("encode") void encode(int tokens, const u8 *embeddings, const float *floats, const i8 *codes, int layers, int dimensions) {
  for (int t = 0; t < tokens; t++) embed_token(hidden + t * HIDDEN, embeddings, token_ids[t], floats + t * HIDDEN);
  const float *f = floats + MAX_TOKENS * HIDDEN;
  normalise_all(tokens, f);
  f += 2 * HIDDEN;
  for (int l = 0; l < layers; l++) {
    static const int WIDTH[4] = { HIDDEN, HIDDEN, HIDDEN, INNER }, OUTPUTS[4] = { 3 * HIDDEN, HIDDEN, INNER, HIDDEN };
    Matrix m[4];
    for (int i = 0; i < 4; i++) {
      m[i] = (Matrix){ codes, f, f + OUTPUTS[i], WIDTH[i], OUTPUTS[i] };
      codes += WIDTH[i] * OUTPUTS[i];
      f += 2 * OUTPUTS[i];
    }
    quantize(hidden, tokens, HIDDEN);
    multiply(tokens, m[0], qkv, 0);
    attend(tokens);
    quantize(context, tokens, HIDDEN);
    multiply(tokens, m[1], hidden, 1);
    normalise_all(tokens, f);
    quantize(hidden, tokens, HIDDEN);
    multiply(tokens, m[2], inner, 0);
    gelu(inner, tokens * INNER);
    quantize(inner, tokens, INNER);
    multiply(tokens, m[3], hidden, 1);
    normalise_all(tokens, f + 2 * HIDDEN);
    f += 4 * HIDDEN;
  }
  for (int i = 0; i < HIDDEN; i++) {
    pooled[i] = 0;
    for (int t = 0; t < tokens; t++) pooled[i] += hidden[t * HIDDEN + i];
  }
  float squares = 0;
  for (int d = 0; d < dimensions; d++) {
    v128_t sum = wasm_f32x4_splat(0);
    for (int i = 0; i < HIDDEN; i += 4) sum = wasm_f32x4_add(sum, wasm_f32x4_mul(wasm_v128_load(f + d * HIDDEN + i), wasm_v128_load(pooled + i)));
    result[d] = sum_lanes(sum);
    squares += result[d] * result[d];
  }
  const float factor = 1.f / __builtin_sqrtf(squares + 1e-20f);
  for (int d = 0; d < dimensions; d++) result[d] *= factor;
}

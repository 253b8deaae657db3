/**
 * Settings of the coordinators that benchmarks start: without daily limits and without randomness. The word table embeds
 * immediately. The sentence embedder would take an hour for 50,000 items, without affecting these measurements.
 * @module
 */
export const BENCH_VARIABLES = {
  EMBEDDER: 'static',
  HOLD_OUT_SHARE: '0',
  INGEST_ITEMS_PER_DAY: '0',
  INGEST_BYTES_PER_DAY: '0',
}

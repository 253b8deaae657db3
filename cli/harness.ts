/**
 * Utilities for measurements and browser tests: start and stop a local Worker, call it over HTTP, and embed stored
 * items.
 * @module
 */
export { embedAll } from './ingest/embed.ts'
export { createHttpClient, type HttpClient, HttpError } from './shared/http.ts'
export { buildWorker, type LocalWorker, type LocalWorkerOptions, startLocalWorker } from './shared/local-worker.ts'

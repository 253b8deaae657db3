/**
 * What measurements and browser tests use of the product: start a local Worker, stop it, call it over HTTP, and embed what is stored.
 * @module
 */
export { embedAll } from './ingest/embed.ts'
export { createHttpClient, type HttpClient, HttpError } from './shared/http.ts'
export { buildWorker, type LocalWorker, type LocalWorkerOptions, startLocalWorker } from './shared/local-worker.ts'

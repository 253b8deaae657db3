/**
 * What measurements and browser tests use of the product: start a local Worker, stop it, and call it over HTTP.
 * @module
 */
export { createHttpClient, type HttpClient, HttpError } from './shared/http.ts'
export { buildWorker, type LocalWorker, type LocalWorkerOptions, startLocalWorker } from './shared/local-worker.ts'

/** Bindings of the Worker, only by name: the lab has the types of Node.js, which conflict with the Worker's. */
type D1Database = import('@cloudflare/workers-types').D1Database
type D1PreparedStatement = import('@cloudflare/workers-types').D1PreparedStatement
type D1Result<T = unknown> = import('@cloudflare/workers-types').D1Result<T>
type R2Bucket = import('@cloudflare/workers-types').R2Bucket
type R2MultipartUpload = import('@cloudflare/workers-types').R2MultipartUpload

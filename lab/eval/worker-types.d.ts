/** The binding that the Worker's database opens, by name alone: the laboratory has the types of Node.js, which clash with the Worker's. */
type D1Database = import('@cloudflare/workers-types').D1Database

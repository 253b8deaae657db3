/**
 * Two conversations of twenty turns about code bases that npm installs, with a line of code that answers each turn.
 * @module
 */

export interface ScriptedTurn {
  readonly query: string
  /** Part of the passage that the answer needs, verbatim from the code. */
  readonly needs: string
}

/** A conversation and its code base. */
export interface Script {
  readonly name: string
  /** Folder below the repository's root. */
  readonly folder: string
  /** Excluded files: other builds of the same code. */
  readonly exclude: readonly string[]
  readonly turns: readonly ScriptedTurn[]
}

/** A user secures a session cookie, then opens the API to another origin and to tokens, and returns to the cookie. */
const COOKIES: readonly ScriptedTurn[] = [
  { query: 'How do I set a signed session cookie?', needs: 'const setSignedCookie = async' },
  { query: 'Which algorithm signs the cookie value?', needs: 'hash: "SHA-256"' },
  {
    query: 'How is the signature of a signed cookie verified when it is read?',
    needs: 'const verifySignature = async',
  },
  { query: 'What does getSignedCookie return when the signature is wrong?', needs: '? signedValue : false' },
  { query: 'How do I give the signed cookie the __Host- prefix?', needs: '"__Host-" + name' },
  {
    query: 'Which attributes does a __Host- cookie need, and which error do I get otherwise?',
    needs: '__Host- Cookie must have Secure attributes',
  },
  { query: 'What is the largest Max-Age of a cookie?', needs: 'greater than 400 days' },
  { query: 'How do I delete the session cookie when the user logs out?', needs: 'const deleteCookie' },
  { query: 'Why would my cookie name be rejected as invalid?', needs: 'Invalid cookie name' },
  {
    query: 'How do I let a browser on another origin send the cookie, cors with credentials?',
    needs: '"Access-Control-Allow-Credentials"',
  },
  { query: 'How does the cors middleware decide whether an origin is allowed?', needs: 'const findAllowOrigin' },
  { query: 'What does the cors middleware answer to an OPTIONS preflight?', needs: 'statusText: "No Content"' },
  { query: 'Where does the cors middleware set the Vary header?', needs: '"Vary", "Origin"' },
  {
    query: 'Now API tokens: how does bearerAuth compare the token?',
    needs: 'timingSafeEqual(options.token, tokenValue',
  },
  {
    query: 'Which status does bearerAuth return for a malformed Authorization header?',
    needs: 'error="invalid_request"',
  },
  { query: 'How do I verify the bearer token with my own function?', needs: 'options.verifyToken(tokenValue, c)' },
  {
    query: 'Back to the session cookie: how are signed cookies parsed from the Cookie header?',
    needs: 'const parseSigned = async',
  },
  { query: 'And how is the signature of the cookie made?', needs: 'const makeSignature = async' },
  {
    query: 'Does setSignedCookie append a second Set-Cookie header or replace the first?',
    needs: 'c.header("set-cookie", cookie, { append: true })',
  },
  { query: 'Which cookie options harden the session: httpOnly, secure, sameSite?', needs: '"; HttpOnly"' },
]

/** A user writes upserts with drizzle, examines the mapping of columns, then debugs a failing query on D1. */
const UPSERTS: readonly ScriptedTurn[] = [
  {
    query: 'How do I insert a row and update it when it exists, onConflictDoUpdate?',
    needs: 'do update set',
  },
  { query: 'How do I skip the insert when there is a conflict?', needs: 'on conflict do nothing' },
  {
    query: 'Why does onConflictDoUpdate complain about where together with targetWhere?',
    needs: 'You cannot use both "where" and "targetWhere"',
  },
  { query: 'What happens if I call values with an empty array?', needs: 'must be called with at least one value' },
  { query: 'How is the insert statement built by the dialect?', needs: 'buildInsertQuery({' },
  { query: 'How are identifiers quoted in the generated SQL?', needs: 'name.replace(/"/g' },
  { query: 'How does the integer column store a timestamp?', needs: 'Math.floor(unix / 1e3)' },
  { query: 'And how is a boolean column read back?', needs: 'Number(value) === 1' },
  { query: 'What is the default of a timestamp column with defaultNow?', needs: "julianday('now')" },
  { query: 'How do I declare an autoincrement primary key?', needs: 'this.config.autoIncrement = true' },
  { query: 'How does a text column store JSON?', needs: 'JSON.stringify(value)' },
  { query: 'How do I define a composite primary key?', needs: 'function primaryKey' },
  { query: 'How do I define a foreign key with on delete cascade?', needs: 'onDelete(action)' },
  { query: 'Now D1: how does batch send several queries at once?', needs: 'await this.client.batch(builtQueries)' },
  { query: 'How does a transaction work with the D1 session?', needs: 'await this.run(sql`rollback`)' },
  { query: 'What does a nested transaction do, savepoints?', needs: 'rollback to savepoint' },
  {
    query: 'How are placeholders filled before a prepared D1 statement runs?',
    needs: 'fillPlaceholders(this.query.params',
  },
  {
    query: 'Which error wraps a failed query with its SQL and params?',
    needs: 'new DrizzleQueryError(queryString, params, e)',
  },
  { query: 'Back to the upsert: how is the set part of an update built?', needs: 'buildUpdateSet(table, set) {' },
  { query: 'How do I roll back a transaction by hand?', needs: 'throw new TransactionRollbackError()' },
]

/** All scripts. The first was available when packing was tuned; the second was written before any run on it. */
export const SCRIPTS: readonly Script[] = [
  { name: 'cookies', folder: 'node_modules/hono/dist', exclude: ['cjs/', '*.d.ts'], turns: COOKIES },
  {
    name: 'upserts',
    folder: 'node_modules/drizzle-orm',
    exclude: ['*.cjs', '*.d.ts', '*.d.cts', '*.map', 'mysql*', 'pg*', 'singlestore*', 'gel*', 'durable*', 'expo*'],
    turns: UPSERTS,
  },
]

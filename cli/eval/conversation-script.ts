/**
 * A conversation of twenty turns about the code base that npm installs as `hono`, with a line of code that answers each turn.
 * @module
 */

export interface ScriptedTurn {
  readonly query: string
  /** Part of the passage that the answer needs, as it stands in the code. */
  readonly needs: string
}

/** Somebody secures a session cookie, then opens the API to another origin and to tokens, and comes back to the cookie. */
export const TURNS: readonly ScriptedTurn[] = [
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

/**
 * The demo's data and questions. The answers are scripted, because no model is configured. The coordinator computes
 * everything else that the demo prints.
 * @module
 */

/** Knowledge that a team would write itself. */
export const KNOWLEDGE = [
  {
    collection: 'best-practices',
    items: [
      {
        key: 'middleware-order',
        fields: {
          category: 'http',
          title: 'Register middleware before routes',
          description:
            'Middleware runs in the order of registration. Put request ids, logging and authentication first, then body limits, ' +
            'then the routes. A handler that is registered earlier answers before a later middleware is reached.',
          anti_patterns: ['Calling app.use() after the routes that it should guard.'],
        },
      },
      {
        key: 'validate-at-the-edge',
        fields: {
          category: 'http',
          title: 'Validate input once, at the edge',
          description:
            'Parse query, body and headers into typed values in the validator middleware and use only the parsed values behind it. ' +
            'Answer 400 with the name of the field that is wrong.',
        },
      },
      {
        key: 'cookie-flags',
        fields: {
          category: 'security',
          title: 'Session cookies: HttpOnly, Secure, SameSite',
          description:
            'Set HttpOnly, Secure and SameSite=Lax on every session cookie, and the __Host- prefix where the path is /.',
        },
      },
    ],
  },
  {
    collection: 'error-solutions',
    items: [
      {
        key: 'body-consumed',
        fields: {
          error_message: 'TypeError: Body has already been consumed.',
          error_type: 'TypeError',
          context: 'Reading c.req.raw.text() after c.req.json() in a middleware.',
          solution:
            'Read the body through c.req (json, text, parseBody): it caches the first read. Never read c.req.raw twice.',
          solution_verified: true,
        },
      },
      {
        key: 'context-not-finalized',
        fields: {
          error_message:
            'Error: Context is not finalized. Did you forget to return a Response object or `await next()`?',
          error_type: 'Error',
          solution: 'Return the response in every branch of the handler, and await next() in every middleware.',
          solution_verified: true,
        },
      },
    ],
  },
  {
    collection: 'skills-patterns',
    items: [
      {
        key: 'test-without-server',
        fields: {
          skill_name: 'Test an HTTP app without a server',
          description:
            'Call app.request(path, init) in the test: it runs the whole middleware chain and returns a Response.',
          usage_pattern: "const response = await app.request('/users/1', { headers: { authorization: 'Bearer t' } })",
          prerequisites: ['The app is exported without being served.'],
        },
      },
    ],
  },
] as const

/** One question of the scripted agent. */
export interface Question {
  readonly query: string
  /** The agent's answer; null: the agent doesn't answer, and the demo shows that nothing was injected. */
  readonly answer: string | null
  readonly outcome?: 'success' | 'partial' | 'failure'
  readonly feedback?: -1 | 0 | 1
}

/** The questions of the main loop. */
export const QUESTIONS: readonly Question[] = [
  {
    query: 'How do I set a session cookie that scripts cannot read?',
    answer:
      "1. Import the helper: `import { setCookie } from 'hono/cookie'`.\n2. Call it in the handler:\n```ts\nsetCookie(c, 'session', id, { httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })\n```\n3. httpOnly keeps scripts out, secure keeps it off plain HTTP, sameSite limits cross-site sends.",
    outcome: 'success',
    feedback: 1,
  },
  {
    query: 'how to verify a bearer token in a middleware',
    answer:
      "1. `import { bearerAuth } from 'hono/bearer-auth'`\n2. Register it before the routes:\n```ts\napp.use('/api/*', bearerAuth({ token }))\n```\n3. A wrong token is answered with 401 and WWW-Authenticate.",
    outcome: 'success',
    feedback: 1,
  },
  {
    query: 'TypeError: Body has already been consumed',
    answer: 'Read the body through c.req.json(), which caches it.',
    outcome: 'success',
  },
  {
    query: 'Where is the ETag header computed?',
    answer: 'In middleware/etag: a digest of the body is compared with If-None-Match.',
    outcome: 'success',
  },
  {
    query: 'getSignedCookie',
    answer: 'helper/cookie: getSignedCookie(c, secret, name) verifies the HMAC and returns the value.',
    outcome: 'success',
  },
  {
    query: 'csrf protection for form posts',
    answer: "Use `csrf()` from 'hono/csrf': it compares the Origin header.",
    outcome: 'partial',
  },
  {
    query: 'How can I limit the size of a request body?',
    answer: '```ts\napp.use(bodyLimit({ maxSize: 50 * 1024 }))\n```',
    outcome: 'success',
    feedback: 1,
  },
  { query: 'compress responses with gzip', answer: "Use `compress()` from 'hono/compress'.", outcome: 'success' },
  {
    query: 'stream server-sent events to a client',
    answer: 'helper/streaming: streamSSE(c, async (stream) => stream.writeSSE({ data })).',
    outcome: 'success',
  },
  {
    query: 'Error: Context is not finalized',
    answer: 'Return a Response in every branch and await next().',
    outcome: 'success',
    feedback: 1,
  },
  {
    query: 'which router is the fastest for static paths',
    answer: 'RegExpRouter through SmartRouter.',
    outcome: 'partial',
    feedback: 0,
  },
  {
    query: 'test my app without starting a server',
    answer: "Call `app.request('/path')` in the test.",
    outcome: 'success',
  },
  {
    query: 'basic auth with several users',
    answer: 'basicAuth({ username, password }, { username, password })',
    outcome: 'success',
  },
  {
    query: 'parse multipart form data',
    answer: 'await c.req.parseBody() returns fields and files.',
    outcome: 'success',
  },
  {
    query: 'CORS preflight for a list of origins',
    answer: "cors({ origin: ['https://a.example', 'https://b.example'] })",
    outcome: 'success',
  },
  {
    query: 'decode and verify a JWT',
    answer: "import { verify } from 'hono/jwt'; await verify(token, secret, 'HS256')",
    outcome: 'failure',
    feedback: -1,
  },
  {
    query: 'how do I set a timeout for slow handlers',
    answer: "app.use('/api', timeout(5000)) from 'hono/timeout'.",
    outcome: 'success',
  },
  {
    query: 'remove a trailing slash from the path',
    answer: "app.use(trimTrailingSlash()) from 'hono/trailing-slash'.",
    outcome: 'success',
  },
  {
    query: 'allow only some IP addresses',
    answer: "ipRestriction(getConnInfo, { allowList: ['10.0.0.0/8'] })",
    outcome: 'partial',
  },
  { query: 'What is the melting point of tungsten?', answer: null },
  { query: 'Who won the football world cup in 1974?', answer: null },
]

/** A later correction, and the question that must find it. */
export const CORRECTION = {
  query: 'decode and verify a JWT',
  original: "await verify(token, secret, 'HS256')",
  correction:
    'verify() takes the algorithm from the options and throws on an expired token: wrap it in try/catch and answer 401.',
  askedAgain: 'verify a JWT and handle an expired token',
}

/** Texts that a simple router would treat alike. */
export const ROUTED = [
  'update my nginx config to set the x-request-id header',
  'SELECT outcome, count(*) AS n FROM interactions GROUP BY outcome',
  'src/middleware/etag/index.js',
] as const

/**
 * Ten questions of a software team, each with a working answer, written for {@link ./extraction.ts}.
 * @module
 */
export const SOLVED: readonly { readonly query: string; readonly response: string }[] = [
  {
    query: 'How do I set up an nginx reverse proxy for the app?',
    response:
      '1. Install nginx.\n2. Add a location block with proxy_pass http://127.0.0.1:3000.\n3. Run nginx -t and reload nginx.',
  },
  {
    query: 'Why does the deploy fail with Error: ENOSPC: no space left on device?',
    response:
      'The runner keeps old Docker images. Run docker system prune -af in the job before the build, and keep only the last three images.',
  },
  {
    query: 'How can we speed up the slow orders report query in Postgres?',
    response:
      'Add a composite index on orders (customer_id, created_at) and select only the columns that the report shows. It went from 9 s to 200 ms.',
  },
  {
    query: 'TypeError: Cannot read properties of undefined (reading "map") in the invoice list',
    response:
      'The API returns no items field for an empty invoice. Use invoice.items ?? [] before map, and let the schema default items to an empty list.',
  },
  {
    query: 'How do we rotate the signing key of our JSON web tokens without logging everybody out?',
    response:
      'Publish both keys in the JWKS with different kid values, sign with the new key, and remove the old one after the longest token lifetime of 24 hours.',
  },
  {
    query: 'How do I retry failed webhook deliveries without sending duplicates?',
    response:
      'Store each delivery with an idempotency key, retry with exponential backoff up to eight times, and let the receiver ignore a key that it has seen.',
  },
  {
    query: 'Our unit tests are flaky because of time zones. What should we do?',
    response:
      'Set TZ=UTC in the test script and freeze the clock with fake timers. Format dates with an explicit time zone in the code under test.',
  },
  {
    query: 'How should a migration add a NOT NULL column to a large table without downtime?',
    response:
      '1. Add the column as nullable.\n2. Backfill in batches of 10,000 rows.\n3. Add a CHECK constraint as NOT VALID and validate it.\n4. Set NOT NULL.',
  },
  {
    query: 'Why do requests from the browser fail with a CORS error on PUT?',
    response:
      'The preflight is answered without Access-Control-Allow-Methods. Allow PUT and the content-type header in the gateway, and answer OPTIONS with 204.',
  },
  {
    query: 'How do we keep secrets out of the container image?',
    response:
      'Mount them at run time from the secret store as files, use BuildKit secret mounts for build steps, and add .env to .dockerignore.',
  },
]

/**
 * Copies the few files of Swagger UI that the documentation page needs to public/docs/vendor/, so that the page works
 * without any other host. Runs at `npm install` (script `prepare`), with whichever Node.js npm itself runs on.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FILES = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'favicon-32x32.png',
  'LICENSE',
  'NOTICE',
]

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const from = join(root, 'node_modules', 'swagger-ui-dist')
const to = join(root, 'public', 'docs', 'vendor')

if (existsSync(from)) {
  mkdirSync(to, { recursive: true })
  for (const file of FILES) copyFileSync(join(from, file), join(to, file))
} else {
  console.warn('swagger-ui-dist is not installed (production install?): /docs will only link to /openapi.json.')
}

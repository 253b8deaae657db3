/**
 * Runs after `npm install`, with whichever Node.js npm itself runs on. Copies the few files of Swagger UI and Chart.js that the
 * pages need to public/, so that they work without any other host, and removes the C++ headers of the Node.js package (67 MB),
 * which only builds of native addons need.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PACKAGES = [
  {
    name: 'swagger-ui-dist',
    files: [
      'swagger-ui.css',
      'swagger-ui-bundle.js',
      'swagger-ui-bundle.js.LICENSE.txt',
      'favicon-32x32.png',
      'LICENSE',
      'NOTICE',
    ],
    to: 'public/docs/vendor',
    without: '/docs will only link to /openapi.json',
  },
  {
    name: 'chart.js',
    files: ['dist/chart.umd.js', 'LICENSE.md'],
    to: 'public/dashboard/vendor',
    without: 'the dashboard will show no charts',
  },
]

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

for (const { name, files, to, without } of PACKAGES) {
  const from = join(root, 'node_modules', name)
  if (!existsSync(from)) {
    console.warn(`${name} is not installed (production install?): ${without}.`)
    continue
  }
  mkdirSync(join(root, to), { recursive: true })
  for (const file of files) copyFileSync(join(from, file), join(root, to, basename(file)))
}

const modules = join(root, 'node_modules')
if (existsSync(modules)) {
  for (const name of readdirSync(modules).filter((name) => /^node-(bin-)?(darwin|linux|win)-/.test(name))) {
    rmSync(join(modules, name, 'include'), { recursive: true, force: true })
  }
}

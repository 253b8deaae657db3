/** Memory of the command: V8's optimising compiler must not compile grammars, because that takes gigabytes. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startFake } from './fake-coordinator.ts'
import { makeFolder } from './folders.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.mjs')
const FUNCTIONS = 4_000

const sources = {
  'ledger.cpp': (i: number) =>
    `template <typename T> T Ledger<T>::entry${i}(const std::vector<T>& all, size_t at) const {\n  for (auto it = all.begin(); it != all.end(); ++it) { if (it->key == ${i} && at > 0u) return *it; }\n  throw std::out_of_range("entry ${i}");\n}\n`,
  'Ledger.cs': (i: number) =>
    `public sealed partial class Ledger${i} : Base<int> {\n  public async Task<int?> Find${i}(string key, CancellationToken stop = default) =>\n    await store.Where(x => x.Key == key && x.Count > ${i}).Select(x => x?.Value ?? 0).FirstOrDefaultAsync(stop);\n}\n`,
  'ledger.sh': (i: number) =>
    `entry_${i}() {\n  local -a all=("$@")\n  if [[ \${#all[@]} -gt ${i} && -n "\${all[${i}]:-}" ]]; then printf '%s\\n' "\${all[${i}]}" | sed -e "s/a/b/g"; else return ${i % 256}; fi\n}\n`,
}

it('stays under 512 MB for sources that made compiled grammars take gigabytes', async () => {
  const fake = await startFake()
  const folder = makeFolder({
    'usage.mjs':
      "import { writeFileSync } from 'node:fs'\nprocess.on('exit', () => writeFileSync(process.env.USAGE_FILE, String(process.resourceUsage().maxRSS)))\n",
    ...Object.fromEntries(
      Object.entries(sources).map(([path, text]) => [
        `src/${path}`,
        Array.from({ length: FUNCTIONS }, (_, i) => text(i)).join('\n'),
      ]),
    ),
  })
  const usage = join(folder, 'usage')
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=4', MAIN, 'ingest', join(folder, 'src'), '--url', fake.url, '--source', 's', '--quiet'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: `--import=${join(folder, 'usage.mjs')}`, USAGE_FILE: usage },
    },
  )
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
  await fake.close()
  const stored = [...fake.documents.keys()]
  for (const path of Object.keys(sources)) expect(stored.some((key) => key.startsWith(path))).toBe(true)
  expect(Number(await readFile(usage, 'utf8')) / 1_024).toBeLessThan(512)
})

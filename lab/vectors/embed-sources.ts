/**
 * Embeds all chunks of the given folders into the cache, so that evaluations don't have to.
 *
 *     node embed-sources.ts FOLDER [FOLDER …]
 * @module
 */
import { documentText } from '../../src/inference/embedding/minilm/texts.ts'
import { embeddedText } from '../../src/knowledge/stores/turn-context.ts'
import { itemsOf } from '../training/code-ranking/items.ts'
import { CachedEmbedPool } from './vector-cache.ts'

const PAGE = 100

const pool = new CachedEmbedPool()
for (const folder of process.argv.slice(2)) {
  const texts = (await itemsOf(folder)).map((item) => documentText(embeddedText(item)))
  const began = performance.now()
  const before = pool.embedded
  for (let at = 0; at < texts.length; at += PAGE) await pool.embed(texts.slice(at, at + PAGE))
  const seconds = Math.round((performance.now() - began) / 1000)
  process.stdout.write(`${folder}: ${texts.length} pieces, ${pool.embedded - before} embedded in ${seconds} s\n`)
}
await pool.close()

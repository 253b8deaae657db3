/**
 * Embeds the texts in requests with the configured embedder, so that its cost can be separated from that of a search.
 */
import { buildServices } from '../../../src/build-services.ts'
import type { Env } from '../../../src/env.ts'
import type { EmbeddingPurpose } from '../../../src/inference/embedding/embedder.ts'

// The Durable Objects bound in wrangler.toml.
export * from '../../../src/worker.ts'

export default {
  async fetch(request, env) {
    const { texts, purpose } = await request.json<{ texts: string[]; purpose: EmbeddingPurpose }>()
    const { embedder } = buildServices(env)
    let embedded = 0
    for (const text of texts) {
      const [embedding] = await embedder.embed([text], purpose)
      if (embedding?.vector) embedded++
    }
    return Response.json({ embedded })
  },
} satisfies ExportedHandler<Env>

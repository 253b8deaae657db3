import { env } from 'cloudflare:workers'
import { EmbeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { runContract } from './run-contract.ts'

runContract('embedded', () => new EmbeddedStore(env.KNOWLEDGE))

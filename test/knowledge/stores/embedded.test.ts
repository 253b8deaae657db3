import { env } from 'cloudflare:workers'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { runContract } from './run-contract.ts'

runContract('embedded', () => embeddedStore(env.KNOWLEDGE))

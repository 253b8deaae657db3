/**
 * The authorization server for MCP clients that can't send a key: OAuth 2.1 with PKCE, dynamic registration and client-id metadata
 * documents, by Cloudflare's library. What it keeps has the library's own prefixes (tokens and codes as hashes, see its storage
 * schema): clients in KV, everything else in Durable Objects (grants.ts). What a grant of ours carries is {@link GrantProps}.
 * @module
 */
import { OAuthAuthorizationServer } from '@cloudflare/workers-oauth-provider'
import type { Env } from '../../env.ts'
import type { Scope } from '../../operations/operation.ts'
import { LOOPBACK_NAMES } from '../authenticate.ts'

/** The path whose tokens are issued; a token opens nothing else. */
export const RESOURCE_PATH = '/mcp'
export const AUTHORIZE_PATH = '/authorize'
export const TOKEN_PATH = '/oauth/token'
export const REGISTER_PATH = '/oauth/register'

/** What a token can carry. Administration isn't offered: a client that acts for a model has no use for it. */
export const GRANTABLE: readonly Scope[] = ['read', 'write', 'learn']

const HOUR_S = 3600
const ACCESS_TOKEN_S = HOUR_S
/** Lifetime of a refresh token, in seconds. */
export const REFRESH_TOKEN_S = 30 * 24 * HOUR_S

/** Encrypted within each token: on whose behalf it acts. */
export interface GrantProps {
  /** Id of the key that its owner signed in with; `admin` for HYBRID_API_KEY. */
  readonly keyId: string
  /** SHA-256 of that key, hexadecimal, so that another HYBRID_API_KEY ends what the one before had granted. */
  readonly keyHash: string
  /** The only project that the client may use, as chosen at sign-in; left out: whatever the key may. */
  readonly project?: string
}

/** Whether a path is the resource, by itself or bound to a project (`/mcp/<project>`). */
export function isResource(path: string): boolean {
  return path === RESOURCE_PATH || path.startsWith(`${RESOURCE_PATH}/`)
}

const servers = new Map<string, OAuthAuthorizationServer<Env>>()
/** Hosts that one isolate serves at most. */
const MAX_SERVERS = 20

/** The server of an origin; every host name of the coordinator is an issuer of its own. */
export function authorizationServer(origin: string): OAuthAuthorizationServer<Env> {
  const known = servers.get(origin)
  if (known) return known
  if (servers.size >= MAX_SERVERS) servers.clear()
  const server = new OAuthAuthorizationServer<Env>({
    issuer: origin,
    resources: [origin + RESOURCE_PATH],
    authorizeEndpoint: AUTHORIZE_PATH,
    tokenEndpoint: TOKEN_PATH,
    clientRegistrationEndpoint: REGISTER_PATH,
    scopesSupported: [...GRANTABLE],
    clientIdMetadataDocumentEnabled: true,
    accessTokenTTL: ACCESS_TOKEN_S,
    refreshTokenTTL: REFRESH_TOKEN_S,
    // Errors of clients are reported in the answer and are not logged.
    onError: () => undefined,
  })
  servers.set(origin, server)
  return server
}

/** Metadata of the protected resource (RFC 9728, section 2). */
export function resourceMetadata(origin: string) {
  return {
    resource: origin + RESOURCE_PATH,
    authorization_servers: [origin],
    scopes_supported: [...GRANTABLE],
    bearer_methods_supported: ['header'],
    resource_name: 'Hybrid Coordinator',
  }
}

/** Where that metadata is (RFC 9728, section 3.1). */
export const RESOURCE_METADATA_PATH = `/.well-known/oauth-protected-resource${RESOURCE_PATH}`

/**
 * The challenge of a 401 (RFC 6750, section 3; RFC 9728, section 5.1): a client finds its way to the sign-in from here. It asks for
 * all that a client needs to close the loop; the owner unticks what it should not get.
 */
export function challenge(origin: string): string {
  return `Bearer realm="Hybrid Coordinator", resource_metadata="${origin}${RESOURCE_METADATA_PATH}", scope="${GRANTABLE.join(' ')}"`
}

/** The challenge of a 403: with these scopes the same request would be answered (RFC 6750, section 3.1). */
export function stepUp(origin: string, scopes: readonly Scope[]): string {
  return `Bearer realm="Hybrid Coordinator", error="insufficient_scope", scope="${scopes.join(' ')}", resource_metadata="${origin}${RESOURCE_METADATA_PATH}", error_description="Sign in again and allow ${scopes.join(', ')}."`
}

/** Whether a client can sign in under an origin: OAuth needs https everywhere but on the machine itself. */
export function allowsSignIn(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'https:' || LOOPBACK_NAMES.includes(hostname)
}

/**
 * The authorization server for MCP clients that can't send a key: OAuth 2.1 with PKCE, dynamic registration and
 * client-id metadata documents, implemented by Cloudflare's library. Stored data uses the library's key prefixes
 * (tokens and codes as hashes, see its storage schema): clients are in KV, everything else in Durable Objects
 * (grants.ts). Our grants contain {@link GrantProps}.
 * @module
 */
import { OAuthAuthorizationServer } from '@cloudflare/workers-oauth-provider'
import type { Env } from '../../env.ts'
import type { Scope } from '../../operations/operation.ts'
import { LOOPBACK_NAMES } from '../authenticate.ts'

/** The path for which tokens are issued. A token is valid nowhere else. */
export const RESOURCE_PATH = '/mcp'
export const AUTHORIZE_PATH = '/authorize'
export const TOKEN_PATH = '/oauth/token'
export const REGISTER_PATH = '/oauth/register'

/** The scopes that a token can have. `admin` isn't offered, because a client that acts for a model doesn't need it. */
export const GRANTABLE: readonly Scope[] = ['read', 'write', 'learn']

const HOUR_S = 3600
const ACCESS_TOKEN_S = HOUR_S
/** Lifetime of a refresh token, in seconds. */
export const REFRESH_TOKEN_S = 30 * 24 * HOUR_S

/** The data encrypted in each token: on whose behalf it acts. */
export interface GrantProps {
  /** Id of the key that its owner signed in with, or `admin` for HYBRID_API_KEY. */
  readonly keyId: string
  /** SHA-256 of that key, hexadecimal, so that changing HYBRID_API_KEY revokes earlier grants. */
  readonly keyHash: string
  /** The only project that the client may use, as chosen at sign-in. Missing: all projects of the key. */
  readonly project?: string
}

/** Whether a path is the resource, alone or bound to a project (`/mcp/<project>`). */
export function isResource(path: string): boolean {
  return path === RESOURCE_PATH || path.startsWith(`${RESOURCE_PATH}/`)
}

const servers = new Map<string, OAuthAuthorizationServer<Env>>()
/** Maximum number of hosts per isolate. */
const MAX_SERVERS = 20

/** The server of an origin. Every host name of the coordinator is a separate issuer. */
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
    // Client errors are reported in the answer and not logged.
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

/** The path of that metadata (RFC 9728, section 3.1). */
export const RESOURCE_METADATA_PATH = `/.well-known/oauth-protected-resource${RESOURCE_PATH}`

/**
 * The challenge of a 401 (RFC 6750, section 3; RFC 9728, section 5.1), which leads a client to the sign-in. It requests
 * all scopes that a client needs for the main loop; the owner can deselect some.
 */
export function challenge(origin: string): string {
  return `Bearer realm="Hybrid Coordinator", resource_metadata="${origin}${RESOURCE_METADATA_PATH}", scope="${GRANTABLE.join(' ')}"`
}

/** The challenge of a 403: with these scopes, the same request would succeed (RFC 6750, section 3.1). */
export function stepUp(origin: string, scopes: readonly Scope[]): string {
  return `Bearer realm="Hybrid Coordinator", error="insufficient_scope", scope="${scopes.join(' ')}", resource_metadata="${origin}${RESOURCE_METADATA_PATH}", error_description="Sign in again and allow ${scopes.join(', ')}."`
}

/** Whether clients can sign in under an origin: OAuth requires https except on the local machine. */
export function allowsSignIn(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'https:' || LOOPBACK_NAMES.includes(hostname)
}

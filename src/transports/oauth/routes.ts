/**
 * The routes of OAuth: metadata, sign-in and consent, and the library's own endpoints.
 * @module
 */
import { AuthorizationError, CimdFetchError } from '@cloudflare/workers-oauth-provider'
import type { Hono } from 'hono'
import { insertAct } from '../../database/queries/audit.ts'
import { toHex } from '../../encoding.ts'
import { CoordinatorError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { projectName } from '../../operations/fields.ts'
import type { Caller, Scope } from '../../operations/operation.ts'
import { digestOf } from '../../security/api-key.ts'
import type { KeyLookup } from '../authenticate.ts'
import { readBodyText } from '../body.ts'
import type { AppContext, AppEnv } from '../context.ts'
import { countRegistration } from '../guards.ts'
import { isPublicClientId, MAX_REGISTRATION, registrationFault } from './client-checks.ts'
import { consentPage, refusalPage } from './consent.ts'
import { refusal } from './grants.ts'
import {
  AUTHORIZE_PATH,
  allowsSignIn,
  authorizationServer,
  GRANTABLE,
  type GrantProps,
  REGISTER_PATH,
  RESOURCE_METADATA_PATH,
  resourceMetadata,
  TOKEN_PATH,
} from './server.ts'
import { grantsOf, userOf, withGrants } from './storage.ts'

/** Served without a key, because clients use them to get access. */
export const OAUTH_PATHS = /^\/(?:\.well-known\/oauth-|oauth\/|authorize$)/

const METADATA_HEADERS = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=300' }

/** Maximum size of a token request, in bytes: codes, tokens and a client's credentials. */
const MAX_TOKEN_REQUEST = 65_536
const UNKNOWN_CLIENT =
  'The document that this client id names is not fetched: it must have an https address with a public host name.'

type LookupsOf = (c: AppContext) => readonly KeyLookup[]

/**
 * Adds the routes.
 * @param lookupsOf key look-ups for a request; empty: sign-in is impossible, and nothing is offered
 */
export function mountOAuth(app: Hono<AppEnv>, lookupsOf: LookupsOf): void {
  const offered = (work: (c: AppContext) => Response | Promise<Response>) => (c: AppContext) => {
    assertOffered(c, lookupsOf)
    return work(c)
  }
  const metadata = offered((c) => c.json(resourceMetadata(originOf(c)), 200, METADATA_HEADERS))
  app.get('/.well-known/oauth-protected-resource', metadata)
  app.get(RESOURCE_METADATA_PATH, metadata)
  app.get(`${RESOURCE_METADATA_PATH}/:project`, metadata)
  app.all('/.well-known/oauth-authorization-server', offered(protocol))
  app.all(TOKEN_PATH, offered(token))
  app.all(REGISTER_PATH, offered(register))
  app.get(AUTHORIZE_PATH, (c) => guarded(c, lookupsOf, ask))
  app.post(AUTHORIZE_PATH, (c) => guarded(c, lookupsOf, (context) => answer(context, lookupsOf(context))))
}

const originOf = (c: AppContext) => new URL(c.req.url).origin

/**
 * @throws CoordinatorError `not_found` if no key is configured, so that clients don't start a sign-in that can't
 *   succeed; `forbidden` if https is missing
 */
function assertOffered(c: AppContext, lookupsOf: LookupsOf): void {
  if (lookupsOf(c).length === 0) {
    throw new CoordinatorError('not_found', 'Sign-in is not possible: this coordinator has no key yet.', {
      hint: 'Set HYBRID_API_KEY first; on its own machine clients need no sign-in.',
    })
  }
  if (allowsSignIn(originOf(c))) return
  throw new CoordinatorError('forbidden', 'Signing in needs https.', {
    hint: 'Call the coordinator by its https address, or send a key.',
  })
}

/** Lets the library answer a request whose body may already have been read. */
function protocol(c: AppContext, request: Request = c.req.raw): Promise<Response> {
  return authorizationServer(originOf(c)).fetch(request, withGrants(c.env), c.executionCtx as ExecutionContext)
}

/** The token endpoint, in the object with the code or token. */
async function token(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') return protocol(c)
  const body = await readBodyText(c.req.raw, MAX_TOKEN_REQUEST)
  const form = new URLSearchParams(body)
  if (!isPublicClientId(form.get('client_id') ?? '')) return refusal('invalid_client', UNKNOWN_CLIENT)
  const secret = form.get('refresh_token') ?? form.get('code') ?? form.get('token') ?? ''
  const request = new Request(c.req.url, { method: 'POST', headers: c.req.raw.headers, body })
  const grants = grantsOf(c.env, userOf(secret))
  return grants ? grants.fetch(request) : protocol(c, request)
}

/** Registration of a client. Needs no key, and is therefore limited. */
async function register(c: AppContext): Promise<Response> {
  if (c.req.method !== 'POST') return protocol(c)
  await countRegistration(c)
  const body = await readBodyText(c.req.raw, MAX_REGISTRATION)
  const fault = registrationFault(parsed(body))
  if (fault) return refusal(fault.error, fault.description)
  return protocol(c, new Request(c.req.url, { method: 'POST', headers: c.req.raw.headers, body }))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Converts the library's exceptions to a redirect to the client if that is safe, otherwise to a page. */
async function guarded(
  c: AppContext,
  lookupsOf: LookupsOf,
  work: (c: AppContext) => Promise<Response>,
): Promise<Response> {
  try {
    assertOffered(c, lookupsOf)
  } catch (error) {
    if (!(error instanceof CoordinatorError)) throw error
    return page(c, error.status === 404 ? 404 : 403, error.message, error.hint ?? '')
  }
  try {
    return await work(c)
  } catch (error) {
    if (error instanceof AuthorizationError && error.redirectTo) return c.redirect(error.redirectTo, 302)
    if (error instanceof AuthorizationError) return page(c, 400, 'This sign-in cannot go on.', error.description)
    if (error instanceof CimdFetchError) {
      return page(
        c,
        400,
        'This program could not be verified.',
        'The document that its client id names could not be read.',
      )
    }
    throw error
  }
}

async function ask(c: AppContext): Promise<Response> {
  if (!isPublicClientId(c.req.query('client_id') ?? '')) {
    return page(c, 400, 'This program could not be verified.', UNKNOWN_CLIENT)
  }
  const oauth = authorizationServer(originOf(c)).getOAuthApi(withGrants(c.env))
  const request = await oauth.parseAuthRequest(c.req.raw)
  const details = await oauth.describeConsent(request)
  const consent = await oauth.beginConsent(request)
  const requested = details.scope.filter((scope): scope is Scope => GRANTABLE.includes(scope as Scope))
  return html(consentPage(details, consent.handle, requested.length > 0 ? requested : GRANTABLE), 200, consent.headers)
}

async function answer(c: AppContext, lookups: readonly KeyLookup[]): Promise<Response> {
  const oauth = authorizationServer(originOf(c)).getOAuthApi(withGrants(c.env))
  const form = await c.req.raw.formData()
  const handle = String(form.get('handle') ?? '')
  if (form.get('decision') !== 'approve') {
    const denied = await oauth.denyConsent(c.req.raw, handle)
    return redirect(denied.redirectTo, denied.headers)
  }
  const key = String(form.get('key') ?? '').trim()
  const owner = await ownerOf(key, lookups)
  if (!owner) {
    return page(c, 401, 'This key is not known here, has expired or was revoked.', 'Go back and try another key.')
  }
  const ticked = form.getAll('scope').map(String)
  const allowed = GRANTABLE.filter((scope) => owner.scopes.includes(scope) || owner.scopes.includes('admin'))
  const scope = allowed.filter((name) => ticked.includes(name))
  if (scope.length === 0) {
    return page(
      c,
      403,
      'Nothing would be granted.',
      `This key may ${allowed.join(', ') || 'do nothing here'}; go back and tick some of it.`,
    )
  }
  const chosen = String(form.get('project') ?? '').trim()
  if (chosen !== '' && !projectName.safeParse(chosen).success) {
    return page(c, 400, 'There can be no project of this name.', 'Use letters, digits, dots, dashes and underscores.')
  }
  if (chosen !== '' && owner.project !== null && chosen !== owner.project) {
    return page(c, 403, `This key is bound to the project ${owner.project}.`, 'Go back and leave the project empty.')
  }
  const approved = await oauth.approveConsent(c.req.raw, handle, { scope })
  const props: GrantProps = {
    keyId: owner.id,
    keyHash: toHex(await digestOf(key)),
    ...(chosen !== '' && { project: chosen }),
  }
  const { redirectTo } = await oauth.completeAuthorization({
    request: approved.request,
    userId: owner.id,
    metadata: { scope },
    scope,
    props,
  })
  const { database, now } = c.var.services()
  await insertAct(database, {
    id: newId(),
    caller: owner.id,
    operation: 'grant_access',
    project: chosen || owner.project,
    input: { client_id: approved.request.clientId, scope },
    outcome: 'done',
    createdAt: now(),
  })
  return redirect(redirectTo, approved.headers)
}

async function ownerOf(key: string, lookups: readonly KeyLookup[]): Promise<Caller | null> {
  if (key === '') return null
  const digest = await digestOf(key)
  for (const lookup of lookups) {
    const caller = await lookup(digest, key)
    if (caller) return caller
  }
  return null
}

function redirect(to: string, headers: Headers): Response {
  headers.set('Location', to)
  return new Response(null, { status: 302, headers })
}

/** The pages use only the dashboard's style sheet. The library restricts the targets of forms. */
function html(text: string, status: number, headers = new Headers()): Response {
  headers.set('Content-Type', 'text/html; charset=utf-8')
  headers.set('Cache-Control', 'no-store')
  headers.set(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  )
  return new Response(text, { status, headers })
}

function page(_: AppContext, status: 400 | 401 | 403 | 404, message: string, hint: string): Response {
  return html(refusalPage(message, hint), status)
}

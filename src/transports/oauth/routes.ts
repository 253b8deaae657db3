/**
 * The routes of OAuth: metadata, sign-in and consent, and the library's own endpoints.
 * @module
 */
import { AuthorizationError, CimdFetchError } from '@cloudflare/workers-oauth-provider'
import type { Hono } from 'hono'
import { insertAct } from '../../database/queries/audit.ts'
import { toHex } from '../../encoding.ts'
import { newId } from '../../ids.ts'
import { projectName } from '../../operations/fields.ts'
import type { Caller, Scope } from '../../operations/operation.ts'
import { digestOf } from '../../security/api-key.ts'
import type { KeyLookup } from '../authenticate.ts'
import type { AppContext, AppEnv } from '../context.ts'
import { consentPage, refusalPage } from './consent.ts'
import {
  AUTHORIZE_PATH,
  authorizationServer,
  GRANTABLE,
  type GrantProps,
  REGISTER_PATH,
  RESOURCE_METADATA_PATH,
  resourceMetadata,
  TOKEN_PATH,
} from './server.ts'

/** Served without a key: they are how a client gets in. */
export const OAUTH_PATHS = /^\/(?:\.well-known\/oauth-|oauth\/|authorize$)/

const METADATA_HEADERS = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=300' }

/**
 * Adds the routes.
 * @param lookupsOf where the keys of a request's coordinator are known; none: nobody can sign in
 */
export function mountOAuth(app: Hono<AppEnv>, lookupsOf: (c: AppContext) => readonly KeyLookup[]): void {
  const metadata = (c: AppContext) => c.json(resourceMetadata(originOf(c)), 200, METADATA_HEADERS)
  app.get(RESOURCE_METADATA_PATH, metadata)
  app.get('/.well-known/oauth-protected-resource', metadata)
  const protocol = (c: AppContext) =>
    authorizationServer(originOf(c)).fetch(c.req.raw, c.env, c.executionCtx as ExecutionContext)
  app.all('/.well-known/oauth-authorization-server', protocol)
  app.all(TOKEN_PATH, protocol)
  app.all(REGISTER_PATH, protocol)
  app.get(AUTHORIZE_PATH, (c) => guarded(c, lookupsOf, ask))
  app.post(AUTHORIZE_PATH, (c) => guarded(c, lookupsOf, (context) => answer(context, lookupsOf(context))))
}

const originOf = (c: AppContext) => new URL(c.req.url).origin

/** Turns what the library throws into a redirect to the client where that is safe, else into a page. */
async function guarded(
  c: AppContext,
  lookupsOf: (c: AppContext) => readonly KeyLookup[],
  work: (c: AppContext) => Promise<Response>,
): Promise<Response> {
  if (lookupsOf(c).length === 0) {
    return page(
      c,
      403,
      'This coordinator has no key yet.',
      'Set HYBRID_API_KEY first; on its own machine clients need no sign-in.',
    )
  }
  try {
    return await work(c)
  } catch (error) {
    if (error instanceof AuthorizationError && error.redirectTo) return c.redirect(error.redirectTo, 302)
    if (error instanceof AuthorizationError) return page(c, 400, 'This sign-in can not go on.', error.description)
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
  const oauth = authorizationServer(originOf(c)).getOAuthApi(c.env)
  const request = await oauth.parseAuthRequest(c.req.raw)
  const details = await oauth.describeConsent(request)
  const consent = await oauth.beginConsent(request)
  const requested = details.scope.filter((scope): scope is Scope => GRANTABLE.includes(scope as Scope))
  return html(consentPage(details, consent.handle, requested.length > 0 ? requested : GRANTABLE), 200, consent.headers)
}

async function answer(c: AppContext, lookups: readonly KeyLookup[]): Promise<Response> {
  const oauth = authorizationServer(originOf(c)).getOAuthApi(c.env)
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

/** The pages use the dashboard's style sheet and nothing else; where a form leads is the library's to allow. */
function html(text: string, status: number, headers = new Headers()): Response {
  headers.set('Content-Type', 'text/html; charset=utf-8')
  headers.set('Cache-Control', 'no-store')
  headers.set(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  )
  return new Response(text, { status, headers })
}

function page(_: AppContext, status: 400 | 401 | 403, message: string, hint: string): Response {
  return html(refusalPage(message, hint), status)
}

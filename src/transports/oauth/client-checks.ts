/**
 * Validates what a client states about itself. Registration needs no key, so everything in it is limited. Pure.
 * @module
 */
import * as z from 'zod'

/** Maximum size of a registration, in bytes. */
export const MAX_REGISTRATION = 16_384
const MAX_NAME = 100
const MAX_REDIRECTS = 10
const MAX_URL = 2000

/** Control characters, text direction marks, and characters without a glyph. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u

const url = z.string().max(MAX_URL)
const registration = z.looseObject({
  client_name: z
    .string()
    .max(MAX_NAME)
    .refine((name) => !UNPRINTABLE.test(name), 'must not contain control characters or marks of text direction')
    .optional(),
  redirect_uris: z.array(url).max(MAX_REDIRECTS).optional(),
})

/** The error of a registration (RFC 7591, section 3.2.2); null: none of the checks failed. */
export function registrationFault(body: unknown): { error: string; description: string } | null {
  const { error } = registration.safeParse(body)
  const issue = error?.issues[0]
  if (!issue) return null
  const field = issue.path.join('.') || 'the registration'
  const redirects = issue.path[0] === 'redirect_uris'
  const limits = redirects
    ? `Send at most ${MAX_REDIRECTS} addresses of ${MAX_URL} characters each.`
    : `Send a client_name of at most ${MAX_NAME} printable characters.`
  return {
    error: redirects ? 'invalid_redirect_uri' : 'invalid_client_metadata',
    description: `${field} is not valid. ${limits}`,
  }
}

/** A client's name, made safe for display. */
export function printableName(name: string): string {
  const clean = name.replace(new RegExp(UNPRINTABLE.source, 'gu'), '').replace(/\s+/g, ' ').trim()
  const cut = [...clean].slice(0, MAX_NAME).join('')
  return cut === '' ? 'A client without a name' : cut
}

/**
 * Names of the local machine or network (RFC 6761, RFC 6762, RFC 8375, and names used by routers and container
 * engines).
 */
const LOCAL_NAME =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid|onion)$/

/**
 * Whether the document that a client id refers to may be fetched: only by https, from a host with a public name. IP
 * addresses are rejected, because every published client has a host name.
 */
export function isPublicClientId(clientId: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(clientId)) return true
  if (!URL.canParse(clientId)) return false
  const { protocol, hostname, username, password } = new URL(clientId)
  if (protocol !== 'https:' || username !== '' || password !== '') return false
  const name = hostname.toLowerCase().replace(/\.$/, '')
  const isAddress = name.startsWith('[') || /^[\d.]+$/.test(name)
  return !isAddress && name.includes('.') && !LOCAL_NAME.test(name)
}

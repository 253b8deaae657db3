/**
 * The page on which the owner signs in with a coordinator key and reviews the grant. Plain HTML that works without
 * scripts; all text from the client is escaped.
 * @module
 */
import type { ConsentDescription } from '@cloudflare/workers-oauth-provider'
import type { Scope } from '../../operations/operation.ts'
import { printableName } from './client-checks.ts'

const MEANING: Readonly<Record<Scope, string>> = {
  read: 'search knowledge and read interactions',
  write: 'store knowledge and track interactions',
  learn: 'report outcomes, correct answers, export datasets',
  admin: 'everything',
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="/dashboard/style.css">
<link rel="stylesheet" href="/dashboard/content.css">
<link rel="stylesheet" href="/dashboard/controls.css">
</head>
<body>
<main class="consent">
${body}
</main>
</body>
</html>
`
}

/** Asks for the key and the consent. */
export function consentPage(details: ConsentDescription, handle: string, offered: readonly Scope[]): string {
  const published = details.clientDomain
    ? `Published by <strong>${escapeHtml(details.clientDomain)}</strong>.`
    : 'It registered itself: its name is not verified.'
  const local = details.redirectIsLoopback
    ? '<p class="note"><strong>Access goes to a program on this computer.</strong> Continue only if you have just begun to sign in from it.</p>'
    : ''
  const scopes = offered
    .map(
      (scope) =>
        `<label class="check"><input type="checkbox" name="scope" value="${scope}" checked> <strong>${scope}</strong>: ${MEANING[scope]}</label>`,
    )
    .join('\n')
  const body = `<section class="card">
<h1>Allow ${escapeHtml(printableName(details.clientName))} to use this coordinator?</h1>
<p>${published} Access goes to <strong>${escapeHtml(details.redirectHost)}</strong>.</p>
${local}
<form method="post" class="stack">
<input type="hidden" name="handle" value="${escapeHtml(handle)}">
<fieldset class="stack"><legend>It may</legend>
${scopes}
</fieldset>
<div class="field"><label for="key">Your coordinator key</label>
<input id="key" name="key" type="password" autocomplete="current-password"></div>
<div class="field"><label for="project">Project</label>
<input id="project" name="project" maxlength="64" placeholder="any project of the key" autocapitalize="off" spellcheck="false"></div>
<p class="muted">The client never sees the key. It can do what you tick, within the key's own scopes and project; revoking the key ends it.</p>
<div class="row"><button class="primary" name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Deny</button></div>
</form>
</section>`
  return document('Sign in to Hybrid Coordinator', body)
}

/** Shows an error that can't be sent to the client. */
export function refusalPage(message: string, hint: string): string {
  return document(
    'Sign-in failed',
    `<section class="card"><h1>${escapeHtml(message)}</h1><p>${escapeHtml(hint)}</p></section>`,
  )
}

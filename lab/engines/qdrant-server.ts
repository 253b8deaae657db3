/**
 * Shared code of the Qdrant commands.
 * @module
 */

/** Prints that the command was skipped. */
export function skippedWithout(...names: readonly string[]): number {
  process.stdout.write(`skipped: ${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} not set\n`)
  return 0
}

/** Deletes the collections whose names start with a prefix. */
export async function deleteCollections(url: string, prefix: string, key?: string): Promise<void> {
  const headers: Record<string, string> = key ? { 'api-key': key } : {}
  const response = await fetch(`${url}/collections`, { headers })
  const { result } = (await response.json()) as { result: { collections: { name: string }[] } }
  for (const { name } of result.collections) {
    if (name.startsWith(prefix)) await fetch(`${url}/collections/${name}`, { method: 'DELETE', headers })
  }
}

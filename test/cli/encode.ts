/** The bytes of each character in an encoding with at most two bytes per character, found by decoding all of them. */
function tableOf(label: string): Map<string, number[]> {
  const table = new Map<string, number[]>()
  const decoder = new TextDecoder(label, { fatal: true })
  const add = (bytes: number[]): void => {
    try {
      const text = decoder.decode(Uint8Array.from(bytes))
      if ([...text].length === 1 && !table.has(text)) table.set(text, bytes)
    } catch {
      // Not a character in this encoding.
    }
  }
  for (let first = 0; first < 256; first++) add([first])
  for (let first = 0x81; first < 256; first++) for (let second = 0x40; second < 256; second++) add([first, second])
  return table
}

const tables = new Map<string, Map<string, number[]>>()

/** Encodes text in a legacy encoding. Throws if the encoding lacks a character. */
export function encode(text: string, label: string): Uint8Array {
  const table = tables.get(label) ?? tableOf(label)
  tables.set(label, table)
  return Uint8Array.from(
    [...text].flatMap((character) => {
      const bytes = table.get(character)
      if (!bytes) throw new Error(`${label} has no ${JSON.stringify(character)}`)
      return bytes
    }),
  )
}

/** A file as a data URL, inlined by Vite: for tests that read data modules outside a Worker's bundle. */
declare module '*.bin?url&inline' {
  const url: string
  export default url
}

/** A file as text, inlined by Vite. */
declare module '*?raw' {
  const text: string
  export default text
}

/** Vite's import of many modules at once. */
interface ImportMeta {
  glob(pattern: string, options: { readonly eager: true }): Record<string, Record<string, unknown>>
}

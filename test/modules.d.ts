/** A file as a data URL, as Vite inlines it; how tests read data modules outside a Worker's bundle. */
declare module '*.bin?url&inline' {
  const url: string
  export default url
}

/** A file as text, as Vite inlines it. */
declare module '*?raw' {
  const text: string
  export default text
}

/** Vite's import of many modules at once. */
interface ImportMeta {
  glob(pattern: string, options: { readonly eager: true }): Record<string, Record<string, unknown>>
}

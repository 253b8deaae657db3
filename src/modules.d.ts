declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}
declare module 'node:async_hooks' {
  export class AsyncLocalStorage<T> {
    run<R>(store: T, work: () => R): R
    getStore(): T | undefined
  }
}

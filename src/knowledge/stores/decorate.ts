/**
 * Combines the methods of two objects in one.
 * @module
 */

/**
 * A store whose methods are overridden by those of `changes`. Methods of either object keep their own `this`.
 * @param changes an object, or an instance of a class
 */
export function decorate<S extends object, C extends object>(store: S, changes: C): S & C {
  return new Proxy(store, {
    get(target, name) {
      const owner = name in changes && !(name in Object.prototype) ? changes : target
      const value: unknown = Reflect.get(owner, name, owner)
      return typeof value === 'function' ? value.bind(owner) : value
    },
  }) as S & C
}

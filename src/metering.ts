/**
 * Bindings that count their calls against the budget of the invocation.
 * @module
 */
import { countCall, currentBudget } from './budget.ts'

/** A statement that counts itself when it runs. */
class MeteredStatement implements D1PreparedStatement {
  readonly inner: D1PreparedStatement

  constructor(inner: D1PreparedStatement) {
    this.inner = inner
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new MeteredStatement(this.inner.bind(...values))
  }

  async all<T>(): Promise<D1Result<T>> {
    countQueries(1)
    return counted(await this.inner.all<T>())
  }

  async run<T>(): Promise<D1Result<T>> {
    countQueries(1)
    return counted(await this.inner.run<T>())
  }

  async first<T>(column?: string): Promise<T | null> {
    countQueries(1)
    return column === undefined ? this.inner.first<T>() : this.inner.first<T>(column)
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>
  async raw<T = unknown[]>(options?: { columnNames?: boolean }): Promise<T[] | [string[], ...T[]]> {
    countQueries(1)
    return options?.columnNames ? this.inner.raw<T>({ columnNames: true }) : this.inner.raw<T>()
  }
}

const databases = new WeakMap<object, D1Database>()

/** A database whose statements are counted. Created once per binding, so that caches keyed by database stay valid. */
export function meterDatabase(binding: D1Database): D1Database {
  const known = databases.get(binding)
  if (known) return known
  const metered = {
    prepare: (sql: string) => new MeteredStatement(binding.prepare(sql)),
    batch: <T>(statements: D1PreparedStatement[]) => batch<T>(binding, statements),
    exec: (sql: string) => {
      countQueries(1)
      return binding.exec(sql)
    },
    withSession: (constraint?: Parameters<D1Database['withSession']>[0]) => {
      const session = binding.withSession(constraint)
      return {
        prepare: (sql: string) => new MeteredStatement(session.prepare(sql)),
        batch: <T>(statements: D1PreparedStatement[]) => batch<T>(session, statements),
        getBookmark: () => session.getBookmark(),
      }
    },
  } as unknown as D1Database
  databases.set(binding, metered)
  databases.set(metered, metered)
  return metered
}

async function batch<T>(
  binding: Pick<D1Database, 'batch'>,
  statements: readonly D1PreparedStatement[],
): Promise<D1Result<T>[]> {
  countQueries(statements.length)
  const results = await binding.batch<T>(
    statements.map((statement) => (statement instanceof MeteredStatement ? statement.inner : statement)),
  )
  for (const result of results) counted(result)
  return results
}

function countQueries(statements: number): void {
  const budget = currentBudget()
  budget?.use('queries', statements)
  budget?.use('calls')
}

function counted<T>(result: D1Result<T>): D1Result<T> {
  currentBudget()?.use('rows', (result.meta.rows_read ?? 0) + (result.meta.rows_written ?? 0))
  return result
}

/** Any other binding, or an object returned by it: each method call counts, except the given ones. */
export function meter<T extends object>(binding: T, given: Readonly<Record<string, (made: object) => object>> = {}): T {
  return new Proxy(binding, {
    get(target, property) {
      const value = Reflect.get(target, property, target) as unknown
      if (typeof value !== 'function') return value
      const wrap = given[String(property)]
      return (...parameters: unknown[]) => {
        const call = () => Reflect.apply(value, target, parameters) as unknown
        if (wrap) return wrap(call() as object)
        countCall()
        return call()
      }
    },
  })
}

/** Objects of a namespace whose method calls count. Getting a stub is free. */
export function meterObjects<T extends object>(namespace: T): T {
  const stub = (made: object) => meter(made)
  const id = (made: object) => made
  return meter(namespace, { get: stub, getByName: stub, idFromName: id, idFromString: id, newUniqueId: id })
}

/** A bucket, and the multipart uploads that it returns. */
export function meterBucket(bucket: R2Bucket): R2Bucket {
  return meter(bucket, {
    resumeMultipartUpload: (made) => meter(made),
    createMultipartUpload: (made) => {
      countCall()
      return (made as Promise<R2MultipartUpload>).then((upload) => meter(upload))
    },
  })
}

/**
 * The framework of a file, from the dependencies of the nearest package manifest; undefined if there are none or
 * several.
 * @module
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Dependency name → framework, and the frameworks that each one builds on (and replaces). */
interface Ecosystem {
  languages: readonly string[]
  manifests: readonly string[]
  frameworks: Record<string, string>
  builtOn?: Record<string, readonly string[]>
  /** Whether a manifest's text names a dependency. */
  names: (manifest: string, dependency: string) => boolean
}

function inPackageJson(manifest: string, dependency: string): boolean {
  try {
    const dependencies: unknown = (JSON.parse(manifest) as { dependencies?: unknown }).dependencies
    return typeof dependencies === 'object' && dependencies !== null && Object.hasOwn(dependencies, dependency)
  } catch {
    return false
  }
}

/** Matches the name as a separate word: quoted, or at the start of a line before a version. */
function asWord(manifest: string, dependency: string): boolean {
  const name = dependency.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  return new RegExp(`(?:^|["'\\s>:/])${name}(?:$|["'\\s<=>~!\\[;,@(:])`, 'im').test(manifest)
}

const ECOSYSTEMS: readonly Ecosystem[] = [
  {
    languages: ['typescript', 'javascript', 'vue', 'svelte', 'astro', 'css', 'scss', 'html'],
    manifests: ['package.json'],
    frameworks: {
      next: 'next',
      react: 'react',
      vue: 'vue',
      nuxt: 'nuxt',
      svelte: 'svelte',
      '@sveltejs/kit': 'sveltekit',
      preact: 'preact',
      '@angular/core': 'angular',
      'solid-js': 'solid',
      astro: 'astro',
      '@remix-run/react': 'remix',
      gatsby: 'gatsby',
      express: 'express',
      fastify: 'fastify',
      hono: 'hono',
      koa: 'koa',
      '@nestjs/core': 'nestjs',
      '@hapi/hapi': 'hapi',
      electron: 'electron',
      'react-native': 'react-native',
    },
    builtOn: {
      next: ['react'],
      nuxt: ['vue'],
      sveltekit: ['svelte'],
      remix: ['react'],
      gatsby: ['react'],
      nestjs: ['express', 'fastify'],
      'react-native': ['react'],
    },
    names: inPackageJson,
  },
  {
    languages: ['python'],
    manifests: ['pyproject.toml', 'requirements.txt', 'setup.cfg', 'setup.py'],
    frameworks: {
      django: 'django',
      flask: 'flask',
      fastapi: 'fastapi',
      tornado: 'tornado',
      aiohttp: 'aiohttp',
      sanic: 'sanic',
      pyramid: 'pyramid',
    },
    names: asWord,
  },
  {
    languages: ['go'],
    manifests: ['go.mod'],
    frameworks: {
      'github.com/gin-gonic/gin': 'gin',
      'github.com/labstack/echo/v4': 'echo',
      'github.com/gofiber/fiber/v2': 'fiber',
      'github.com/go-chi/chi/v5': 'chi',
    },
    names: asWord,
  },
  {
    languages: ['rust'],
    manifests: ['Cargo.toml'],
    frameworks: {
      axum: 'axum',
      'actix-web': 'actix-web',
      rocket: 'rocket',
      warp: 'warp',
      leptos: 'leptos',
      tauri: 'tauri',
      bevy: 'bevy',
    },
    names: asWord,
  },
  {
    languages: ['java', 'kotlin', 'groovy'],
    manifests: ['pom.xml', 'build.gradle', 'build.gradle.kts'],
    frameworks: {
      'org.springframework.boot': 'spring-boot',
      'io.quarkus': 'quarkus',
      'io.micronaut': 'micronaut',
      'io.ktor': 'ktor',
    },
    names: (manifest, dependency) => manifest.includes(dependency),
  },
  {
    languages: ['ruby'],
    manifests: ['Gemfile'],
    frameworks: { rails: 'rails', sinatra: 'sinatra', hanami: 'hanami' },
    names: asWord,
  },
  {
    languages: ['php'],
    manifests: ['composer.json'],
    frameworks: { 'laravel/framework': 'laravel', 'symfony/framework-bundle': 'symfony', 'slim/slim': 'slim' },
    names: (manifest, dependency) => manifest.includes(`"${dependency}"`),
  },
]

function inManifest(ecosystem: Ecosystem, manifest: string): string | undefined {
  const found = new Set<string>()
  for (const [dependency, framework] of Object.entries(ecosystem.frameworks)) {
    if (ecosystem.names(manifest, dependency)) found.add(framework)
  }
  for (const framework of [...found]) for (const base of ecosystem.builtOn?.[framework] ?? []) found.delete(base)
  return found.size === 1 ? [...found][0] : undefined
}

/**
 * A function that returns the framework of a file. Manifests are read once.
 * @param folder - the walked folder (absolute); manifests above it are ignored
 * @returns (path relative to the folder, language name) → framework or undefined
 */
export function frameworkFinder(folder: string): (path: string, language: string) => string | undefined {
  const cache = new Map<string, string | undefined>()
  const nearest = (ecosystem: Ecosystem, directory: string): string | undefined => {
    const key = `${ecosystem.manifests[0]}\n${directory}`
    if (cache.has(key)) return cache.get(key)
    let answer: string | undefined
    let present = false
    for (const name of ecosystem.manifests) {
      try {
        const manifest = readFileSync(join(folder, directory, name), 'utf8')
        present = true
        answer ??= inManifest(ecosystem, manifest)
      } catch {
        // Not found: try the next name, then the parent directory.
      }
    }
    if (!present && directory !== '.') answer = nearest(ecosystem, dirname(directory))
    cache.set(key, answer)
    return answer
  }
  return (path, language) => {
    const ecosystem = ECOSYSTEMS.find((candidate) => candidate.languages.includes(language))
    return ecosystem ? nearest(ecosystem, dirname(path)) : undefined
  }
}

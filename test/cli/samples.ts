/**
 * Small programs in the chunker's languages, each with `filler` members so that classes and functions exceed the
 * limits.
 */

/** A sample: the file's name and its text. */
export interface Sample {
  path: string
  text: string
  /** Symbols that must be found in some chunk. */
  symbols: string[]
}

const repeat = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('')

/** One sample for each language with a syntax tree that the tests examine closely. */
export const SAMPLES: Sample[] = [
  {
    path: 'src/store.ts',
    symbols: ['Store', 'Store.get', 'Store.put', 'Options', 'open', 'Mode', 'Shape', 'Deep.nested'],
    text: `/** Keeps values under keys. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** How a store is opened. */
export interface Options {
  folder: string
}
export type Shape = { a: number } | { b: string }
export enum Mode { Read, Write }

/** A store of values – “naïve”, 日本語, 🙂. */
@sealed()
export class Store<T> extends Base {
  private readonly values = new Map<string, T>()

  /** Reads a value by its key. */
  @traced('get')
  async get(key: string): Promise<T | undefined> {
${repeat(60, (i) => `    if (key === 'k${i}') return this.values.get('value ${i}') // 🙂 ${i}\n`)}    return undefined
  }

  /** Writes a value. */
  put(key: string, value: T): void {
    this.values.set(key, value)
  }
${repeat(30, (i) => `\n  /** Counter ${i}. */\n  counter${i}(): number {\n    return ${i} + this.values.size\n  }\n`)}}

/** Opens a store. */
export const open = async (options: Options): Promise<Store<string>> => {
  return new Store(await readFile(join(options.folder, 'data')))
}

export namespace Deep {
  export function nested(): void {}
${repeat(40, (i) => `  export const entry${i} = { name: 'entry ${i}', value: ${i}, enabled: true }\n`)}}
`,
  },
  {
    path: 'lib/legacy.js',
    symbols: ['Parser.prototype.parse', 'createParser', 'Parser'],
    text: `'use strict'
const fs = require('fs')

function Parser(text) { this.text = text }

// Parses the whole text.
Parser.prototype.parse = function () {
${repeat(90, (i) => `  this.step${i} = this.text.indexOf('token ${i}') + ${i}\n`)}}

exports.createParser = (text) => new Parser(text)

describe('parser', () => {
${repeat(40, (i) => `  it('accepts token ${i}', () => {\n    expect(parse('token ${i}')).toEqual({ kind: 'token', number: ${i} })\n  })\n\n`)}})
`,
  },
  {
    path: 'pkg/models.py',
    symbols: ['User', 'User.save', 'User.full_name', 'connect', 'LIMIT'],
    text: `"""Models of the application.

More about them.
"""
from __future__ import annotations
import os

LIMIT = 10


@dataclass
class User(Base):
    """A person who may sign in."""

    name: str = ''

    @property
    def full_name(self) -> str:
        """First and last name."""
        return self.name

    def save(self):
        """Writes the user to the database."""
${repeat(80, (i) => `        self.column_${i} = compute_column(self, ${i}, default='value ${i}')\n`)}        return self


async def connect(url):
    # Opens the pool.
    return await pool(url)


if __name__ == '__main__':
    connect(os.environ['URL'])
`,
  },
  {
    path: 'server/main.go',
    symbols: ['Server.Handle', 'Server', 'New', 'Reader', 'Limit'],
    text: `// Package server answers requests.
package server

import (
	"fmt"
	"net/http"
)

const Limit = 10

// Server answers requests.
type Server[T any] struct {
	mux *http.ServeMux
}

type (
	Reader interface{ Read() }
	Writer interface{ Write() }
)

// New makes a server.
func New() *Server[int] { return &Server[int]{} }

// Handle answers one request.
func (s *Server[T]) Handle(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
${repeat(60, (i) => `	case "/path/${i}":\n		fmt.Fprintf(w, "answer number %d", ${i})\n`)}	}
}
`,
  },
  {
    path: 'src/lib.rs',
    symbols: ['Cache', 'Cache.get', 'Cache.put', 'Lookup', 'Lookup.lookup', 'helpers.clamp', 'square'],
    text: `//! A cache with a limit.
use std::collections::HashMap;

/// A cache.
#[derive(Debug, Clone)]
pub struct Cache<K, V> {
    values: HashMap<K, V>,
}

pub trait Lookup {
    fn lookup(&self, key: &str) -> Option<String>;
}

impl<K: Eq, V> Cache<K, V> {
    /// Reads a value.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    /// Writes a value.
    pub fn put(&mut self, key: K, value: V) {
${repeat(70, (i) => `        self.trace(${i}, "a step of the eviction, number ${i}");\n`)}    }
}

impl Lookup for Cache<String, String> {
    fn lookup(&self, key: &str) -> Option<String> {
        self.values.get(key).cloned()
    }
}

mod helpers {
    pub fn clamp(value: i64) -> i64 { value.max(0) }
}

macro_rules! square { ($x:expr) => { $x * $x } }
`,
  },
  {
    path: 'src/main/java/App.java',
    symbols: ['App', 'App.run', 'App.Listener', 'Point'],
    text: `package org.example;

import java.util.List;

/**
 * The application.
 * @author someone
 */
@Component
public class App extends Base {
    private final int size = 3;

    /** Starts the application. */
    @Override
    public void run(List<String> arguments) {
${repeat(70, (i) => `        register("handler number ${i}", new Handler(${i}));\n`)}    }

    App() { super(); }

    interface Listener { void called(String event); }
}

record Point(int x, int y) { }
`,
  },
]

/** A guide with nested headings, front matter, a list and a fenced block that looks like a heading. */
export const GUIDE = `---
title: Guide
---

Before the first heading.

# Guide

Welcome.

## Install

Run the installer.

\`\`\`sh
# not a heading
npm install
\`\`\`

### Linux

${repeat(30, (i) => `Paragraph ${i} explains how packages are found on the distribution number ${i}, at some length.\n\n`)}
### Windows

Use the store.

## Use

${repeat(60, (i) => `- item ${i} of a long list with enough words to fill the chunk\n`)}
Setext
------

The end.
`

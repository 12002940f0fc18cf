/**
 * What is written by hand about directives: docs/explained has a file for each module, with a section for each directive,
 * examples in fences that name their context (`nginx server`), and, where it says something, what a request comes to
 * (`Asked for`). The reference pages take the sections in; a test runs the examples.
 */
import fs from 'node:fs'
import path from 'node:path'

/** One example of a section. */
export interface Example {
  readonly directive: string
  readonly context: string
  readonly text: string
  /** A path, and the outcome that `explain` tells. */
  readonly asked: readonly (readonly [target: string, outcome: string])[]
  readonly place: string
}

const FENCE = /^```nginx (\w+)\n(.*?)^```\n((?:\nAsked for `[^`]+`: `[^`]+`\n)*)/gms
const ASKED = /^Asked for `([^`]+)`: `([^`]+)`$/gm

/** The sections by directive, of the project in `root`. */
export function explanations(root: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { text } of files(root)) {
    for (const part of text.split(/^## /m).slice(1)) {
      const end = part.indexOf('\n')
      found.set(part.slice(0, end).trim(), part.slice(end).trim())
    }
  }
  return found
}

/** All examples. */
export function examples(root: string): readonly Example[] {
  const all: Example[] = []
  for (const [directive, section] of explanations(root)) {
    for (const [, context = '', text = '', outcomes = ''] of `${section}\n`.matchAll(FENCE)) {
      const asked = [...outcomes.matchAll(ASKED)].map(([, target = '', outcome = '']) => [target, outcome] as const)
      all.push({ directive, context, text, asked, place: `${directive} ${all.length}` })
    }
  }
  return all
}

function files(root: string): { readonly text: string }[] {
  const folder = path.join(root, 'docs/explained')
  if (!fs.existsSync(folder)) return []
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.md'))
  return names.sort().map((name) => ({ text: fs.readFileSync(path.join(folder, name), 'utf8') }))
}

/** The example as a whole configuration. */
export function wholeExample({ context, text }: Pick<Example, 'context' | 'text'>): string {
  switch (context) {
    case 'main':
      return text
    case 'http':
      return `events {}\nhttp {\n${text}${/^\s*server \{/m.test(text) ? '' : 'server { listen 80; }\n'}}\n`
    case 'server':
      return `events {}\nhttp { server { listen 80; server_name example.com;\n${text}} }\n`
    case 'location':
      return `events {}\nhttp { server { listen 80; server_name example.com; location / {\n${text}} } }\n`
    default:
      throw new Error(`no example can stand in "${context}"`)
  }
}

/** The examples of docs/explained, as configurations: what requests come to is written below them (`Asked for`). */
import type { Explanations } from '../src/tools/explained.ts'
import type { DocumentedModule } from './reference-pages.ts'

/** One example of a section. */
export interface Example {
  readonly context: string
  readonly text: string
  /** A path, and the outcome that `explain` tells. */
  readonly asked: readonly (readonly [target: string, outcome: string])[]
  readonly place: string
}

const FENCE = /^```nginx (\w+)\n(.*?)^```\n((?:\nAsked for `[^`]+`: `[^`]+`\n)*)/gms
const ASKED = /^Asked for `([^`]+)`: `([^`]+)`$/gm

/** All examples. */
export function examples(modules: readonly DocumentedModule[], explained: Explanations): readonly Example[] {
  const all: Example[] = []
  for (const { name, directives } of modules) {
    for (const directive of Object.keys(directives)) {
      const section = explained.of(name, directive) ?? ''
      for (const [, context = '', text = '', outcomes = ''] of `${section}\n`.matchAll(FENCE)) {
        const asked = [...outcomes.matchAll(ASKED)].map(([, target = '', outcome = '']) => [target, outcome] as const)
        all.push({ context, text, asked, place: `${name} ${directive} ${all.length}` })
      }
    }
  }
  return all
}

/** The example as a whole configuration. */
export function wholeExample({ context, text }: Pick<Example, 'context' | 'text'>): string {
  switch (context) {
    case 'main':
      return `${text}${/^\s*events\b/m.test(text) ? '' : 'events {}\n'}${/^\s*http \{/m.test(text) ? '' : 'http { server { listen 80; } }\n'}`
    case 'http':
      return `events {}\nhttp {\n${text}${/\blisten 80\b/.test(text) ? '' : 'server { listen 80; }\n'}}\n`
    case 'server':
      return `events {}\nhttp { server { listen 80; server_name example.com;\n${text}} }\n`
    case 'location':
      return `events {}\nhttp { server { listen 80; server_name example.com; location / {\n${text}} } }\n`
    default:
      throw new Error(`no example can stand in "${context}"`)
  }
}

/**
 * Every directive that is built, against nginx's documentation (documented.json: syntax, default and contexts as nginx.org
 * and NGINX Plus have them): each documented form is accepted in each documented context, the default is the documented
 * one, and what is documented nowhere is refused: another context, a word too many, an unknown parameter.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import type { Context, Directive } from '../../src/config/directive.ts'
import { modules } from '../../src/modules/index.ts'
import { Certificates } from '../harness/certificates.ts'
import { problemsOf } from '../harness/problems.ts'
import { example, FORMS, frame, OWN_DEFAULTS, REFUSED, UPSTREAM_SERVER } from './directive-examples.ts'
import documented from './documented.json' with { type: 'json' }
import { samplesOf } from './syntax-samples.ts'

interface Documented {
  readonly name: string
  readonly syntax: readonly string[]
  readonly default: string
  readonly contexts: readonly string[]
}

const certificates = new Certificates()
after(() => fs.rmSync(certificates.dir, { recursive: true }))
const { dir } = certificates
const { cert, key } = certificates.make('a.test', { authority: true })
for (const [name, text] of Object.entries({ 'cert.pem': cert, 'key.pem': key, file: '' })) {
  fs.writeFileSync(`${dir}/${name}`, text)
}

/** What a load says is wrong. */
function problems(conf: string): string[] {
  return problemsOf(dir, conf)
    .filter(({ level }) => level === 'emerg')
    .map(({ message }) => message)
}

const declared = new Map<string, Directive<unknown>[]>()
for (const { directives } of modules) {
  for (const [name, directive] of Object.entries(directives)) {
    declared.set(name, [...(declared.get(name) ?? []), directive])
  }
}

/** The declaration that holds where a documented entry has the directive; undefined: it is not built for there. */
function declarationOf({ name, contexts }: Documented): Directive<unknown> | undefined {
  return declared.get(name)?.find((directive) => directive.in.some((context) => contexts.includes(context)))
}

function linesOf({ name, syntax, contexts }: Documented): readonly string[] {
  if (name === 'server' && contexts.includes('upstream')) return UPSTREAM_SERVER
  const forms = FORMS[name]
  if (forms !== undefined) return forms
  return syntax
    .flatMap((form) => samplesOf(form, (word) => example(name, word)))
    .map((line) => `${name} ${line}`.trim())
}

const entries: readonly Documented[] = documented
/** Where directives are tried that do not belong there. */
const CONTEXTS: readonly Context[] = ['main', 'events', 'http', 'server', 'location', 'if', 'limit_except', 'upstream']
for (const entry of entries) {
  const directive = declarationOf(entry)
  if (directive === undefined) continue
  const { name } = entry
  const isBlock = directive.kind === 'block'
  const contexts = entry.contexts.filter((context) => directive.in.some((own) => own === context))

  test(`${name} in ${contexts.join(', ')}`, () => {
    for (const context of contexts) {
      for (const line of linesOf(entry)) {
        const found = problems(frame(context, name, line, isBlock))
        const refused = REFUSED.some(([pattern]) => pattern.test(line))
        assert.equal(found.length > 0, refused, `${line} in ${context}: ${found.join('; ')}`)
      }
    }
  })
}

for (const entry of entries) {
  const directive = declarationOf(entry)
  if (directive === undefined) continue
  const { name } = entry
  const [line = name] = linesOf(entry)
  const context = entry.contexts.find((one) => directive.in.some((own) => own === one))!
  const isBlock = directive.kind === 'block'

  if (directive.default !== undefined && entry.default !== '') {
    test(`the default of ${name} in ${context}`, () => {
      // Sizes that depend on the platform are written as `4k|8k`.
      const expected = OWN_DEFAULTS[`${context} ${name}`] ?? entry.default
      assert.ok([expected, ...expected.split('|')].includes(directive.default!), `${directive.default} for ${expected}`)
    })
  }

  test(`${name} elsewhere than in ${entry.contexts.join(', ')}`, () => {
    for (const other of CONTEXTS) {
      if (declared.get(name)!.some((one) => one.in.some((own) => own === other))) continue
      const found = problems(frame(other, name, line, isBlock))
      assert.ok(
        found.some((text) => /is not allowed here|unknown directive/.test(text)),
        `${line} in ${other}: ${found.join('; ')}`,
      )
    }
  })

  const { max } = directive.args
  if (!Number.isFinite(max) || /;/.test(line)) continue
  test(`${name} with more words than it takes`, () => {
    const words = Array.from({ length: max + 1 }, (_, i) => `word${i}`).join(' ')
    const found = problems(frame(context, name, `${name} ${words}`, isBlock))
    assert.match(
      found[0] ?? '',
      /invalid number of arguments in|invalid parameter|unknown parameter|is not supported yet/,
    )
  })
}

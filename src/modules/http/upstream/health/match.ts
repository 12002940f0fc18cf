/** `match` blocks: what the answer to a health check must be like. All lines of a block must hold. */
import { raw, words } from '../../../../config/args.ts'
import { mapped } from '../../../../config/combine.ts'
import { directives, type ReadContext, type ScopeView } from '../../../../config/directive.ts'
import type { Word } from '../../../../config/source.ts'
import type { AnswerHead, Expectation } from '../../../../http/exchange/probes/http1.ts'
import { hashName } from '../../../../http/message/field-names.ts'
import { lowerAscii } from '../../../../lib/bytes.ts'
import { compilePattern, type Pattern } from '../../../../value/regex.ts'

const STATUS = 'checking status code'

/** `status`: one of the ranges, or none of them. */
interface StatusTest {
  readonly not: boolean
  readonly ranges: readonly (readonly [number, number])[]
}

/** How a text is compared; undefined: it only has to be there. */
type Comparison = { readonly equals: string } | { readonly pattern: Pattern } | undefined

/** `header`. */
interface HeaderTest {
  readonly name: string
  readonly not: boolean
  readonly comparison: Comparison
}

/** `body`. */
interface BodyTest {
  readonly not: boolean
  readonly pattern: Pattern
}

const IN = ['match'] as const

/** The directives inside `match`. */
export const matchDirectives = {
  status: directives({
    in: IN,
    args: mapped(raw('[!] code[-code] ...', { min: 1 }), readStatus),
    doc: 'The status of the answer is one of these, or with `!` none of them.',
  }),
  header: directives({
    in: IN,
    args: mapped(raw('[!] name [operator value]', { min: 1, max: 3 }), readHeader),
    doc: 'A field of the answer: is there, is not (`!`), equals (`=`, `!=`) or matches (`~`, `!~`).',
  }),
  body: directives({
    in: IN,
    args: mapped(raw('~ | !~ pattern', { min: 2, max: 2 }), readBody),
    doc: 'The first 256 KB of the body match a regular expression, or do not.',
  }),
  require: directives({
    in: IN,
    args: words('$variable'),
    doc: 'Variables that are neither empty nor 0 when the head of the answer is there.',
  }),
}

function readStatus(list: readonly Word[], _: unknown, at: ReadContext): StatusTest {
  const not = list[0]!.text === '!'
  const codes = not ? list.slice(1) : list
  if (codes.length === 0) at.fail('no status codes')
  return {
    not,
    ranges: codes.map((word): readonly [number, number] => {
      const [, first, last = first] = /^(\d{3})(?:-(\d{3}))?$/.exec(word.text) ?? []
      if (first === undefined || Number(last) < Number(first)) return at.fail(`invalid status "${word.text}"`, word)
      return [Number(first), Number(last)]
    }),
  }
}

function readHeader([first, second, third]: readonly Word[], _: unknown, at: ReadContext): HeaderTest {
  if (first!.text === '!') {
    if (second === undefined || third !== undefined) return at.fail('invalid parameters', first)
    return { name: lowerName(second), not: true, comparison: undefined }
  }
  const name = lowerName(first!)
  if (second === undefined) return { name, not: false, comparison: undefined }
  if (third === undefined) return at.fail(`invalid parameter "${second.text}"`, second)
  const not = second.text.startsWith('!')
  switch (second.text) {
    case '=':
    case '!=':
      return { name, not, comparison: { equals: third.text } }
    case '~':
    case '!~':
      return { name, not, comparison: { pattern: pattern(third, at) } }
    default:
      return at.fail(`invalid parameter "${second.text}"`, second)
  }
}

function readBody([operator, text]: readonly Word[], _: unknown, at: ReadContext): BodyTest {
  const { text: sign } = operator!
  if (sign !== '~' && sign !== '!~') return at.fail(`invalid parameter "${sign}"`, operator)
  return { not: sign === '!~', pattern: pattern(text!, at) }
}

function lowerName(word: Word): string {
  return lowerAscii(word.text)
}

function pattern(word: Word, at: ReadContext): Pattern {
  return compilePattern(word.text, { caseless: false }, (message) => at.fail(message, word))
}

/** Decides by variables whether an answer is right. */
export type Requirement = (head: AnswerHead) => boolean

/** The tests of one block; `requirement` stands for its `require` lines. */
export class MatchBlock implements Expectation {
  readonly name: string
  /** Names of the variables that must be set. */
  readonly required: readonly string[]
  readonly #status: readonly StatusTest[]
  readonly #headers: readonly (HeaderTest & { readonly hash: number })[]
  readonly #bodies: readonly BodyTest[]
  readonly #requirement: Requirement | undefined

  constructor(name: string, scope: ScopeView, requirement?: Requirement) {
    const { status, header, body, require } = scope.resolve(matchDirectives)
    this.name = name
    this.required = require.flat()
    this.#status = status
    this.#headers = header.map((test) => ({ ...test, hash: hashName(test.name) }))
    this.#bodies = body
    this.#requirement = requirement
  }

  get needsBody(): boolean {
    return this.#bodies.length > 0
  }

  get lastDoing(): string {
    return this.needsBody ? 'checking body' : STATUS
  }

  judgeHead(head: AnswerHead): string {
    if (!this.#status.every((test) => isOf(test, head.status))) return STATUS
    if (!this.#headers.every((test) => this.#holds(test, head))) return 'checking header'
    return this.#requirement === undefined || this.#requirement(head) ? '' : 'checking variables'
  }

  #holds({ hash, name, not, comparison }: HeaderTest & { readonly hash: number }, head: AnswerHead): boolean {
    const value = head.headers.joined(hash, name, ', ')
    if (comparison === undefined) return (value !== undefined) !== not
    if (value === undefined) return not
    const same = 'equals' in comparison ? value === comparison.equals : comparison.pattern.test(value)
    return same !== not
  }

  judgeBody(body: string): string {
    return this.#bodies.every(({ not, pattern: wanted }) => wanted.test(body) !== not) ? '' : 'checking body'
  }
}

function isOf({ not, ranges }: StatusTest, status: number): boolean {
  return ranges.some(([first, last]) => status >= first && status <= last) !== not
}

/** Any answer with one of these statuses will do. */
export function statusExpectation(accepts: (status: number) => boolean): Expectation {
  return {
    needsBody: false,
    lastDoing: STATUS,
    judgeHead: (head) => (accepts(head.status) ? '' : STATUS),
    judgeBody: () => '',
  }
}

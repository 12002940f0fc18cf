/**
 * The program that rewrite rules compile to (nginx's script engine): a list of operations, some with a list inside.
 * An operation answers NEXT to go on, EXIT to end the program, or the request's verdict.
 */

import type { Position } from '../../../config/source.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import { isUnsafe, mayBeUnsafe } from '../../../http/message/unsafe-uri.ts'
import { escapeUri, unescapeUri } from '../../../http/message/uri.ts'
import type { LocationConf } from '../../../http/request/location.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { trace } from '../../../http/request/trace.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { isRedirect, sendBytes, sendText } from '../../../http/response/send-text.ts'
import { DEBUG, ERROR, NOTICE } from '../../../log/error-log.ts'
import type { CapturePattern } from '../../../tree/context.ts'
import type { Template, TemplatePart } from '../../../value/template.ts'
import type { Setter } from '../../../value/variables.ts'
import type { RewriteRule } from './args.ts'

/** The program ends; the request goes on. */
const EXIT = -1
const ERROR_MIN = 400
/** `Request.version` from here on. */
const HTTP2 = 20
/** Up to this many bytes leave as text, together with the head. */
const TEXT_MAX = 4096

/** One operation. */
export interface Op {
  readonly at: Position
  run(r: Request): Verdict
}

/** The condition of an `if`. */
export interface Test {
  holds(r: Request): boolean
}

/**
 * nginx escapes captures in values until the first `rewrite` of a program took effect (its `e->quote`). A program runs
 * from its first operation to its last without a pause, so one flag does for all.
 */
let quoting = true

/** The step that runs a program. */
export function runProgram(r: Request, ops: readonly Op[]): Verdict {
  quoting = true
  const verdict = runOps(r, ops)
  return verdict === EXIT ? NEXT : verdict
}

function runOps(r: Request, ops: readonly Op[]): Verdict {
  for (let i = 0; i < ops.length; i++) {
    const verdict = ops[i]!.run(r)
    if (verdict !== NEXT) return verdict
    if (r.givenUp) return EXIT
  }
  return NEXT
}

/** `set`. */
export class SetOp implements Op {
  readonly at: Position
  readonly #set: Setter<Request>
  readonly #value: Text

  constructor(at: Position, set: Setter<Request>, value: Text) {
    this.at = at
    this.#set = set
    this.#value = value
  }

  run(r: Request): Verdict {
    const value = this.#value(r)
    if (trace !== undefined) trace.decided(r, this.at, `sets "${value}"`)
    this.#set(r, value)
    return NEXT
  }
}

/** `break`. */
export class BreakOp implements Op {
  readonly at: Position

  constructor(at: Position) {
    this.at = at
  }

  run(r: Request): Verdict {
    if (trace !== undefined) trace.decided(r, this.at, 'no more rules here')
    if (r.uriChanged) {
      r.uriChanged = false
      r.locationValid = false
    }
    return EXIT
  }
}

/** `if`: its location holds from here on, its operations follow. */
export class IfOp implements Op {
  readonly at: Position
  readonly #test: Test
  readonly #location: LocationConf
  readonly #ops: readonly Op[]

  constructor(at: Position, test: Test, location: LocationConf, ops: readonly Op[]) {
    this.at = at
    this.#test = test
    this.#location = location
    this.#ops = ops
  }

  run(r: Request): Verdict {
    const holds = this.#test.holds(r)
    if (trace !== undefined) trace.decided(r, this.at, holds ? 'holds: its settings are in force' : 'does not hold')
    if (!holds) return NEXT
    // It holds because something was not found to match.
    if (r.givenUp) return EXIT
    const { location } = r
    const next = this.#location
    r.location = location.pseudo && location.handled && !next.handled ? next.stranded! : next
    return runOps(r, this.#ops)
  }
}

/** `return`. */
export class ReturnOp implements Op {
  readonly at: Position
  readonly #status: number
  readonly #text: Text | undefined
  /** The body, when it is always the same, for those who send texts and for those who send bytes. */
  readonly #fixed: string | undefined
  readonly #bytes: Buffer | undefined

  constructor(at: Position, status: number, text: Text | undefined, constant: string | undefined) {
    this.at = at
    this.#status = status
    // An empty text is none.
    this.#text = constant === '' ? undefined : text
    this.#fixed = isRedirect(status) ? undefined : (constant ?? (text === undefined ? '' : undefined))
    this.#bytes = this.#fixed === undefined ? undefined : Buffer.from(this.#fixed, 'latin1')
  }

  run(r: Request): Verdict {
    const status = this.#status
    if (trace !== undefined) trace.decided(r, this.at, `answers ${status}`)
    if (this.#text === undefined && status >= ERROR_MIN) return status
    if (this.#bytes !== undefined) {
      const isShortText = r.version < HTTP2 && this.#bytes.length <= TEXT_MAX
      return isShortText ? sendText(r, status, this.#fixed!) : sendBytes(r, status, this.#bytes)
    }
    // The text may speak of the status.
    r.out.status = status
    return sendText(r, status, this.#text === undefined ? '' : this.#text(r))
  }
}

/** `rewrite`. */
export class RewriteOp implements Op {
  readonly at: Position
  readonly #pattern: CapturePattern
  readonly #rule: RewriteRule
  readonly #log: boolean
  readonly #path: ScriptParts
  /** What the replacement says after its first `?`; for a redirect that is part of `#path`. */
  readonly #args: ScriptParts | undefined
  readonly #hasArgs: boolean
  /** A variable could lead to where the rule has no business: see `mayBeUnsafe`. */
  readonly #guarded: boolean

  constructor(place: Position, pattern: CapturePattern, rule: RewriteRule, log: boolean, at: AttachContext) {
    this.at = place
    this.#pattern = pattern
    this.#rule = rule
    this.#log = log
    const { parts } = rule.replacement
    const [path, args] = splitAtQuestion(parts)
    const redirects = rule.status !== 0
    this.#path = compileParts(redirects ? parts : path, at)
    this.#args = redirects || args === undefined ? undefined : compileParts(args, at)
    this.#hasArgs = args !== undefined
    this.#guarded = mayBeUnsafe(rule.replacement)
  }

  run(r: Request): Verdict {
    const matches = matchAndTell(r, this.#pattern, r.uri, this.#log)
    if (trace !== undefined) trace.decided(r, this.at, `${matches ? 'matches' : 'does not match'} "${r.uri}"`)
    if (!matches) return NEXT
    const rule = this.#rule
    r.internal = true
    r.uriUnchanged = false
    if (rule.breaks) r.locationValid = false
    r.uriChanged = !rule.breaks
    quoting = false
    if (rule.status !== 0) return this.#redirect(r, rule.status)
    if (!this.#replace(r)) return 500
    if (this.#guarded && isUnsafe(r.uri)) {
      r.logError(ERROR, `unsafe URI "${r.uri}" was detected`)
      return 404
    }
    return rule.last ? EXIT : NEXT
  }

  #redirect(r: Request, status: number): Verdict {
    let target = unescapeUri(joinParts(r, this.#path, captureNeedsEscape(r)), 'redirect')
    if (this.#rule.addsArgs && r.args !== '') target += (this.#hasArgs ? '&' : '?') + r.args
    if (tells(r, this.#log)) r.logError(NOTICE, `rewritten redirect: "${target}"`)
    if (trace !== undefined) trace.decided(r, this.at, `redirects with ${status} to "${target}"`)
    r.out.location = target
    return status
  }

  #replace(r: Request): boolean {
    const uri = joinParts(r, this.#path, false)
    const { addsArgs } = this.#rule
    if (this.#args !== undefined) {
      const args = joinParts(r, this.#args, captureNeedsEscape(r))
      r.args = addsArgs && r.args !== '' ? `${args}&${r.args}` : args
    } else if (!addsArgs) {
      r.args = ''
    }
    if (tells(r, this.#log)) r.logError(NOTICE, `rewritten data: "${uri}", args: "${r.args}"`)
    if (trace !== undefined) trace.decided(r, this.at, `the URI is now "${uri}", its arguments "${r.args}"`)
    r.uri = uri
    if (uri !== '') return true
    r.logError(ERROR, 'the rewritten URI has a zero length')
    return false
  }
}

/** Matches and, with `rewrite_log`, says so; what did not match leaves no captures. */
export function matchAndTell(r: Request, pattern: CapturePattern, subject: string, log: boolean): boolean {
  const matched = r.match(pattern, subject)
  if (!matched) r.captures = undefined
  if (tells(r, log)) {
    r.logError(NOTICE, `"${pattern.pattern.source}" ${matched ? 'matches' : 'does not match'} "${subject}"`)
  }
  return matched
}

function tells(r: Request, log: boolean): boolean {
  return log || r.location.log.level >= DEBUG
}

// ---- texts with captures -------------------------------------------------------------------------

/** Literal texts, getters, and the numbers of captures. */
type ScriptParts = readonly (string | number | Text)[]

function compileParts(parts: readonly TemplatePart[], at: AttachContext): ScriptParts {
  return parts.map((part) => {
    if (typeof part === 'string') return part
    if ('capture' in part) return part.capture
    return at.text({ source: '', parts: [part], constant: undefined, at: undefined })
  })
}

/** Compiles a value of a rule: as any text, but its captures are escaped while the program says so. */
export function scriptText(template: Template, at: AttachContext): Text {
  if (!template.parts.some((part) => typeof part !== 'string' && 'capture' in part)) return at.text(template)
  const parts = compileParts(template.parts, at)
  return (r) => joinParts(r, parts, quoting && captureNeedsEscape(r))
}

function joinParts(r: Request, parts: ScriptParts, escaped: boolean): string {
  let text = ''
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (typeof part === 'string') text += part
    else if (typeof part === 'number') {
      const capture = r.captures?.[part] ?? ''
      text += escaped ? escapeUri(capture, 'args') : capture
    } else text += part(r)
  }
  return text
}

/** nginx escapes captures only when the client's own path had something that needed it (quoted_uri, plus_in_uri). */
function captureNeedsEscape(r: Request): boolean {
  if (r !== r.main) return false
  const { unparsedUri } = r
  for (let i = 0; i < unparsedUri.length; i++) {
    const byte = unparsedUri.charCodeAt(i)
    if (byte === PERCENT || byte === PLUS) return true
    if (byte === QUESTION || byte === NUMBER_SIGN) return false
  }
  return false
}
const PERCENT = 0x25
const PLUS = 0x2b
const QUESTION = 0x3f
const NUMBER_SIGN = 0x23

/** Splits at the first `?` that stands in the text itself. */
function splitAtQuestion(parts: readonly TemplatePart[]): [TemplatePart[], TemplatePart[] | undefined] {
  const at = parts.findIndex((part) => typeof part === 'string' && part.includes('?'))
  const part = parts[at]
  if (typeof part !== 'string') return [[...parts], undefined]
  const cut = part.indexOf('?')
  const before = [...parts.slice(0, at), part.slice(0, cut)].filter((p) => p !== '')
  return [before, [part.slice(cut + 1), ...parts.slice(at + 1)].filter((p) => p !== '')]
}

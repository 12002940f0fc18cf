/** Runs the checks over a loaded configuration and makes findings of what they and the server itself have to say. */
import { createHash } from 'node:crypto'
import type { Diagnostic } from '../../config/diagnostics.ts'
import type { Position } from '../../config/source.ts'
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'
import { CHECKS, LOADING } from './all.ts'
import { Allowances } from './allow.ts'
import type { Check, Details, Finding } from './check.ts'

/** Which checks run. */
export interface Selection {
  readonly only: readonly string[] | undefined
  readonly skip: readonly string[]
}

/** Returns what is found, in the order of files and lines, each once. */
export function lint(model: Model, { only, skip }: Selection): Finding[] {
  const found = new Found(model)
  for (const diagnostic of model.diagnostics.all) found.diagnostic(diagnostic)
  for (const check of CHECKS) {
    if (only !== undefined && !only.includes(check.id)) continue
    check.find(model, (at, message, details) => found.add(check, at, message, details))
  }
  const allowances = new Allowances(model)
  return found.all
    .filter(({ check }) => (only === undefined || only.includes(check.id)) && !skip.includes(check.id))
    .filter((finding) => !allowances.allow(finding))
    .sort(byPlace)
}

class Found {
  readonly all: Finding[] = []
  readonly #model: Model
  readonly #seen = new Set<string>()
  readonly #counts = new Map<string, number>()

  constructor(model: Model) {
    this.#model = model
  }

  add(check: Check, node: Node | undefined, message: string, { level = check.level, fix, word }: Details = {}): void {
    const at: Position | undefined = word ?? node?.at
    const end =
      word === undefined
        ? node && node.at.column + node.name.length
        : word.column + word.text.length + (word.quoted ? 2 : 0)
    this.#push({ check, level, message, at, end, node, fix, fingerprint: this.#fingerprint(check, node, message, at) })
  }

  /** What the server says, in its own words. */
  diagnostic(found: Diagnostic): void {
    if (found.level === 'notice') return
    const check = this.#checkFor(found)
    if (check === undefined) return
    const at = found.shown ?? found.at ?? this.#named(found.message)
    const message = found.hint === undefined ? found.message : `${found.message} (${found.hint})`
    this.#push({
      check,
      level: check.level,
      message,
      at,
      end: undefined,
      node: at && nodeAt(this.#model, at),
      fix: undefined,
      fingerprint: this.#fingerprint(check, undefined, found.message, at),
    })
  }

  /** nginx says of some mistakes only which file they are about: the word that names it. */
  #named(message: string): Position | undefined {
    const { prefix, confPrefix } = this.#model.config
    for (const [, text] of message.matchAll(/"([^"]+)"/g)) {
      for (const node of this.#model.nodes) {
        const word = node.args.find(
          (one) => one.text === text || confPrefix + one.text === text || prefix + one.text === text,
        )
        if (word !== undefined) return word
      }
    }
    return undefined
  }

  #checkFor({ level, message, hint }: Diagnostic): Check | undefined {
    const { fragment, elsewhere } = this.#model
    if (level === 'warn') return LOADING.warning
    if (message.includes('is not supported yet by Viaduct') || message.includes('not supported on this platform'))
      return LOADING.unsupported
    const isMissing =
      /failed \(\d+: |host not found|no such file|cannot load/i.test(message) &&
      !/^open\(\).*failed \(1[37]:/.test(message)
    if (isMissing) return elsewhere ? undefined : LOADING.missing
    // A part of a configuration need not have the blocks and names of the rest.
    if (
      fragment &&
      hint === undefined &&
      /unknown|not found|zone/.test(message) &&
      !message.startsWith('unknown directive')
    )
      return undefined
    return LOADING.error
  }

  #push(finding: Finding): void {
    const { check, at, message } = finding
    const key = `${check.id} ${at?.file}:${at?.line}:${at?.column} ${message}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.all.push(finding)
  }

  /** The check, the blocks around, the statement: not the line, which moves. */
  #fingerprint({ id }: Check, node: Node | undefined, message: string, at: Position | undefined): string {
    const path: string[] = []
    for (let one = node; one?.parent !== undefined; one = one.parent) path.push(one.text)
    const text = [id, at?.file.split('/').at(-1) ?? '', ...path, node === undefined ? message : ''].join('\n')
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
    const count = (this.#counts.get(hash) ?? 0) + 1
    this.#counts.set(hash, count)
    return `${hash}:${count}`
  }
}

function nodeAt(model: Model, { file, line, column }: Position): Node | undefined {
  let best: Node | undefined
  for (const node of model.nodes) {
    const { at } = node
    const { end } = node.statement
    const isBehind = at.line < line || (at.line === line && at.column <= column)
    const isOver = end.file === file && (end.line < line || (end.line === line && end.column < column))
    if (at.file === file && isBehind && !isOver) best = node
  }
  return best
}

function byPlace(a: Finding, b: Finding): number {
  if (a.at === undefined || b.at === undefined) return Number(a.at === undefined) - Number(b.at === undefined)
  if (a.at.file !== b.at.file) return a.at.file < b.at.file ? -1 : 1
  return a.at.line - b.at.line || a.at.column - b.at.column
}

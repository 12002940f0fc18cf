/**
 * Comments that allow what a check finds: `# lint: allow CHECK[, CHECK] reason` behind a statement or in the line before it
 * is for that statement and its block, `# lint: allow-file CHECK` for the file.
 */
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'
import type { Finding } from './check.ts'

const COMMENT = /#\s*lint:\s*(allow|allow-file)\s+(all|[a-z]+(?:_\w+)*(?:\s*,\s*[a-z]+(?:_\w+)*)*)/

interface FileRules {
  readonly whole: ReadonlySet<string>
  readonly lines: ReadonlyMap<number, readonly string[]>
}

/** What the comments of a configuration allow. */
export class Allowances {
  readonly #files = new Map<string, FileRules>()

  constructor(model: Model) {
    for (const { path, text } of model.config.files) if (text.includes('lint:')) this.#files.set(path, rulesOf(text))
  }

  allow({ check, at, node }: Finding): boolean {
    if (at === undefined || this.#files.size === 0) return false
    const rules = this.#files.get(at.file)
    if (rules !== undefined && (has(rules.whole, check.id) || has(rules.lines.get(at.line) ?? [], check.id)))
      return true
    for (let one: Node | undefined = node; one?.parent !== undefined; one = one.parent) {
      const { lines } = this.#files.get(one.at.file) ?? { lines: new Map<number, readonly string[]>() }
      if (has(lines.get(one.at.line) ?? [], check.id) || has(lines.get(one.statement.end.line) ?? [], check.id))
        return true
    }
    return false
  }
}

function has(ids: Iterable<string>, id: string): boolean {
  for (const one of ids) if (one === id || one === 'all') return true
  return false
}

function rulesOf(text: string): FileRules {
  const whole = new Set<string>()
  const lines = new Map<number, string[]>()
  let waiting: string[] = []
  text.split('\n').forEach((line, index) => {
    const match = COMMENT.exec(line)
    const ids = match?.[2]?.split(/\s*,\s*/) ?? []
    const isAlone = /^\s*(?:#.*)?$/.test(line)
    if (match?.[1] === 'allow-file') for (const id of ids) whole.add(id)
    else if (isAlone) waiting.push(...ids)
    else if (ids.length > 0) lines.set(index + 1, ids)
    if (isAlone) return
    if (waiting.length > 0) lines.set(index + 1, [...(lines.get(index + 1) ?? []), ...waiting])
    waiting = []
  })
  return { whole, lines }
}

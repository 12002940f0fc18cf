/** Names that a configuration gives: where they are made and where they are used. */

import type { Position, Word } from '../../config/source.ts'
import { targetIn, withoutPort } from '../lint/facts.ts'
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'

/** What a name stands for. */
export type SymbolKind = 'upstream' | 'variable' | 'zone' | 'location' | 'log_format'

/** A name in a text: `length` characters from `at` on. */
export interface Occurrence {
  readonly kind: SymbolKind
  /** In lower case where case means nothing; for a named location with the place of its server. */
  readonly key: string
  readonly name: string
  readonly at: Position
  readonly length: number
  readonly defines: boolean
  readonly node: Node
}

const ZONES = /^(?:limit_req_zone|limit_conn_zone|\w+_cache_path)$/
const ZONE_USERS = /^(?:limit_req|limit_conn|(?:proxy|fastcgi|uwsgi|scgi)_cache)$/
/** Which word of a directive is the variable that it makes. */
const MAKERS: Readonly<Record<string, number>> = {
  set: 0,
  auth_request_set: 0,
  map: 1,
  num_map: 1,
  split_clients: 1,
  geo: -1,
}

/** Lists all names of a configuration. `lineOf` gives the text of a line. */
export function occurrences(model: Model, lineOf: (at: Position) => string): Occurrence[] {
  const finder = new Finder(lineOf)
  for (const node of model.nodes) finder.statement(node)
  return finder.all
}

class Finder {
  readonly all: Occurrence[] = []
  readonly #lineOf: (at: Position) => string

  constructor(lineOf: (at: Position) => string) {
    this.#lineOf = lineOf
  }

  statement(node: Node): void {
    this.#upstreams(node)
    this.#zones(node)
    this.#locations(node)
    this.#formats(node)
    const maker = MAKERS[node.name]
    const made = maker === undefined || node.isEntry ? undefined : node.args.at(maker)
    for (const word of node.isEntry ? [node.statement.name, ...node.args] : node.args) {
      for (const match of word.text.matchAll(/\$(?:\{(\w+)\}|([a-z_]\w*))/gi)) {
        const name = match[1] ?? match[2]!
        this.#add('variable', name.toLowerCase(), name, word, match[0], word === made, node)
      }
      // Named groups of regular expressions.
      for (const [text, name] of word.text.matchAll(/\(\?P?[<'](\w+)[>']/g))
        this.#add('variable', name!.toLowerCase(), name!, word, text, true, node)
    }
  }

  #upstreams(node: Node): void {
    const [word] = node.args
    if (word === undefined) return
    if (node.name === 'upstream') this.#add('upstream', word.text.toLowerCase(), word.text, word, word.text, true, node)
    if (!/_pass$/.test(node.name)) return
    const host = withoutPort(targetIn(word.text)?.host ?? word.text)
    if (/^[\w.-]+$/.test(host)) this.#add('upstream', host.toLowerCase(), host, word, host, false, node)
  }

  #zones(node: Node): void {
    if (!ZONES.test(node.name) && !ZONE_USERS.test(node.name)) return
    for (const word of node.args) {
      const named = /^(?:keys_)?zone=([^:]+)/.exec(word.text)?.[1]
      const first =
        word === node.args[0] && ZONE_USERS.test(node.name) && node.name !== 'limit_req' ? word.text : undefined
      const name = named ?? first
      if (name !== undefined && name !== 'off' && !name.includes('$'))
        this.#add('zone', name, name, word, name, ZONES.test(node.name), node)
    }
  }

  #locations(node: Node): void {
    for (const word of node.args) {
      if (!/^@\w/.test(word.text) || !/^(?:location|try_files|error_page|internal_redirect)$/.test(node.name)) continue
      const server = node.up('server')
      const key = `${word.text} ${server?.at.file}:${server?.at.line}`
      this.#add('location', key, word.text, word, word.text, node.name === 'location', node)
    }
  }

  #formats(node: Node): void {
    const word = node.name === 'log_format' ? node.args[0] : node.name === 'access_log' ? node.args[1] : undefined
    if (word === undefined || word.text.includes('=')) return
    this.#add('log_format', word.text, word.text, word, word.text, node.name === 'log_format', node)
  }

  /** `shown` is the text in the word that has the name; escapes before it may have moved it. */
  #add(kind: SymbolKind, key: string, name: string, word: Word, shown: string, defines: boolean, node: Node): void {
    const line = this.#lineOf(word)
    const start = line.indexOf(shown, word.column - 1)
    if (start < 0) return
    const column = start + shown.indexOf(name) + 1
    const known = this.all.some(
      (one) => one.at.file === word.file && one.at.line === word.line && one.at.column === column,
    )
    if (!known)
      this.all.push({
        kind,
        key,
        name,
        at: { file: word.file, line: word.line, column },
        length: name.length,
        defines,
        node,
      })
  }
}

/** What `viaduct explain` says of a location, by a process of its own: it compiles the whole configuration. */
import { execFile } from 'node:child_process'
import { headOf, namesOf } from '../lint/facts.ts'
import type { Node } from '../model/node.ts'

const TIMEOUT_MS = 20_000

/** A URL that leads to a location; undefined for patterns and names. */
export function exampleUrl(node: Node): string | undefined {
  const head = headOf(node)
  const server = node.up('server')
  if (head === undefined || server === undefined || head.kind === 'regex' || head.kind === 'named') return undefined
  const listen = server.own('listen')[0]
  const scheme = listen?.words.includes('ssl') === true ? 'https' : 'http'
  const port = /(?:^|:)(\d+)$/.exec(listen?.first ?? '')?.[1]
  const name =
    namesOf(server).find(({ kind, text }) => kind === 'exact' && /^[\w.-]+$/.test(text) && text !== '_')?.text ??
    'localhost'
  const isUsual = port === undefined || port === (scheme === 'https' ? '443' : '80')
  return `${scheme}://${name}${isUsual ? '' : `:${port}`}${head.name}`
}

/** Runs the tool; what it says when it cannot run is an answer, too. */
export function explain(conf: string, url: string): Promise<{ readonly text: string }> {
  const words = [...process.execArgv, process.argv[1]!, 'explain', '-c', conf, url]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      words,
      { timeout: TIMEOUT_MS, env: { ...process.env, NO_COLOR: '1' } },
      (_error, stdout, stderr) => {
        resolve({ text: stdout === '' ? stderr : stdout })
      },
    )
  })
}

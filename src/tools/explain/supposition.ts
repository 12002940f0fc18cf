/** What is supposed of back ends: what each attempt in turn comes to. The last one holds for all that follow. */
import { ToolFailure } from '../frame/tool.ts'

/** A response as it is to be supposed. */
export interface Supposed {
  readonly status: number
  /** Fields beside Content-Length. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** How an attempt may fail, with the words that nginx has for it and what a report says. */
export const FAILURES = {
  refused: { condition: 'error', text: 'it refuses the connection' },
  'connect-timeout': { condition: 'timeout', text: 'the connection does not come about' },
  timeout: { condition: 'timeout', text: 'it takes the request and is silent' },
  reset: { condition: 'error', text: 'it closes the connection without an answer' },
  invalid: { condition: 'invalid_header', text: 'it answers with nonsense' },
} as const
/** One of them. */
export type Failure = keyof typeof FAILURES

/** What attempts come to, in their order. */
export type Supposition = readonly (Supposed | Failure)[]

/** The `n`th attempt, from 0. */
export function attemptOf(supposition: Supposition, n: number): Supposed | Failure {
  return supposition[Math.min(n, supposition.length - 1)]!
}

/** The condition of `proxy_next_upstream` and `proxy_cache_use_stale` that an attempt meets; empty: it is no failure. */
export function conditionOf(attempt: Supposed | Failure): string {
  if (typeof attempt === 'string') return FAILURES[attempt].condition
  return attempt.status >= 400 ? `http_${attempt.status}` : ''
}

/** Reads `--status`: statuses and names of failures, by commas. */
export function readSupposition(text: string, answer: Omit<Supposed, 'status'>): Supposition {
  return text.split(',').map((word) => {
    if (isFailure(word)) return word
    const status = Number(word)
    if (/^\d{3}$/.test(word) && status >= 200 && status <= 599) return { ...answer, status }
    throw new ToolFailure(
      `--status takes statuses from 200 to 599 and ${Object.keys(FAILURES).join(', ')}, not "${word}"`,
      'for several attempts: --status timeout,200',
    )
  })
}

function isFailure(word: string): word is Failure {
  return Object.hasOwn(FAILURES, word)
}

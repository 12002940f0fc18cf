/** Requests to the API, with what can go wrong as a value. */

/** Where the API is, as the server has said. */
const BASE = document.querySelector('meta[name="api"]')?.getAttribute('content') ?? '/api/'
const TIMEOUT_MS = 8000
/** The first request may wait for somebody who logs in, which the browser asks for. */
let answered = false

/** Why there is no answer. */
export type Trouble = 'away' | 'unauthorized' | 'forbidden' | 'missing' | 'broken'

export type Outcome<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly trouble: Trouble; readonly text: string }

/** The path of the API, for messages. */
export const apiPath: string = BASE

/** Asks for several resources at once; what the API does not have is not among the answers. */
export async function getMany(paths: readonly string[]): Promise<Outcome<ReadonlyMap<string, unknown>>> {
  const query = paths.map((path) => `of=${encodeURIComponent(path)}`).join('&')
  const outcome = await call<Readonly<Record<string, object>>>('GET', `viaduct/many?${query}`)
  if (!outcome.ok) return outcome
  return { ok: true, data: new Map(Object.entries(outcome.data).filter(([, answer]) => !('error' in answer))) }
}

/** Changes a server of a group. */
export function changeServer(group: string, id: number, change: object): Promise<Outcome<unknown>> {
  return call('PATCH', `9/http/upstreams/${encodeURIComponent(group)}/servers/${id}`, change)
}

/** Adds a server to a group. */
export function addServer(group: string, server: object): Promise<Outcome<unknown>> {
  return call('POST', `9/http/upstreams/${encodeURIComponent(group)}/servers`, server)
}

/** Removes a server from its group. */
export function removeServer(group: string, id: number): Promise<Outcome<unknown>> {
  return call('DELETE', `9/http/upstreams/${encodeURIComponent(group)}/servers/${id}`)
}

async function call<T>(method: string, path: string, body?: object): Promise<Outcome<T>> {
  try {
    const response = await fetch(BASE + path, {
      method,
      cache: 'no-store',
      ...(answered ? { signal: AbortSignal.timeout(TIMEOUT_MS) } : {}),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    })
    const text = await response.text()
    answered ||= response.ok
    if (response.ok) return { ok: true, data: (text === '' ? undefined : JSON.parse(text)) as T } // as docs/API.md has it
    return { ok: false, trouble: troubleOf(response.status), text: messageIn(text) ?? `status ${response.status}` }
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    const trouble = name === 'SyntaxError' ? 'broken' : 'away'
    return { ok: false, trouble, text: name === 'TimeoutError' ? 'no answer in time' : 'no connection' }
  }
}

function troubleOf(status: number): Trouble {
  switch (status) {
    case 401:
      return 'unauthorized'
    case 403:
      return 'forbidden'
    case 404:
      return 'missing'
    default:
      return status >= 500 ? 'away' : 'broken'
  }
}

function messageIn(text: string): string | undefined {
  try {
    const answer = JSON.parse(text) as { readonly error?: { readonly text?: string } }
    return answer.error?.text
  } catch {
    return undefined
  }
}

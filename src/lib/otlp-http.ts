/** Traces by OTLP over HTTP: each message is posted as protobuf. */
import { shownText } from './otlp.ts'
import { type Trust, type WebClient, webClient } from './web-client.ts'

/** Posts messages to one address. */
export class OtlpPoster {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #trust: Trust
  #ask: WebClient | undefined

  constructor(url: string, fields: readonly (readonly [name: string, value: string])[], trust: Trust) {
    this.#url = url
    this.#headers = { ...Object.fromEntries(fields), 'content-type': 'application/x-protobuf' }
    this.#trust = trust
  }

  /** Posts a message and tells `done` what is wrong, or nothing. */
  post(message: Buffer, done: (problem: string) => void): void {
    this.#post(message).then(done, (error: unknown) => done(error instanceof Error ? error.message : 'it failed'))
  }

  async #post(message: Buffer): Promise<string> {
    this.#ask ??= webClient(this.#trust)
    const headers = { ...this.#headers, 'content-length': String(message.length) }
    const { status } = await this.#ask(this.#url, { method: 'POST', headers, body: message })
    return status >= 200 && status < 300 ? '' : shownText(`the answer has the HTTP status ${status}`)
  }
}

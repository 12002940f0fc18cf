/** Colours for terminals; without them every method returns its text. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const

/** Paints texts, or leaves them. */
export class Paint {
  readonly #on: boolean

  constructor(on: boolean) {
    this.#on = on
  }

  bold(text: string): string {
    return this.of('bold', text)
  }

  dim(text: string): string {
    return this.of('dim', text)
  }

  of(colour: keyof typeof CODES, text: string): string {
    return this.#on ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text
  }
}

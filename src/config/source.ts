/** Where a piece of configuration stands: every word, statement and diagnostic carries one of these. */

export interface Position {
  readonly file: string
  /** One-based. */
  readonly line: number
  /** One-based, in characters. */
  readonly column: number
}

/** One word of a directive after unquoting and unescaping. */
export interface Word extends Position {
  readonly text: string
  /** True when the word was written in single or double quotes. */
  readonly quoted: boolean
}

/** A directive as written: its name, its arguments and, when it opens one, its block. */
export interface Statement {
  readonly name: Word
  readonly args: readonly Word[]
  readonly block: readonly Statement[] | undefined
  /** Where its `;` or `{` stands: nginx reports errors with this line. */
  readonly end: Position
}

/** Where a piece of configuration stands: every word, statement and diagnostic carries one of these. */

import type { LateBlock } from './late.ts'

/** A place in a configuration file, which need not exist: `-g` has one too. */
export interface Position {
  readonly file: string
  /** One-based. */
  readonly line: number
  /** One-based, in characters. */
  readonly column: number
  /** Set on the end of a statement: where the statement begins, which is what a person wants to be shown. */
  readonly from?: Position
}

/** The `file` of everything that was given with `-g`; nginx reports it as `in command line`. */
export const COMMAND_LINE = '<command line>'

/** One word of a directive after unquoting and unescaping. */
export interface Word extends Position {
  readonly text: string
  /** True when the word was written in single or double quotes. */
  readonly quoted: boolean
  /** For the value of a `key=value` parameter: the whole parameter as written. */
  readonly whole?: string
}

/** A directive as written: its name, its arguments and, when it opens one, its block. */
export interface Statement {
  readonly name: Word
  readonly args: readonly Word[]
  readonly block: readonly Statement[] | undefined
  /** Where its `;` or `{` stands: nginx reports errors with this line. */
  readonly end: Position
  /** Where the `}` of its block stands, when that was found. */
  readonly close?: Position
  /**
   * What is wrong with the statement as written (grammar, a missing include), reported at `end`. Such a statement has
   * no meaning besides its fault; the rest of its file was not read when the grammar was at fault.
   */
  readonly fault?: string
  /** What probably led to the fault. */
  readonly hint?: string | undefined
  /** For a block that is read later; `block` is empty then. */
  readonly late?: LateBlock
}

/** What a check of `viaduct lint` is, and what it finds. */
import type { Position, Word } from '../../config/source.ts'
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'

/** How much a finding matters. */
export type Level = 'high' | 'medium' | 'low' | 'info'

/** All levels, the gravest first. */
export const LEVELS: readonly Level[] = ['high', 'medium', 'low', 'info']

/** One change of the text. */
export type Edit =
  | { readonly kind: 'replace'; readonly word: Word; readonly text: string }
  /** Words at the end of a statement, or a line behind it. */
  | { readonly kind: 'words' | 'line'; readonly node: Node; readonly text: string }
  | { readonly kind: 'remove'; readonly node: Node }

/** What certainly mends a finding. */
export interface Fix {
  /** `add "default_server"`. */
  readonly what: string
  readonly edits: readonly Edit[]
}

/** Optional parts of a finding. */
export interface Details {
  readonly level?: Level
  readonly fix?: Fix
  /** The word that it is about. */
  readonly word?: Word | undefined
}

/** Takes a finding: a statement (undefined: nowhere in particular) and a sentence about it. */
export type Report = (at: Node | undefined, message: string, details?: Details) => void

/** A check, with what its page says about it. */
export interface Check {
  /** Never changes: suppressions and baselines name it. */
  readonly id: string
  readonly level: Level
  readonly title: string
  /** What happens to who has it, and what to do. */
  readonly why: string
  readonly advice: string
  /** Found in this, and not in that; both are tested. */
  readonly bad: string
  readonly good: string
  find(model: Model, report: Report): void
}

/** A finding as reports show it. */
export interface Finding {
  readonly check: Check
  readonly level: Level
  readonly message: string
  readonly at: Position | undefined
  /** Where it ends, when that is known: the last column of the same line. */
  readonly end: number | undefined
  readonly node: Node | undefined
  readonly fix: Fix | undefined
  /** Stays the same when lines move. */
  readonly fingerprint: string
}

/** Names of variables as arguments of directives. */
import type { Args, ReadContext } from '../config/directive.ts'
import type { Word } from '../config/source.ts'
import { readTemplate, type Template } from './template.ts'

/** The name in `$name`; anything else is refused in nginx's words. */
export function variableName(word: Word, at: ReadContext): string {
  return /^\$./s.test(word.text) ? word.text.slice(1) : at.fail(`invalid variable name "${word.text}"`, word)
}

/** A variable, and the text that it is made of. */
export interface DerivedVariable {
  readonly source: Template
  readonly variable: string
}

/** The words of blocks that make a variable of a text: `map`, `split_clients`. */
export const derivedVariable: Args<DerivedVariable> = {
  syntax: 'string $variable',
  min: 2,
  max: 2,
  read([source, name], at) {
    const template = readTemplate(source!, at)
    return { source: template, variable: variableName(name!, at) }
  },
}

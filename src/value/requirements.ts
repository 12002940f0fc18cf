/** `$value ... [error=code]`: values that must all be there and not `0` (`auth_jwt_require`, `auth_require`). */
import type { Args } from '../config/directive.ts'
import { readTemplate, type Template } from './template.ts'
import { isTrue } from './truth.ts'
import type { Text } from './variables.ts'

/** What one directive demands. */
export interface Requirement {
  readonly values: readonly Template[]
  readonly error: number
}

/** The same, compiled. */
export interface Demand<R> {
  readonly values: readonly Text<R>[]
  readonly error: number
}

/** Reads the words; the error is the default's unless it is told, and must be one that `allows` takes. */
export function requirement(
  syntax: string,
  errorDefault: number,
  allows: (error: number) => boolean,
): Args<Requirement> {
  return {
    syntax,
    min: 1,
    max: Number.POSITIVE_INFINITY,
    read(words, at) {
      const values: Template[] = []
      let error = errorDefault
      for (const word of words) {
        if (word.text.startsWith('error=')) {
          error = Number(word.text.slice('error='.length))
          if (!Number.isInteger(error) || !allows(error)) at.fail(`invalid parameter "${word.text}"`, word)
        } else if (word.text.startsWith('$')) values.push(readTemplate(word, at))
        else at.fail(`invalid value "${word.text}"`, word, 'a value begins with a variable')
      }
      if (values.length === 0) at.fail(`invalid number of arguments in "${at.directive.text}" directive`)
      return { values, error }
    },
  }
}

/** Compiles what a list of directives demands. */
export function demands<R>(list: readonly Requirement[], text: (value: Template) => Text<R>): Demand<R>[] {
  return list.map(({ values, error }) => ({ values: values.map(text), error }))
}

/** The error of the first demand that is not met, or 0. */
export function unmet<R>(r: R, list: readonly Demand<R>[]): number {
  for (let i = 0; i < list.length; i++) {
    const { values, error } = list[i]!
    for (let n = 0; n < values.length; n++) if (!isTrue(values[n]!(r))) return error
  }
  return 0
}

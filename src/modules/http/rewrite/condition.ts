/** The conditions of `if`, compiled. */

import type { AttachContext } from '../../../http/compile/module.ts'
import type { Getter, Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { failureText, isMissing, testFile } from '../../../http/response/open-file.ts'
import { statPath } from '../../../lib/file-status.ts'
import { CRIT } from '../../../log/error-log.ts'
import type { CapturePattern } from '../../../tree/context.ts'
import { isTrue } from '../../../value/truth.ts'
import type { Condition, FileTest } from './args.ts'
import { matchAndTell, scriptText, type Test } from './program.ts'

/** Compiles a condition; `log` is `rewrite_log`. */
export function compileCondition(condition: Condition, log: boolean, at: AttachContext): Test {
  switch (condition.kind) {
    case 'true':
      return new TrueTest(at.variable(condition.variable))
    case 'equal':
      return new EqualTest(at.variable(condition.variable), scriptText(condition.value, at), condition.negated)
    case 'regex':
      return new RegexTest(at.variable(condition.variable), at.pattern(condition.pattern), condition.negated, log)
    case 'file':
      return new FileCondition(condition.test, scriptText(condition.path, at), condition.negated)
  }
}

class TrueTest implements Test {
  readonly #get: Getter

  constructor(get: Getter) {
    this.#get = get
  }

  holds(r: Request): boolean {
    return isTrue(this.#get(r))
  }
}

class EqualTest implements Test {
  readonly #get: Getter
  readonly #value: Text
  readonly #negated: boolean

  constructor(get: Getter, value: Text, negated: boolean) {
    this.#get = get
    this.#value = value
    this.#negated = negated
  }

  holds(r: Request): boolean {
    return ((this.#get(r) ?? '') === this.#value(r)) !== this.#negated
  }
}

class RegexTest implements Test {
  readonly #get: Getter
  readonly #pattern: CapturePattern
  readonly #negated: boolean
  readonly #log: boolean

  constructor(get: Getter, pattern: CapturePattern, negated: boolean, log: boolean) {
    this.#get = get
    this.#pattern = pattern
    this.#negated = negated
    this.#log = log
  }

  holds(r: Request): boolean {
    return matchAndTell(r, this.#pattern, this.#get(r) ?? '', this.#log) !== this.#negated
  }
}

class FileCondition implements Test {
  readonly #test: FileTest
  readonly #path: Text
  readonly #negated: boolean

  constructor(test: FileTest, path: Text, negated: boolean) {
    this.#test = test
    this.#path = path
    this.#negated = negated
  }

  holds(r: Request): boolean {
    const path = this.#path(r)
    const entry = testFile(r, path)
    if (entry.error !== '') {
      if (!isMissing(entry)) r.logError(CRIT, failureText(entry))
      return this.#negated
    }
    switch (this.#test) {
      case 'f':
        return entry.isFile !== this.#negated
      case 'd':
        return entry.isFolder !== this.#negated
      case 'e':
        return (entry.isFile || entry.isFolder) !== this.#negated
      case 'x':
        return ownerExecutes(path) !== this.#negated
    }
  }
}

function ownerExecutes(path: string): boolean {
  const stats = statPath(path)
  return typeof stats !== 'string' && (stats.mode & OWNER_EXECUTES) !== 0
}
const OWNER_EXECUTES = 0o100

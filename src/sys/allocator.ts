/**
 * The C library's allocator. It keeps what was freed, for each thread that ever asked: V8 compiles in threads of its own, and
 * after a start that is a third of the memory of the process.
 */
import { whyNoCalls } from './calls.ts'
import { foreigner } from './foreign.ts'

let trim: ((keep: number) => unknown) | undefined
let asked = false

/** Gives free memory of all threads back to the system, where the C library can be asked to (glibc); takes milliseconds. */
export function trimAllocator(): void {
  if (!asked) {
    asked = true
    trim = find()
  }
  trim?.(0)
}

function find(): typeof trim {
  if (whyNoCalls() !== '') return undefined
  const c = foreigner()
  if (typeof c === 'string') return undefined
  // tidy: other C libraries have no such function, and there is nothing to do then
  try {
    return c.func('malloc_trim', 'int32_t', ['int64_t'])
  } catch {
    return undefined
  }
}

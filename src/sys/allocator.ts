/**
 * The C library's allocator. It keeps what was freed, for each thread that ever asked: V8 compiles in threads of its own, and
 * after a start that is a third of the memory of the process.
 */
import { whyNoCalls } from './calls.ts'
import { declared } from './foreign.ts'

/** Other C libraries have no such function, and there is nothing to do then. */
const trimmer = declared(whyNoCalls, (c) => c.func('malloc_trim', 'int32_t', ['int64_t']))

/** Gives free memory of all threads back to the system, where the C library can be asked to (glibc); takes milliseconds. */
export function trimAllocator(): void {
  const trim = trimmer()
  if (typeof trim !== 'string') trim(0)
}

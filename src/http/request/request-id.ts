/** `$request_id`. */
import { randomId } from '../../lib/random.ts'
import type { Request } from './request.ts'

/** Returns 32 random hexadecimal digits, which are made when they are first asked for; subrequests have the same. */
export function requestId({ main }: Request): string {
  if (main.id === '') main.id = randomId()
  return main.id
}

/** `queue`: requests wait for a server when none can take them, instead of being refused. */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { directive, type ScopeView } from '../../../config/directive.ts'
import { parseMilliseconds, parseNumber } from '../../../config/units.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { RequestQueue } from '../../../upstream/queue.ts'

const TIMEOUT_MS = 60_000

/** The directives of this part; they stand inside `upstream`. */
export const queueDirectives = {
  queue: directive({
    in: ['upstream'],
    args: mapped(raw('number [timeout=time]', { min: 1, max: 2 }), ([number, timeout], _, at) => {
      const max = parseNumber(number!.text)
      if (!max) return at.fail(`invalid value "${number!.text}" in "queue" directive`, number)
      if (timeout === undefined) return { max, timeoutMs: TIMEOUT_MS }
      const ms = timeout.text.startsWith('timeout=') ? parseMilliseconds(timeout.text.slice(8)) : undefined
      return ms === undefined ? at.fail(`invalid parameter "${timeout.text}"`, timeout) : { max, timeoutMs: ms }
    }),
    doc: 'How many requests of a worker may wait for a server when none can take them, and for how long (60s).',
  }),
}

/** Gives a group its queue, if it has one. */
export function attachQueue(group: PeerGroup, scope: ScopeView): void {
  const { queue } = scope.resolve(queueDirectives)
  if (queue !== undefined) group.queue = new RequestQueue(queue.max, queue.timeoutMs)
}

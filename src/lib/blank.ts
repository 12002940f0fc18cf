/** Lists by number, most places of which are empty most of the time: what modules know of a request, values of variables. */

/** Longer ones are not worth the time to go through them. */
const KEPT_MAX = 64

/**
 * Forgets what is in a list and keeps its room. One whose length is set to 0 loses that, and grows anew with the first entry,
 * which costs more than all else that is done with it.
 */
export function blank(list: unknown[]): void {
  if (list.length > KEPT_MAX) list.length = 0
  else for (let i = 0; i < list.length; i++) list[i] = undefined
}

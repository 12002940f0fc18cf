/** The memory of a ring: what the kernel keeps beyond a call, in one piece that never moves. */
import type { Calls, Mapping } from '../sys/calls.ts'

/**
 * One piece of input; the kernel takes one for each. It may fill 33 of them for one connection before anybody can stop it, so
 * what a connection can be given that nobody wants is bounded by their size. Older kernels fill all that there are, and are
 * asked for one at a time.
 */
export const INPUT_SIZE = 4096

/** How large a ring is; tests want small ones. */
export interface RingSizes {
  /** Powers of two. */
  readonly entries: number
  readonly completions: number
  readonly inputs: number
  readonly output: number
  /** Input is asked for piece by piece, as of an older kernel. */
  readonly pieceByPiece?: boolean
}

/** Maps memory whose addresses have the upper half in common, so that the lower one is added up without a carry. */
export function mapWithin(calls: Calls, size: number): Mapping | number {
  const first = calls.map(size, -1, 0)
  if (typeof first === 'number' || (first.address % 2 ** 32) + size <= 2 ** 32) return first
  const second = calls.map(size, -1, 0)
  calls.unmap(first.address, size)
  return second
}

/** Where things lie in the memory of a ring. */
export function layoutOf({ inputs, output }: RingSizes): {
  readonly inputRing: number
  readonly inputs: number
  readonly output: number
  readonly size: number
} {
  const inputRing = 4096
  const inputsAt = inputRing + Math.max(4096, inputs * 16)
  const outputAt = inputsAt + inputs * INPUT_SIZE
  return { inputRing, inputs: inputsAt, output: outputAt, size: outputAt + output }
}

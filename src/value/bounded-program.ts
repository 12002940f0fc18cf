/**
 * From the tree of an expression to the program that the bounded matcher runs: numbers in one array, an operation and its
 * operands each. What looks behind is compiled to run backwards, as JavaScript defines it.
 */
import type { Node, Repeat } from './bounded-parse.ts'

/** Success. */
export const MATCH = 0
/** set: one character. Then the same backwards. */
export const SET = 1
export const SET_BACK = 2
/** to. */
export const JUMP = 3
/** first, second. */
export const SPLIT = 4
/** register. */
export const SAVE = 5
/** start register, end register, where the other side was saved: the group is complete. */
export const CLOSE = 6
/** list, step. */
export const AGAIN = 7
export const START = 8
export const END = 9
/** 1 for a boundary, 0 for none. */
export const BOUNDARY = 10
/** negated, body, to. */
export const LOOK = 11
/** set, min, max, lazy, step: a set repeated. */
export const RUN = 12
/** counter: a loop begins. */
export const LOOP = 13
/** counter, min, max, lazy, to behind the loop; ENTER follows. */
export const ROUND = 14
/** counter, register of the position, first group, last group. */
export const ENTER = 15
/** counter, register of the position, min, to ROUND, to behind the loop. */
export const AGAIN_ROUND = 16
export const FAIL = 17

/** No limit on repetitions. */
export const NO_MAX = 0x7fffffff

/** A program; `registers` begin with the starts and ends of the groups. */
export interface Program {
  readonly code: Int32Array
  readonly sets: readonly Uint8Array[]
  readonly lists: readonly (readonly number[])[]
  readonly registers: number
  readonly groupCount: number
  /** Every match begins at the start of the subject. */
  readonly anchored: boolean
}

/** Compiles a tree. */
export function compileProgram(tree: Node, groupCount: number): Program {
  const compiler = new Compiler(groupCount)
  compiler.emit(tree, 1)
  compiler.code.push(MATCH)
  const { code, sets, lists, registers } = compiler
  return { code: Int32Array.from(code), sets, lists, registers, groupCount, anchored: isAnchored(tree) }
}

function isAnchored(node: Node): boolean {
  if (node.kind === 'assert') return node.what === '^'
  if (node.kind === 'group') return isAnchored(node.body)
  if (node.kind === 'choice') return node.branches.every(isAnchored)
  if (node.kind !== 'sequence') return false
  const first = node.items.find((item) => item.kind !== 'look')
  return first !== undefined && isAnchored(first)
}

class Compiler {
  readonly code: number[] = []
  readonly sets: Uint8Array[] = []
  readonly lists: (readonly number[])[] = []
  registers: number

  constructor(groupCount: number) {
    this.registers = 2 * (groupCount + 1)
  }

  /** `step` is 1, or -1 for what runs backwards. */
  emit(node: Node, step: number): void {
    const { code } = this
    switch (node.kind) {
      case 'set':
        code.push(step > 0 ? SET : SET_BACK, this.sets.push(node.set) - 1)
        break
      case 'sequence':
        for (const item of step > 0 ? node.items : node.items.toReversed()) this.emit(item, step)
        break
      case 'choice':
        this.#choice(node.branches, step)
        break
      case 'group':
        this.#group(node.number, node.body, step)
        break
      case 'look':
        this.#look(node, step)
        break
      case 'again':
        code.push(AGAIN, this.lists.push(node.groups) - 1, step)
        break
      case 'assert':
        if (node.what === '^') code.push(START)
        else if (node.what === '$') code.push(END)
        else code.push(BOUNDARY, node.what === '\\b' ? 1 : 0)
        break
      case 'repeat':
        if (node.body.kind === 'set') this.#run(node, node.body.set, step)
        else this.#loop(node, step)
    }
  }

  #choice(branches: readonly Node[], step: number): void {
    const { code } = this
    const ends: number[] = []
    branches.forEach((branch, i) => {
      const last = i === branches.length - 1
      const split = code.length
      if (!last) code.push(SPLIT, split + 3, 0)
      this.emit(branch, step)
      if (last) return
      ends.push(code.length + 1)
      code.push(JUMP, 0)
      code[split + 2] = code.length
    })
    for (const at of ends) code[at] = code.length
  }

  #group(number: number, body: Node, step: number): void {
    const begun = this.registers++
    this.code.push(SAVE, begun)
    this.emit(body, step)
    if (step > 0) this.code.push(CLOSE, 2 * number, 2 * number + 1, begun)
    else this.code.push(CLOSE, 2 * number + 1, 2 * number, begun)
  }

  #look({ ahead, negated, body }: Node & { readonly kind: 'look' }, _step: number): void {
    const { code } = this
    const at = code.length
    code.push(LOOK, negated ? 1 : 0, at + 4, 0)
    this.emit(body, ahead ? 1 : -1)
    code.push(MATCH)
    code[at + 3] = code.length
  }

  #run({ min, max, lazy }: Repeat, set: Uint8Array, step: number): void {
    this.code.push(RUN, this.sets.push(set) - 1, limit(min), limit(max), lazy ? 1 : 0, step)
  }

  #loop({ body, min, max, lazy, first, last }: Repeat, step: number): void {
    const { code } = this
    if (max === 0) return
    const counter = this.registers++
    const position = this.registers++
    code.push(LOOP, counter)
    const round = code.length
    code.push(ROUND, counter, limit(min), limit(max), lazy ? 1 : 0, 0)
    code.push(ENTER, counter, position, first, last)
    this.emit(body, step)
    code.push(AGAIN_ROUND, counter, position, limit(min), round, 0)
    code[round + 5] = code[code.length - 1] = code.length
  }
}

function limit(count: number): number {
  return Math.min(count, NO_MAX)
}

/**
 * Matches by backtracking, with a limit on how often: for patterns that V8's linear engine does not take, and whose time
 * would have no bound in its other one. PCRE has such a limit, too (match_limit), and counts much the same.
 *
 * Where JavaScript and PCRE differ it can do either: `PCRE` remembers a group over the rounds of a loop, fails at a
 * reference to a group that took no part, and takes an empty round as the last one of its loop.
 *
 *   stack   | kind | a | b | c |   one entry for each choice that is open, and for each register to be put back
 */
import {
  AGAIN,
  AGAIN_ROUND,
  BOUNDARY,
  CLOSE,
  END,
  ENTER,
  FAIL,
  JUMP,
  LOOK,
  LOOP,
  MATCH,
  NO_MAX,
  type Program,
  ROUND,
  RUN,
  SAVE,
  SET,
  SET_BACK,
  SPLIT,
  START,
} from './bounded-program.ts'

/** Nothing matched. */
export const NO_MATCH = -1
/** The limit was reached. */
export const GAVE_UP = -2

const STACK_FIRST = 4096
/** 64 MiB. */
const STACK_MAX = 1 << 24

// Kinds of stack entries.
const CHOICE = 0
const REGISTER = 1
const LONGEST = 2
const SHORTEST = 3

/** One for a thread: a match is over before the next begins. */
let stack = new Int32Array(STACK_FIRST)
let registers = new Int32Array(64)

/** One match at a time. */
export class BoundedMatcher {
  readonly #program: Program
  readonly #pcre: boolean
  readonly #limit: number
  #subject = ''
  #top = 0
  #left = 0

  /** `limit` is how often it may go back in one subject. */
  constructor(program: Program, pcre: boolean, limit: number) {
    this.#program = program
    this.#pcre = pcre
    this.#limit = limit
  }

  /** Looks for the first match: its start, NO_MATCH or GAVE_UP. Then `group` tells about the groups. */
  find(subject: string): number {
    const program = this.#program
    if (registers.length < program.registers) registers = new Int32Array(program.registers * 2)
    this.#subject = subject
    this.#left = this.#limit
    const last = program.anchored ? 0 : subject.length
    for (let start = 0; start <= last; start++) {
      registers.fill(-1, 0, program.registers)
      this.#top = 0
      const end = this.#run(0, start)
      if (end === GAVE_UP) return GAVE_UP
      if (end === NO_MATCH) continue
      registers[0] = start
      registers[1] = end
      return start
    }
    return NO_MATCH
  }

  /** A group of the match that was found; 0 is all of it. */
  group(number: number): string | undefined {
    const start = registers[2 * number]!
    const end = registers[2 * number + 1]!
    return start < 0 || end < 0 ? undefined : this.#subject.slice(start, end)
  }

  /** Runs from `pc` at `from`; the position of success, NO_MATCH or GAVE_UP. */
  #run(entry: number, from: number): number {
    const { code, sets } = this.#program
    const subject = this.#subject
    const { length } = subject
    const base = this.#top
    let pc = entry
    let at = from
    for (;;) {
      let sound = true
      switch (code[pc]) {
        case MATCH:
          return at
        case SET:
          sound = at < length && sets[code[pc + 1]!]![subject.charCodeAt(at)] === 1
          at++
          pc += 2
          break
        case SET_BACK:
          sound = at > 0 && sets[code[pc + 1]!]![subject.charCodeAt(at - 1)] === 1
          at--
          pc += 2
          break
        case JUMP:
          pc = code[pc + 1]!
          break
        case SPLIT:
          this.#push(CHOICE, code[pc + 2]!, at, 0)
          pc = code[pc + 1]!
          break
        case RUN:
          at = this.#repeat(pc, at)
          sound = at >= 0
          pc += 6
          break
        case ROUND:
          pc = this.#round(pc, at)
          break
        case AGAIN_ROUND:
          pc = this.#roundEnds(pc, at)
          sound = pc >= 0
          break
        case LOOK: {
          const outcome = this.#look(pc, at)
          if (outcome === GAVE_UP) return GAVE_UP
          sound = outcome >= 0
          pc = code[pc + 3]!
          break
        }
        case AGAIN:
          at = this.#again(pc, at)
          sound = at >= 0
          pc += 3
          break
        default:
          sound = this.#small(pc, at)
          pc += SIZES[code[pc]!]!
      }
      if (sound) continue
      if (!this.#back(base)) return NO_MATCH
      if (--this.#left < 0 || this.#top > STACK_MAX) return GAVE_UP
      pc = backTo
      at = backAt
    }
  }

  /** Operations that touch registers or look at a place. */
  #small(pc: number, at: number): boolean {
    const { code } = this.#program
    const first = code[pc + 1]!
    switch (code[pc]) {
      case START:
        return at === 0
      case END:
        return at === this.#subject.length
      case BOUNDARY:
        return (this.#isWord(at - 1) !== this.#isWord(at)) === (first === 1)
      case SAVE:
      case LOOP:
        this.#set(first, code[pc] === LOOP ? 0 : at)
        return true
      case CLOSE:
        this.#set(first, registers[code[pc + 3]!]!)
        this.#set(code[pc + 2]!, at)
        return true
      case ENTER:
        this.#set(first, registers[first]! + 1)
        this.#set(code[pc + 2]!, at)
        if (!this.#pcre) for (let i = 2 * code[pc + 3]!; i < 2 * code[pc + 4]!; i++) this.#set(i, -1)
        return true
      default:
        return false
    }
  }

  #isWord(at: number): boolean {
    const byte = this.#subject.charCodeAt(at)
    return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) || byte === 0x5f
  }

  /** A set repeated: takes as much (or as little) as may be; the rest is one open choice. */
  #repeat(pc: number, from: number): number {
    const { code, sets } = this.#program
    const subject = this.#subject
    const set = sets[code[pc + 1]!]!
    const min = code[pc + 2]!
    const max = code[pc + 3]!
    const lazy = code[pc + 4] === 1
    const step = code[pc + 5]!
    const room = step > 0 ? subject.length - from : from
    const most = Math.min(lazy ? min : max, room)
    let count = 0
    let at = from
    while (count < most && set[subject.charCodeAt(step > 0 ? at : at - 1)] === 1) {
      at += step
      count++
    }
    // What is passed over costs time, too, though less.
    this.#left -= count >> 4
    if (count < min) return -1
    if (lazy && max > min) this.#push(SHORTEST, pc, at, max === NO_MAX ? NO_MAX : max - min)
    else if (!lazy && count > min) this.#push(LONGEST, pc, at, from + step * min)
    return at
  }

  #round(pc: number, at: number): number {
    const { code } = this.#program
    const count = registers[code[pc + 1]!]!
    const enter = pc + 6
    const exit = code[pc + 5]!
    if (count < code[pc + 2]!) return enter
    if (count >= code[pc + 3]! && code[pc + 3] !== NO_MAX) return exit
    const lazy = code[pc + 4] === 1
    this.#push(CHOICE, lazy ? enter : exit, at, 0)
    return lazy ? exit : enter
  }

  /** A round is over; where to go on, or -1 when it was empty and JavaScript does not take that. */
  #roundEnds(pc: number, at: number): number {
    const { code } = this.#program
    const empty = registers[code[pc + 2]!] === at
    if (!empty || registers[code[pc + 1]!]! <= code[pc + 3]!) return empty && this.#pcre ? code[pc + 5]! : code[pc + 4]!
    return this.#pcre ? code[pc + 5]! : -1
  }

  /** Matches what stands ahead or behind; its choices are not open afterwards, but its groups can be taken back. */
  #look(pc: number, at: number): number {
    const { code } = this.#program
    const base = this.#top
    const outcome = this.#run(code[pc + 2]!, at)
    if (outcome === GAVE_UP) return GAVE_UP
    const negated = code[pc + 1] === 1
    if (outcome < 0) return negated ? 0 : -1
    if (negated) {
      this.#undo(base)
      return -1
    }
    this.#keepRegisters(base)
    return 0
  }

  /** Puts back what changed since the stack was `base` high. */
  #undo(base: number): void {
    while (this.#top > base) {
      this.#top -= 4
      if (stack[this.#top] === REGISTER) registers[stack[this.#top + 1]!] = stack[this.#top + 2]!
    }
  }

  #keepRegisters(base: number): void {
    let kept = base
    for (let i = base; i < this.#top; i += 4) {
      if (stack[i] !== REGISTER) continue
      stack.copyWithin(kept, i, i + 4)
      kept += 4
    }
    this.#top = kept
  }

  /** What a group matched, once more. */
  #again(pc: number, at: number): number {
    const { code, lists } = this.#program
    const step = code[pc + 2]!
    const subject = this.#subject
    for (const number of lists[code[pc + 1]!]!) {
      const start = registers[2 * number]!
      const end = registers[2 * number + 1]!
      if (start < 0 || end < 0) continue
      const size = end - start
      const from = step > 0 ? at : at - size
      this.#left -= size >> 4
      if (from < 0 || from + size > subject.length) return -1
      for (let i = 0; i < size; i++) if (subject.charCodeAt(start + i) !== subject.charCodeAt(from + i)) return -1
      return at + step * size
    }
    return this.#pcre ? -1 : at
  }

  #set(register: number, value: number): void {
    this.#push(REGISTER, register, registers[register]!, 0)
    registers[register] = value
  }

  #push(kind: number, a: number, b: number, c: number): void {
    const top = this.#top
    if (top + 4 > stack.length) {
      const larger = new Int32Array(stack.length * 2)
      larger.set(stack)
      stack = larger
    }
    stack[top] = kind
    stack[top + 1] = a
    stack[top + 2] = b
    stack[top + 3] = c
    this.#top = top + 4
  }

  /** Goes back to the last open choice above `base`: `backTo`, `backAt`. False: there is none. */
  #back(base: number): boolean {
    const { code, sets } = this.#program
    while (this.#top > base) {
      const top = (this.#top -= 4)
      const a = stack[top + 1]!
      const b = stack[top + 2]!
      const c = stack[top + 3]!
      switch (stack[top]) {
        case REGISTER:
          registers[a] = b
          continue
        case CHOICE:
          backTo = a
          backAt = b
          return true
        case LONGEST:
          backAt = b - code[a + 5]!
          backTo = a + 6
          if (backAt !== c) this.#push(LONGEST, a, backAt, c)
          return true
        default: {
          const step = code[a + 5]!
          const byte = this.#subject.charCodeAt(step > 0 ? b : b - 1)
          // Beyond the ends there is no number.
          if (sets[code[a + 1]!]![byte] !== 1) continue
          backAt = b + step
          backTo = a + 6
          if (c > 1) this.#push(SHORTEST, a, backAt, c === NO_MAX ? NO_MAX : c - 1)
          return true
        }
      }
    }
    return false
  }
}

let backTo = 0
let backAt = 0

/** How many numbers the small operations take. */
const SIZES: readonly number[] = sizes()

function sizes(): number[] {
  const list = new Array<number>(FAIL + 1).fill(1)
  list[SAVE] = list[BOUNDARY] = list[LOOP] = 2
  list[CLOSE] = 4
  list[ENTER] = 5
  return list
}

/**
 * One wheel for every time-out of a worker thread.
 *
 *   slots:  0   1   2  ...  1023        one slot = 16 ms, one turn = 16.4 s
 *               |
 *             timer <-> timer <-> timer  (circular list, intrusive)
 *
 * A connection moves its deadline on almost every event, so `set` only writes a number when the timer already stands in
 * an earlier slot; the visit moves it on. Deadlines beyond one turn are visited once a turn. While no timer is set, the
 * process has no wake-ups.
 */
import { assert } from '../lib/assert.ts'
import { clock } from '../lib/clock.ts'
import { beginEvent, flushWires } from './flush.ts'

const TICK_MS = 16
const SLOTS = 1024
const MASK = SLOTS - 1

/** Receives the time-out; called at most once per `set`. */
export interface TimerOwner {
  onTimeout(timer: Timer): void
}

/** A time-out that may be set again and again; belongs to one owner for life. */
export class Timer {
  readonly owner: TimerOwner
  /** What the owner wants to be reminded of; free for the owner's use. */
  purpose = 0
  deadline = 0
  tick = -1
  prev: Timer
  next: Timer

  constructor(owner: TimerOwner) {
    this.owner = owner
    this.prev = this
    this.next = this
  }

  /** True between `set` and the time-out or `cancel`. */
  get active(): boolean {
    return this.tick >= 0
  }
}

const NOBODY: TimerOwner = { onTimeout: () => {} }
const slots: Timer[] = Array.from({ length: SLOTS }, () => new Timer(NOBODY))
let count = 0
let currentTick = 0
let driver: NodeJS.Timeout | undefined
let driverTick = 0
let turning = false

/** Arms `timer` to fire `delayMs` from now (at most one tick late), replacing what was set before. */
export function setTimer(timer: Timer, delayMs: number): void {
  const deadline = clock.monotonic + delayMs
  // What is no number would stand in a slot for ever, and be visited without end.
  assert(deadline >= 0, 'a time-out is a number')
  timer.deadline = deadline
  const tick = Math.ceil(deadline / TICK_MS)
  if (timer.tick >= 0) {
    if (timer.tick <= tick) return // Standing earlier: the visit will move it on.
    unlink(timer)
  }
  link(timer, tick)
}

/** Disarms `timer`; its owner may be forgotten at once. */
export function cancelTimer(timer: Timer): void {
  if (timer.tick >= 0) unlink(timer)
}

function link(timer: Timer, tick: number): void {
  // Not during a turn: a place is then counted from the slot being visited, or the timer might come to stand in it again.
  if (count++ === 0 && !turning) currentTick = Math.floor(clock.monotonic / TICK_MS)
  const at = Math.min(Math.max(tick, currentTick + 1), currentTick + MASK)
  const head = slots[at & MASK]!
  timer.tick = at
  timer.prev = head.prev
  timer.next = head
  head.prev.next = timer
  head.prev = timer
  // A turn looks for the next tick itself when it is over: what is set during it may not be the first to be due.
  if (!turning && (driver === undefined || at < driverTick)) drive(at)
}

function unlink(timer: Timer): void {
  timer.prev.next = timer.next
  timer.next.prev = timer.prev
  timer.prev = timer
  timer.next = timer
  timer.tick = -1
  if (--count === 0 && driver !== undefined) {
    clearTimeout(driver)
    driver = undefined
  }
}

function drive(tick: number): void {
  if (driver !== undefined) clearTimeout(driver)
  driverTick = tick
  driver = setTimeout(turn, Math.max(1, tick * TICK_MS - clock.monotonic))
  if (count === 0) driver.unref()
}

function turn(): void {
  driver = undefined
  turning = true
  beginEvent()
  clock.update()
  const now = clock.monotonic
  const last = Math.floor(now / TICK_MS)
  while (currentTick < last && count > 0) visit(++currentTick, now)
  currentTick = Math.max(currentTick, last)
  flushWires()
  turning = false
  if (count === 0) return
  for (let tick = currentTick + 1; ; tick++) {
    if (slots[tick & MASK]!.next !== slots[tick & MASK]) return drive(tick)
  }
}

function visit(tick: number, now: number): void {
  const head = slots[tick & MASK]!
  // Timers that are set during the visit go to later slots, so what stands here now is all there is to see.
  while (head.next !== head) {
    const timer = head.next
    const due = timer.deadline <= now
    const next = Math.ceil(timer.deadline / TICK_MS)
    unlink(timer)
    if (due) timer.owner.onTimeout(timer)
    else link(timer, next)
  }
}

/**
 * One io_uring of one thread: the queues that it shares with the kernel, the buffers that the kernel receives into, and the
 * memory that is sent from. It knows nothing of connections: who asks for something is a `RingUser` with a slot, and hears
 * of each completion.
 *
 *   submission queue   what is asked for: written here, handed over by one system call (`submit`)
 *   completion queue   what has become of it: the kernel writes, `drain` reads
 *   input              INPUT_COUNT buffers; the kernel takes one for each piece that it receives, and has it back at once
 *   output             what is sent is copied here, and the place is free again after the next `submit`: a send is done, or
 *                      has failed, when the call that submits it returns
 *
 * A slot is given to somebody else only when everything that was asked for under it has completed, so no completion can
 * reach the wrong one. The kernel's word for that is the absence of MORE in the last completion of an operation.
 */
import { assert } from '../lib/assert.ts'
import { clock } from '../lib/clock.ts'
import type { Calls, Mapping } from '../sys/calls.ts'
import { beginBatch, endBatch, runPostponed, submitBy } from './flush.ts'
import { RingBell } from './ring-bell.ts'
import type { Estate } from './ring-estate.ts'
import { INPUT_SIZE, layoutOf, mapWithin, type RingSizes } from './ring-memory.ts'
import { countDirect, messageSize, RingOutput } from './ring-output.ts'

/** What a user asks for; its completion carries the same number. */
export const ASKED = { ACCEPT: 1, RECEIVE: 2, SEND: 3, CONNECT: 4, WRITABLE: 5, READABLE: 6, TIME: 7 } as const
/** Nobody waits for it: it only fails when there was nothing to do. */
const UNHEARD = 0

/** In the flags of a completion: a buffer was taken, whose number stands above. */
const HAS_BUFFER = 1
/** In the flags of a completion: more of the same operation will come. */
export const MORE = 2
const BUFFER_SHIFT = 16

const OP_POLL_ADD = 6
const OP_SENDMSG = 9
const OP_TIMEOUT = 11
const OP_ACCEPT = 13
const OP_ASYNC_CANCEL = 14
const OP_CONNECT = 16
const OP_CLOSE = 19
const OP_SEND = 26
const OP_RECV = 27

const SQE_BUFFER_SELECT = 32 << 8
/** Success is not worth a completion. */
const SQE_SKIP_SUCCESS = 64 << 8
/** What follows is done when this is, and not at all when it fails. */
const SQE_LINK = 4 << 8
const ACCEPT_MULTISHOT = 1 << 16
const RECV_MULTISHOT = 2 << 16
/** Nothing that is asked of a ring waits in the call; what is called by itself must not, either. */
const SOCK_CLOEXEC_NONBLOCK = 0x80800
/** All or a failure, at once: MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL. A part that was sent is told as its size. */
const SEND_FLAGS = 0x40 | 0x100 | 0x4000
/** More follows at once: MSG_MORE. */
const SEND_MORE = 0x8000
const POLLIN = 1
const POLLOUT = 4

/**
 * Flags of io_uring_setup: CQSIZE, SUBMIT_ALL, TASKRUN_FLAG, SINGLE_ISSUER, DEFER_TASKRUN. The last one has the kernel leave its
 * part of the work until it is asked, so that it never interrupts what is being done here.
 */
const SETUP_FLAGS = 8 | 0x80 | 0x200 | 0x1000 | 0x2000
/** A word to the kernel: nothing is counted, somebody looks. */
const CQ_EVENTFD_DISABLED = 1
const REGISTER_EVENTFD = 4
const REGISTER_PBUF_RING = 22
/** For what is registered, in the ring's memory; behind it a time (struct __kernel_timespec). */
const SCRATCH = 1024
const TIME = 1088
const NANOSECONDS = 1_000_000
const ENTER_GETEVENTS = 1
const SQ_CQ_OVERFLOW = 2
const SQ_TASKRUN = 4
const OFFSET_SQES = 0x10000000
const SQE_WORDS = 16
const CQE_WORDS = 4
/** Where in struct io_uring_params the kernel tells its features, in words. */
const FEATURES = 5
/** A kernel of 6.10 or later. One before 6.8 knows no bounds when it receives again and again. */
const FEAT_RECVSEND_BUNDLE = 1 << 14
/** Where in struct io_uring_params the offsets stand, in words. */
const SQ_OFFSETS = 10
const CQ_OFFSETS = 20

/** How often `drain` looks again before it lets the event loop go on. */
const ROUNDS_MAX = 4
/** So many completions, and so many bytes of input, are dealt with before output leaves. */
const BATCH = 128
const BATCH_BYTES = 65536
/** So many users are attended to, each of whom may draw and send 64 KB, before those have their turn who were quick. */
const ATTENDED_MAX = 16
/** The same in bytes that the kernel was told to move from files: 4 MB take it a millisecond or less. */
const MOVED_MAX = 4194304
/** A signal has ended a wait. */
const EINTR = -4
/** The kernel may be short of memory for a moment. */
const SUBMIT_TRIES = 1000

const SIZES: RingSizes = { entries: 1024, completions: 8192, inputs: 512, output: 1 << 20 }

/** Hears what has become of what it asked for. */
export interface RingUser {
  /** `result` is the system call's: a size, a descriptor or a negative errno. `input` is there when bytes were received. */
  completed(operation: number, result: number, flags: number, input: Buffer | undefined): void
  /** All that was sent since the last time is with the kernel, but for what `completed` was told about. */
  settled(): void
  /** The owner may be called now: what `settled` has found out is told. */
  attend(): void
  /** Nothing waits for `settled`: until more has happened it need not be told that what it has sent is with the kernel. */
  readonly isPatient: boolean
}

/** Decides when the thread waits by the ring, and not in its event loop. */
export interface Vigil {
  /** The thread has come to look after the ring. True: it stays. */
  begin(): boolean
  /** The event loop must go on. */
  readonly isOver: boolean
  /** About to wait: ticks and promises have their turn, after which there may be something to do. */
  beforeWait(): void
  /** The thread goes back to the event loop. True: it is to come again by itself, without a bell. */
  end(stayed: boolean): boolean
}

/** The ring of this thread. */
export class Ring {
  readonly calls: Calls
  readonly fd: number
  /** The largest piece that can be sent at once. */
  readonly sendMax: number
  /** What is sent is the beginning of a packet. */
  moreFollows = false
  /** What is sent is the end: the descriptor is closed behind it, unless sending fails. */
  closeFollows = false
  /** Wires whose peers do not take what is sent. */
  blocked = 0
  /** Bytes that were moved from files, or to such a cost, in this turn. */
  moved = 0
  readonly #memory: Mapping
  readonly #maps: Mapping[]
  /** Words of the rings and of the submission entries. */
  readonly #u32: Uint32Array
  readonly #sqes: Uint32Array
  readonly #sqHead: number
  readonly #sqTail: number
  readonly #sqFlags: number
  readonly #sqMask: number
  readonly #entries: number
  readonly #cqHead: number
  readonly #cqTail: number
  readonly #cqMask: number
  readonly #cqFlags: number
  readonly #cqes: number
  /** The next entry to be written, and the first that the kernel does not have yet. */
  #tail: number
  #submitted: number
  /** Completions up to here have been looked at for failed sends. */
  #scanned: number
  /** Completions that were taken out of a queue that ran over. */
  #spilled: number[] = []
  readonly #time: Uint32Array
  /** How `receive` asks. */
  readonly #receiving: number
  readonly #high: number
  readonly #low: number
  // ---- input
  readonly #inputs: Buffer[] = []
  readonly #inputMask: number
  readonly #inputsAt: number
  readonly #b32: Uint32Array
  readonly #b16: Uint16Array
  #inputTail = 0
  // ---- output
  readonly #output: RingOutput
  /** Who has sent since the last submission; only the first `#sentCount` count. */
  readonly #sent: RingUser[] = []
  #sentCount = 0
  // ---- users
  readonly #users: (RingUser | undefined)[] = []
  readonly #free: number[] = []
  /** Who wants to tell its owner something. */
  #attending: RingUser[] = []
  #draining = false
  #scheduled = false
  #bell: RingBell | undefined
  /** Without one the thread always waits in its event loop. */
  vigil: Vigil | undefined
  /** What an event has sent is handed over by who is about to wait. */
  #isHeld = false
  #estate: Estate | undefined
  readonly #submitScheduled = (): void => {
    this.#scheduled = false
    if (!this.#draining) this.submit()
  }
  #drainAwaited = false
  #closed = false
  readonly #drainScheduled = (): void => {
    this.#drainAwaited = false
    if (!this.#closed) this.drain()
  }

  private constructor(calls: Calls, fd: number, memory: Mapping, maps: Mapping[], sizes: RingSizes) {
    this.calls = calls
    this.fd = fd
    this.#memory = memory
    this.#maps = maps
    const params = new Uint32Array(memory.bytes, 0, 30)
    const [rings, sqes] = maps as [Mapping, Mapping] // `open` has made both.
    const u32 = new Uint32Array(rings.bytes)
    this.#u32 = u32
    this.#sqes = new Uint32Array(sqes.bytes)
    this.#sqHead = params[SQ_OFFSETS]! >> 2
    this.#sqTail = params[SQ_OFFSETS + 1]! >> 2
    this.#sqFlags = params[SQ_OFFSETS + 4]! >> 2
    this.#cqHead = params[CQ_OFFSETS]! >> 2
    this.#cqTail = params[CQ_OFFSETS + 1]! >> 2
    this.#cqes = params[CQ_OFFSETS + 5]! >> 2
    this.#cqFlags = params[CQ_OFFSETS + 6]! >> 2
    this.#sqMask = u32[params[SQ_OFFSETS + 2]! >> 2]!
    this.#cqMask = u32[params[CQ_OFFSETS + 2]! >> 2]!
    this.#entries = sizes.entries
    this.#tail = this.#submitted = u32[this.#sqTail]!
    this.#scanned = u32[this.#cqTail]!
    // Entry n of the submission queue is always entry n of the array.
    const array = params[SQ_OFFSETS + 6]! >> 2
    for (let i = 0; i < sizes.entries; i++) u32[array + i] = i
    this.#time = new Uint32Array(memory.bytes, TIME, 4)
    const isBounded = (params[FEATURES]! & FEAT_RECVSEND_BUNDLE) !== 0 && sizes.pieceByPiece !== true
    this.#receiving = OP_RECV | SQE_BUFFER_SELECT | (isBounded ? RECV_MULTISHOT : 0)
    this.#high = Math.floor(memory.address / 2 ** 32)
    this.#low = memory.address % 2 ** 32
    const layout = layoutOf(sizes)
    this.#inputsAt = layout.inputs
    this.#inputMask = sizes.inputs - 1
    this.#b32 = new Uint32Array(memory.bytes, layout.inputRing, sizes.inputs * 4)
    this.#b16 = new Uint16Array(memory.bytes, layout.inputRing, sizes.inputs * 8)
    for (let id = 0; id < sizes.inputs; id++) {
      this.#inputs.push(Buffer.from(memory.bytes, layout.inputs + id * INPUT_SIZE, INPUT_SIZE))
      this.#giveInput(id)
    }
    this.#output = new RingOutput(calls, memory, layout.output, sizes.output)
    this.sendMax = sizes.output >> 1
  }

  /** Makes a ring; a negative errno when the kernel does not give one. Nothing is watched before `start`. */
  static open(calls: Calls, sizes: RingSizes = SIZES): Ring | number {
    const layout = layoutOf(sizes)
    const memory = mapWithin(calls, layout.size)
    if (typeof memory === 'number') return memory
    const params = new Uint32Array(memory.bytes, 0, 30)
    params[0] = sizes.entries
    params[1] = sizes.completions
    params[2] = SETUP_FLAGS
    const fd = calls.ringSetup(sizes.entries, memory.address)
    if (fd < 0) {
      calls.unmap(memory.address, layout.size)
      return fd
    }
    const array = params[SQ_OFFSETS + 6]! + sizes.entries * 4
    const completions = params[CQ_OFFSETS + 5]! + sizes.completions * CQE_WORDS * 4
    const rings = calls.map(Math.max(array, completions), fd, 0)
    const sqes = calls.map(sizes.entries * SQE_WORDS * 4, fd, OFFSET_SQES)
    const registration = new Uint32Array(memory.bytes, SCRATCH, 10)
    const at = memory.address + layout.inputRing
    registration[0] = at % 2 ** 32
    registration[1] = Math.floor(at / 2 ** 32)
    registration[2] = sizes.inputs
    const registered = calls.ringRegister(fd, REGISTER_PBUF_RING, memory.address + SCRATCH, 1)
    if (typeof rings === 'number' || typeof sqes === 'number' || registered < 0) {
      calls.close(fd)
      return typeof rings === 'number' ? rings : typeof sqes === 'number' ? sqes : registered
    }
    return new Ring(calls, fd, memory, [rings, sqes], sizes)
  }

  /** Has the event loop of this thread look after the ring; a negative errno when it cannot. */
  start(estate: Estate | undefined): number {
    const bell = RingBell.hang(this.calls, () => this.drain())
    if (typeof bell === 'number') return bell
    this.#bell = bell
    const scratch = new Int32Array(this.#memory.bytes, SCRATCH, 1)
    scratch[0] = bell.fd
    const registered = this.calls.ringRegister(this.fd, REGISTER_EVENTFD, this.#memory.address + SCRATCH, 1)
    if (registered < 0) return registered
    this.#estate = estate
    const place = { head: this.#cqHead, tail: this.#cqTail, mask: this.#cqMask, entries: this.#cqes }
    estate?.setRing(this.fd, [...this.#maps, this.#memory], place)
    submitBy({ submit: () => (this.#isHeld ? undefined : this.submit()) })
    return 0
  }

  /** Gives everything back; nobody may have a slot any more. */
  close(): void {
    this.#closed = true
    this.#bell?.close()
    submitBy(undefined)
    this.calls.close(this.fd)
    for (const { address, bytes } of [...this.#maps, this.#memory]) this.calls.unmap(address, bytes.byteLength)
  }

  /** What the event loop watches for the ring; -1 before `start`. */
  get bell(): number {
    return this.#bell?.fd ?? -1
  }

  /** The ring no longer holds the process; what is on it stays as it is. */
  unref(): void {
    this.#bell?.unref()
  }

  // ---- users ---------------------------------------------------------------------------------

  /** Gives a slot, under which things are asked for. */
  enter(user: RingUser): number {
    const slot = this.#free.pop() ?? this.#users.length
    this.#users[slot] = user
    return slot
  }

  /** Takes the slot back: nothing that was asked for under it is left. */
  leave(slot: number): void {
    this.#users[slot] = undefined
    this.#free.push(slot)
  }

  /** Slots that are taken. */
  get userCount(): number {
    return this.#users.length - this.#free.length
  }

  /** Calls `user.attend()` when no owner of a wire is in the middle of something. */
  attendTo(user: RingUser): void {
    this.#attending.push(user)
    if (!this.#draining) this.#drainSoon()
  }

  /** Remembers a descriptor that only this thread knows, for the case that the thread dies. */
  own(fd: number): void {
    this.#estate?.add(fd)
  }

  /** Forgets one that is about to be closed. */
  disown(fd: number): void {
    this.#estate?.delete(fd)
  }

  /** So much was moved in this turn that others come first. */
  get hasMovedMuch(): boolean {
    return this.moved >= MOVED_MAX
  }

  /** Output waits here or for its peers. */
  get sending(): boolean {
    return this.blocked > 0 || this.#busy()
  }

  // ---- what can be asked for -----------------------------------------------------------------

  /** Accepts until it is cancelled or fails. */
  accept(slot: number, fd: number): void {
    this.#ask(OP_ACCEPT | ACCEPT_MULTISHOT, ASKED.ACCEPT, slot, fd, 0, 0, SOCK_CLOEXEC_NONBLOCK)
  }

  /** Receives until it is cancelled, ends or fails, or once; failing for want of a buffer is ENOBUFS. Pieces are small. */
  receive(slot: number, fd: number): void {
    this.#ask(this.#receiving, ASKED.RECEIVE, slot, fd, 0, 0, 0)
  }

  /** The same, always once: who may say no more than that is not to be cancelled. */
  receiveOnce(slot: number, fd: number): void {
    this.#ask(OP_RECV | SQE_BUFFER_SELECT, ASKED.RECEIVE, slot, fd, 0, 0, 0)
  }

  /** Completes once when there is something to receive, or nothing any more. */
  whenReadable(slot: number, fd: number): void {
    this.#ask(OP_POLL_ADD, ASKED.READABLE, slot, fd, 0, 0, POLLIN)
  }

  /** Completes once after so many milliseconds, less than a second; all who ask mean the same time. */
  wakeUp(slot: number, ms: number): void {
    this.#time[2] = ms * NANOSECONDS
    this.#ask(OP_TIMEOUT, ASKED.TIME, slot, -1, TIME, 1, 0)
  }

  /** Completes once when the socket takes bytes again. */
  whenWritable(slot: number, fd: number): void {
    this.#ask(OP_POLL_ADD, ASKED.WRITABLE, slot, fd, 0, 0, POLLOUT)
  }

  /** Connects; completes once. */
  connect(slot: number, fd: number, address: Uint8Array): void {
    this.#makeRoom(address.length)
    const i = this.#ask(OP_CONNECT, ASKED.CONNECT, slot, fd, this.#output.bytes(address), 0, 0)
    // Where others have an offset, this has the size of the address.
    this.#sqes[i + 2] = address.length
  }

  /** Cancels an operation of the slot; that completes by itself then. */
  cancel(slot: number, operation: number): void {
    const i = this.#ask(OP_ASYNC_CANCEL | SQE_SKIP_SUCCESS, UNHEARD, slot, -1, 0, 0, 0)
    this.#sqes[i + 4] = slot
    this.#sqes[i + 5] = operation
  }

  /** Closes a descriptor, after all that was asked for before. */
  closeDescriptor(fd: number): void {
    this.#ask(OP_CLOSE | SQE_SKIP_SUCCESS, UNHEARD, 0, fd, 0, 0, 0)
  }

  /** Sends text, at most `sendMax` of it; `user.settled` follows. */
  sendText(user: RingUser, slot: number, fd: number, text: string): void {
    this.#makeRoom(text.length)
    this.#send(OP_SEND, user, slot, fd, this.#output.text(text), text.length)
  }

  /** Sends pieces as one, at most `sendMax` bytes; they must not change until `user.settled` follows. */
  sendPieces(user: RingUser, slot: number, fd: number, pieces: readonly (string | Buffer)[], size: number): void {
    const direct = countDirect(pieces)
    if (direct === 0) {
      this.#makeRoom(size)
      this.#send(OP_SEND, user, slot, fd, this.#output.pieces(pieces), size)
    } else {
      this.#makeRoom(messageSize(pieces, direct))
      this.#send(OP_SENDMSG, user, slot, fd, this.#output.message(pieces, direct), 1)
    }
  }

  #send(op: number, user: RingUser, slot: number, fd: number, at: number, size: number): void {
    // The end of the stream goes with the last bytes then, in one packet.
    const flags = this.moreFollows || this.closeFollows ? SEND_FLAGS | SEND_MORE : SEND_FLAGS
    const link = this.closeFollows ? SQE_LINK : 0
    this.#ask(op | SQE_SKIP_SUCCESS | link, ASKED.SEND, slot, fd, at, size, flags)
    if (this.closeFollows) this.closeDescriptor(fd)
    this.#sent[this.#sentCount++] = user
  }

  /**
   * Output that is not submitted yet must not be written over: there is room for it, and for who asks that it is sent. What
   * is linked must be submitted together.
   */
  #makeRoom(size: number): void {
    if (!this.#output.hasRoom(size) || this.#room() < 2) this.submit()
  }

  /** How much more can be asked for before the next submission. */
  #room(): number {
    return this.#entries - ((this.#tail - this.#submitted) >>> 0)
  }

  #ask(word: number, operation: number, slot: number, fd: number, at: number, size: number, flags: number): number {
    if (this.#room() === 0) this.submit()
    const sqes = this.#sqes
    const i = (this.#tail & this.#sqMask) * SQE_WORDS
    sqes[i] = word
    sqes[i + 1] = fd
    sqes[i + 2] = sqes[i + 3] = 0
    sqes[i + 4] = at === 0 ? 0 : this.#low + at
    sqes[i + 5] = at === 0 ? 0 : this.#high
    sqes[i + 6] = size
    sqes[i + 7] = flags
    sqes[i + 8] = slot
    sqes[i + 9] = operation
    sqes[i + 10] = sqes[i + 11] = sqes[i + 12] = sqes[i + 13] = 0
    this.#tail = (this.#tail + 1) >>> 0
    if (!this.#scheduled && !this.#draining && !clock.inEvent) {
      this.#scheduled = true
      process.nextTick(this.#submitScheduled)
    }
    return i
  }

  // ---- handing over --------------------------------------------------------------------------

  /** Hands over what was asked for; sends are settled afterwards. */
  submit(): void {
    this.#handOver(0)
  }

  /** The same, and waits for so many completions in the same call when the kernel has taken all. */
  #handOver(wait: number): void {
    let least = wait
    for (let tries = 0; this.#submitted !== this.#tail || least > 0; tries++) {
      assert(tries < SUBMIT_TRIES, 'the kernel takes what is asked for')
      Atomics.store(this.#u32, this.#sqTail, this.#tail)
      const result = this.calls.ringEnter(this.fd, (this.#tail - this.#submitted) >>> 0, least, ENTER_GETEVENTS)
      // A signal ends a wait, too, and whoever waits looks again.
      if (result < 0 && result !== EINTR) this.#spill()
      least = 0
      this.#submitted = Atomics.load(this.#u32, this.#sqHead)
    }
    if (this.#sentCount > 0) this.#settle()
    // What failed has been kept elsewhere.
    this.#output.reset()
  }

  /** Failed sends have completed by now, others will not: tells who has sent. */
  #settle(): void {
    const count = this.#sentCount
    this.#sentCount = 0
    while (this.#overflown()) this.#spill()
    this.#scan()
    for (let i = 0; i < count; i++) this.#sent[i]!.settled()
  }

  /** Deals with failed sends ahead of their turn. */
  #scan(): void {
    const u32 = this.#u32
    const end = Atomics.load(u32, this.#cqTail)
    for (let at = this.#scanned; at !== end; at = (at + 1) >>> 0) {
      const i = this.#cqes + (at & this.#cqMask) * CQE_WORDS
      if (u32[i + 1] !== ASKED.SEND) continue
      this.#users[u32[i]!]!.completed(ASKED.SEND, u32[i + 2]! | 0, 0, undefined)
      u32[i + 1] = UNHEARD
    }
    this.#scanned = end
  }

  /** The completion queue has run over: what is in it makes room for what the kernel keeps. */
  #spill(): void {
    this.#scan()
    const u32 = this.#u32
    let head = u32[this.#cqHead]!
    for (; head !== this.#scanned; head = (head + 1) >>> 0) {
      const i = this.#cqes + (head & this.#cqMask) * CQE_WORDS
      if (u32[i + 1] !== UNHEARD) this.#spilled.push(u32[i]!, u32[i + 1]!, u32[i + 2]! | 0, u32[i + 3]!)
    }
    this.#moveHead(head)
    this.calls.ringEnter(this.fd, 0, 0, ENTER_GETEVENTS)
  }

  // ---- completions ---------------------------------------------------------------------------

  /** Deals with completions, and hands over what they lead to: a few times, then others have their turn. */
  drain(): void {
    if (this.#draining) return
    this.#draining = true
    Atomics.store(this.#u32, this.#cqFlags, CQ_EVENTFD_DISABLED)
    this.#settleKernel()
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#round(false)
      this.#settleKernel()
      if (!this.#busy()) break
    }
    const { vigil } = this
    const stays = vigil?.begin() === true
    if (stays) this.#stay(vigil!)
    const comesAgain = vigil?.end(stays) === true
    this.#draining = false
    if (comesAgain) return this.#drainSoon()
    Atomics.store(this.#u32, this.#cqFlags, 0)
    // What has come before this is not counted.
    if (this.#busy()) this.#drainSoon()
  }

  /** One look at what has completed, as one event. `isHeld`: what it sends in the end is handed over by who called. */
  #round(isHeld: boolean): void {
    clock.update()
    beginBatch()
    this.#deal()
    this.#attendSome()
    this.#isHeld = isHeld
    endBatch()
    this.#isHeld = false
  }

  /** Stays as long as the vigil lasts. Each call hands over what the last round has sent, and waits if nothing is to be done. */
  #stay(vigil: Vigil): void {
    while (!vigil.isOver) {
      if (!this.#busy()) vigil.beforeWait()
      if (!this.#busy() && this.#arePatient() && !vigil.isOver) this.#handOver(1)
      else if (this.#submitted !== this.#tail) this.submit()
      else this.#settleKernel()
      this.#round(true)
    }
    this.submit()
  }

  /** Nobody who has sent waits to be told that it is with the kernel. */
  #arePatient(): boolean {
    for (let i = 0; i < this.#sentCount; i++) if (!this.#sent[i]!.isPatient) return false
    return true
  }

  /** Goes on when the event loop has had its turn. */
  #drainSoon(): void {
    if (this.#drainAwaited) return
    this.#drainAwaited = true
    setImmediate(this.#drainScheduled)
  }

  /** Has the kernel do its part, and say what it had no room for. */
  #settleKernel(): void {
    if (this.#hasMore()) this.calls.ringEnter(this.fd, 0, 0, ENTER_GETEVENTS)
  }

  /** The kernel has something to do, or something to say for which there was no room. */
  #hasMore(): boolean {
    return (Atomics.load(this.#u32, this.#sqFlags) & (SQ_CQ_OVERFLOW | SQ_TASKRUN)) !== 0
  }

  #overflown(): boolean {
    return (Atomics.load(this.#u32, this.#sqFlags) & SQ_CQ_OVERFLOW) !== 0
  }

  /** There is something to deal with. */
  #busy(): boolean {
    if (this.#attending.length > 0 || this.#spilled.length > 0 || this.#hasMore()) return true
    return Atomics.load(this.#u32, this.#cqTail) !== this.#u32[this.#cqHead]
  }

  /** Deals with what has completed until now. */
  #deal(): void {
    if (this.#spilled.length > 0) this.#dealSpilled()
    const u32 = this.#u32
    const end = Atomics.load(u32, this.#cqTail)
    let count = 0
    let bytes = 0
    // What is dealt with may submit, and that may take out of the queue all that is in it.
    for (let head = u32[this.#cqHead]!; ((end - head) | 0) > 0; head = u32[this.#cqHead]!) {
      const i = this.#cqes + (head & this.#cqMask) * CQE_WORDS
      const slot = u32[i]!
      const operation = u32[i + 1]!
      const result = u32[i + 2]! | 0
      const flags = u32[i + 3]!
      this.#moveHead((head + 1) >>> 0)
      if (operation !== UNHEARD) this.#complete(slot, operation, result, flags)
      if ((flags & HAS_BUFFER) !== 0) bytes += result
      if (++count < BATCH && bytes < BATCH_BYTES) continue
      count = bytes = 0
      endBatch()
      beginBatch()
    }
  }

  #moveHead(head: number): void {
    Atomics.store(this.#u32, this.#cqHead, head)
    if (((this.#scanned - head) | 0) < 0) this.#scanned = head
  }

  #dealSpilled(): void {
    const spilled = this.#spilled
    this.#spilled = []
    for (let i = 0; i < spilled.length; i += 4) {
      this.#complete(spilled[i]!, spilled[i + 1]!, spilled[i + 2]!, spilled[i + 3]!)
    }
  }

  #complete(slot: number, operation: number, result: number, flags: number): void {
    const user = this.#users[slot]
    assert(user !== undefined, 'a slot is taken until its operations have completed')
    if ((flags & HAS_BUFFER) === 0) user.completed(operation, result, flags, undefined)
    else {
      const id = flags >>> BUFFER_SHIFT
      user.completed(operation, result, flags, this.#inputs[id])
      this.#giveInput(id)
    }
    runPostponed()
  }

  /** Attends to some of those who asked for it, oldest first. */
  #attendSome(): void {
    this.moved = 0
    const users = this.#attending
    if (users.length === 0) return
    this.#attending = []
    const end = Math.min(users.length, ATTENDED_MAX)
    let i = 0
    while (i < end && !this.hasMovedMuch) {
      users[i++]!.attend()
      runPostponed()
    }
    if (i < users.length) this.#attending = users.slice(i).concat(this.#attending)
  }

  /** Lets the kernel have a buffer of input again. */
  #giveInput(id: number): void {
    const at = this.#inputsAt + id * INPUT_SIZE
    const entry = (this.#inputTail & this.#inputMask) * 4
    const b32 = this.#b32
    b32[entry] = this.#low + at
    b32[entry + 1] = this.#high
    b32[entry + 2] = INPUT_SIZE
    this.#b16[2 * entry + 6] = id
    this.#inputTail = (this.#inputTail + 1) & 0xffff
    Atomics.store(this.#b16, 7, this.#inputTail)
  }
}

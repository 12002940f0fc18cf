/**
 * System calls as typed functions. Each returns what the kernel does: a result, or a negative errno as libuv has them.
 * An address that is kept by the kernel beyond the call must be one of `map`: such memory never moves and is never
 * collected. All else is a Buffer that is only looked at during the call.
 */
import { declared, type Foreigner, isInstalled, MISSING } from './foreign.ts'
import { SOCKADDR_SIZE_MAX } from './socket-address.ts'

/** Numbers that x64 and arm64 have in common. */
const IO_URING_SETUP = 425
const IO_URING_ENTER = 426
const IO_URING_REGISTER = 427
const PROT_READ_WRITE = 3
const MAP_SHARED_POPULATE = 0x8001
const MAP_PRIVATE_ANONYMOUS = 0x22
const MSG_DONTWAIT = 0x40
const SOCK_CLOEXEC_NONBLOCK = 0x80800
/** A type of sockets: streams that nobody waits for. */
export const SOCK_STREAM_CLOEXEC_NONBLOCK = 0x80801
const SOL_SOCKET = 1
/** How much memory a socket has and uses, in words: the size of its buffer for sending, and what is in it, are two of them. */
const SO_MEMINFO = 55
const MEMINFO_WORDS = 16
const MEMINFO_SNDBUF = 3
const MEMINFO_WMEM_QUEUED = 5
/** For an address of a socket and, behind it, its size. */
const NAME_SPACE = 128

/** An `int` of 1. */
const ON: Uint8Array = Uint8Array.of(1, 0, 0, 0)

/** `int` and pointers as they are declared. */
const INT = 'int32_t'
const UINT = 'uint32_t'
const LONG = 'int64_t'
const POINTER = 'void*'

/** Memory outside of JavaScript's. It lives until the process ends or `unmap`. */
export interface Mapping {
  readonly address: number
  readonly bytes: ArrayBuffer
}

/** The system calls. */
export interface Calls {
  ringSetup(entries: number, params: number): number
  ringEnter(ring: number, submit: number, wait: number, flags: number): number
  ringRegister(ring: number, operation: number, argument: number, count: number): number
  /** Makes a counter that can be read when it is not 0. */
  eventCounter(flags: number): number
  socket(family: number, type: number): number
  bind(fd: number, address: Uint8Array): number
  listen(fd: number, backlog: number): number
  /** Takes a connection that waits; one that does not is not waited for on a socket that does not block. */
  accept(fd: number): number
  connect(fd: number, address: Uint8Array): number
  shutdown(fd: number, how: number): number
  close(fd: number): number
  setOption(fd: number, level: number, name: number, value: Uint8Array): number
  /** Whether an option that is on or off is on. */
  isOn(fd: number, level: number, name: number): boolean
  /** How many bytes can be sent before the buffer of a socket is full. */
  sendRoom(fd: number): number
  /** Sets an option that is on or off to on. */
  turnOn(fd: number, level: number, name: number): number
  /** Receives what is there, and does not wait for it. */
  receive(fd: number, into: Uint8Array): number
  /** Reads a part of a file to an address. */
  readFile(fd: number, to: number, size: number, at: number): number
  /** Sends a part of a file, of which not all may be taken. */
  sendFile(to: number, from: number, at: number, size: number): number
  /** Fills `name` with the address of the other side. */
  peerName(fd: number): number
  /** Fills `name` with this side's. */
  socketName(fd: number): number
  /** The address that was asked for last; the next question overwrites it. */
  readonly name: Buffer
  /** Maps a part of a ring's descriptor, or with -1 fresh memory; a number is a negative errno. */
  map(size: number, fd: number, offset: number): Mapping | number
  /** Makes nothing of a mapping: nobody may have a view of it any more. */
  unmap(address: number, size: number): number
  /** Where the bytes of a Buffer lie: they do not move, but must be kept alive. Not for small arrays, which V8 may move. */
  addressOf(bytes: Uint8Array): number
  /** Makes memory visible that another thread of this process has mapped. */
  view(address: number, size: number): ArrayBuffer
}

/** Returns the system calls, or a text that says why there are none. */
export const calls: () => Calls | string = declared(whyNoCalls, make)

/** Says why there are none, as far as it shows before anything is loaded; empty when nothing is against it. */
export function whyNoCalls(): string {
  if (process.platform !== 'linux') return `it is a part of Linux, and this is ${process.platform}`
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `nobody has tried it on ${process.arch}`
  return isInstalled() ? '' : MISSING
}

function make(c: Foreigner, result: (returned: number | bigint) => number): Calls {
  // The C library has no functions for these.
  const syscall = c.func('syscall', LONG, [LONG, LONG, LONG, LONG, LONG, LONG])
  const mmap = c.func('mmap', POINTER, [POINTER, LONG, INT, INT, INT, LONG])
  const munmap = c.func('munmap', INT, [POINTER, LONG])
  const eventfd = c.func('eventfd', INT, [UINT, INT])
  const socket = c.func('socket', INT, [INT, INT, INT])
  const bind = c.func('bind', INT, [INT, POINTER, UINT])
  const listen = c.func('listen', INT, [INT, INT])
  const accept = c.func('accept4', INT, [INT, POINTER, POINTER, INT])
  const connect = c.func('connect', INT, [INT, POINTER, UINT])
  const shutdown = c.func('shutdown', INT, [INT, INT])
  const close = c.func('close', INT, [INT])
  const recv = c.func('recv', LONG, [INT, POINTER, LONG, INT])
  const pread = c.func('pread64', LONG, [INT, LONG, LONG, LONG])
  const sendfile = c.func('sendfile', LONG, [INT, INT, POINTER, LONG])
  const offset = new BigInt64Array(1)
  const offsetBytes = new Uint8Array(offset.buffer)
  return {
    ringSetup: (entries, params) => result(syscall(IO_URING_SETUP, entries, params, 0, 0, 0)),
    ringEnter: (ring, submit, wait, flags) => result(syscall(IO_URING_ENTER, ring, submit, wait, flags, 0)),
    ringRegister: (ring, operation, argument, count) =>
      result(syscall(IO_URING_REGISTER, ring, operation, argument, count, 0)),
    eventCounter: (flags) => result(eventfd(0, flags)),
    socket: (family, type) => result(socket(family, type, 0)),
    bind: (fd, address) => result(bind(fd, address, address.length)),
    listen: (fd, backlog) => result(listen(fd, backlog)),
    accept: (fd) => result(accept(fd, null, null, SOCK_CLOEXEC_NONBLOCK)),
    connect: (fd, address) => result(connect(fd, address, address.length)),
    shutdown: (fd, how) => result(shutdown(fd, how)),
    close: (fd) => result(close(fd)),
    receive: (fd, into) => Number(result(recv(fd, into, into.length, MSG_DONTWAIT))),
    readFile: (fd, to, size, at) => Number(result(pread(fd, to, size, at))),
    sendFile(to, from, at, size) {
      offset[0] = BigInt(at)
      return Number(result(sendfile(to, from, offsetBytes, size)))
    },
    ...makeOptions(c, result),
    ...makeNames(c, result),
    map(size, fd, offset) {
      const address = mmap(
        null,
        size,
        PROT_READ_WRITE,
        fd < 0 ? MAP_PRIVATE_ANONYMOUS : MAP_SHARED_POPULATE,
        fd,
        offset,
      )
      // MAP_FAILED is the last address that there is.
      if (Number(BigInt.asIntN(64, BigInt(address))) === -1) return result(-1)
      return { address: Number(address), bytes: c.view(BigInt(address), size) }
    },
    unmap: (address, size) => result(munmap(BigInt(address), size)),
    addressOf: (bytes) => Number(c.address(bytes)),
    view: (address, size) => c.view(BigInt(address), size),
  }
}

function makeOptions(
  c: Foreigner,
  result: (value: number | bigint) => number,
): Pick<Calls, 'setOption' | 'isOn' | 'turnOn' | 'sendRoom'> {
  const setsockopt = c.func('setsockopt', INT, [INT, INT, INT, POINTER, UINT])
  const getsockopt = c.func('getsockopt', INT, [INT, INT, INT, POINTER, POINTER])
  // Numbers are passed faster than Buffers.
  const memoryOf = c.func('getsockopt', INT, [INT, INT, INT, LONG, LONG])
  const memory = new Uint32Array(new ArrayBuffer(4 * (MEMINFO_WORDS + 1)))
  const memoryAt = Number(c.address(new Uint8Array(memory.buffer)))
  const memorySizeAt = memoryAt + 4 * MEMINFO_WORDS
  const words = new Int32Array(2)
  const value = new Uint8Array(words.buffer, 0, 4)
  const size = new Uint8Array(words.buffer, 4)
  return {
    setOption: (fd, level, name, value) => result(setsockopt(fd, level, name, value, value.length)),
    isOn(fd, level, name) {
      words[0] = 0
      words[1] = value.length
      return getsockopt(fd, level, name, value, size) === 0 && words[0] !== 0
    },
    sendRoom(fd) {
      memory[MEMINFO_WORDS] = 4 * MEMINFO_WORDS
      if (memoryOf(fd, SOL_SOCKET, SO_MEMINFO, memoryAt, memorySizeAt) !== 0) return 0
      return Math.max(0, memory[MEMINFO_SNDBUF]! - memory[MEMINFO_WMEM_QUEUED]!)
    },
    turnOn: (fd, level, name) => result(setsockopt(fd, level, name, ON, ON.length)),
  }
}

/** What is asked for each connection: numbers are passed faster than Buffers. */
function makeNames(
  c: Foreigner,
  result: (value: number | bigint) => number,
): Pick<Calls, 'peerName' | 'socketName' | 'name'> {
  const getpeername = c.func('getpeername', INT, [INT, LONG, LONG])
  const getsockname = c.func('getsockname', INT, [INT, LONG, LONG])
  const name = Buffer.allocUnsafeSlow(NAME_SPACE)
  const size = new Uint32Array(name.buffer, SOCKADDR_SIZE_MAX + 2, 1)
  const at = Number(c.address(name))
  const sizeAt = at + size.byteOffset
  return {
    peerName(fd) {
      size[0] = SOCKADDR_SIZE_MAX
      return result(getpeername(fd, at, sizeAt))
    },
    socketName(fd) {
      size[0] = SOCKADDR_SIZE_MAX
      return result(getsockname(fd, at, sizeAt))
    },
    name,
  }
}

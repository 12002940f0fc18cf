/**
 * The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so the lengths of its codes say everything: codes
 * of one length follow each other in the order of their symbols. Decoding walks an automaton by half bytes (its tables fit
 * into the processor's first cache), encoding adds bits up.
 */

/** Length of each byte's code, then that of the end of text, as digits in base 36. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu'
const END = 256

/** Code and length by symbol. */
const CODES = new Uint32Array(END + 1)
/** Symbols by their codes, with a one before the code that says how long it is. */
const SYMBOLS = new Map<number, number>()
const BITS = Uint8Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36))

/**
 * The automaton: state * 16 + half byte gives the next state, whether a byte is complete (and which), and whether the
 * text may end there.
 */
const STATE_SHIFT = 10
const EMITS = 0x100
const MAY_END = 0x200
const FAILS = 0xffffffff
const STEPS = new Uint32Array(256 * 16)

/** One more than RFC 7541 (5.2) has: as in nginx text that needs no padding may have a byte of it. */
const PADDING_MAX = 8

assignCodes()
buildSteps()

let scratch = Buffer.allocUnsafeSlow(8192)

/** Decodes `buffer[start, end)`; undefined when it is malformed, also by its padding. */
export function huffmanDecode(buffer: Buffer, start: number, end: number): string | undefined {
  const sizeMax = ((end - start) * 8) / 5
  if (sizeMax > scratch.length) scratch = Buffer.allocUnsafeSlow(sizeMax * 2)
  const out = scratch
  let size = 0
  let step = MAY_END
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!
    step = STEPS[((step >>> STATE_SHIFT) << 4) | (byte >> 4)]!
    if (step === FAILS) return undefined
    if ((step & EMITS) !== 0) out[size++] = step
    step = STEPS[((step >>> STATE_SHIFT) << 4) | (byte & 15)]!
    if (step === FAILS) return undefined
    if ((step & EMITS) !== 0) out[size++] = step
  }
  return (step & MAY_END) === 0 ? undefined : out.latin1Slice(0, size)
}

/** How many bytes `text` takes when it is encoded. */
export function huffmanSize(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += BITS[text.charCodeAt(i) & 0xff]!
  return (bits + 7) >> 3
}

/** Encodes `text`; `size` is its `huffmanSize`. */
export function huffmanEncode(text: string, size: number): string {
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(size * 2)
  const out = scratch
  let at = 0
  let pending = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) & 0xff
    let code = CODES[byte]!
    let bits = BITS[byte]!
    // In two parts, so that what is pending fits into 32 bits.
    if (bits > 16) {
      pending = (pending << (bits - 16)) | (code >>> 16)
      count += bits - 16
      for (; count >= 8; count -= 8) out[at++] = pending >>> (count - 8)
      code &= 0xffff
      bits = 16
    }
    pending = (pending << bits) | code
    count += bits
    for (; count >= 8; count -= 8) out[at++] = pending >>> (count - 8)
  }
  // The rest is padded with the beginning of the end of text.
  if (count > 0) out[at++] = (pending << (8 - count)) | (0xff >> count)
  return out.latin1Slice(0, at)
}

function assignCodes(): void {
  let code = 0
  for (let length = 1; length <= 30; length++) {
    code *= 2
    for (let symbol = 0; symbol <= END; symbol++) {
      if (BITS[symbol] !== length) continue
      SYMBOLS.set(2 ** length + code, symbol)
      CODES[symbol] = code++
    }
  }
}

/** One inner node of the code's tree. */
interface Node {
  readonly index: number
  /** All bits so far are ones, and few: padding. */
  readonly padding: boolean
  readonly next: [Node | number, Node | number]
}

function buildSteps(): void {
  const nodes: Node[] = []
  const root = makeNode(nodes, 1, 0)
  for (const node of nodes) {
    for (let half = 0; half < 16; half++) STEPS[(node.index << 4) | half] = stepOf(root, node, half)
  }
}

/** The node whose path is `prefix` without its leading one; `depth` bits deep. */
function makeNode(nodes: Node[], prefix: number, depth: number): Node {
  const bits = prefix - 2 ** depth
  const node: Node = { index: nodes.length, padding: depth <= PADDING_MAX && bits === 2 ** depth - 1, next: [-1, -1] }
  nodes.push(node)
  for (const bit of [0, 1] as const) {
    const path = prefix * 2 + bit
    node.next[bit] = SYMBOLS.get(path) ?? makeNode(nodes, path, depth + 1)
  }
  return node
}

function stepOf(root: Node, from: Node, half: number): number {
  let node = from
  let emitted = -1
  for (let bit = 3; bit >= 0; bit--) {
    const next = node.next[((half >> bit) & 1) as 0 | 1]
    if (next === END) return FAILS
    if (typeof next === 'number') {
      emitted = next
      node = root
    } else node = next
  }
  return ((node.index << STATE_SHIFT) | (node.padding ? MAY_END : 0) | (emitted < 0 ? 0 : EMITS | emitted)) >>> 0
}

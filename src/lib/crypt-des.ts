/**
 * The oldest password hash of crypt(3): 25 rounds of DES over a block of zeros, with the password as key and two
 * characters of salt that swap bits of the expansion. Bits are kept one per array element: slow, but a millisecond does.
 */
import { decode6, encode6 } from './crypt-base64.ts'

const INITIAL = table(`58 50 42 34 26 18 10 2 60 52 44 36 28 20 12 4 62 54 46 38 30 22 14 6 64 56 48 40 32 24 16 8
  57 49 41 33 25 17 9 1 59 51 43 35 27 19 11 3 61 53 45 37 29 21 13 5 63 55 47 39 31 23 15 7`)
const FINAL = table(`40 8 48 16 56 24 64 32 39 7 47 15 55 23 63 31 38 6 46 14 54 22 62 30 37 5 45 13 53 21 61 29
  36 4 44 12 52 20 60 28 35 3 43 11 51 19 59 27 34 2 42 10 50 18 58 26 33 1 41 9 49 17 57 25`)
const EXPANSION = table(`32 1 2 3 4 5 4 5 6 7 8 9 8 9 10 11 12 13 12 13 14 15 16 17 16 17 18 19 20 21 20 21 22 23 24 25
  24 25 26 27 28 29 28 29 30 31 32 1`)
const PERMUTATION = table(`16 7 20 21 29 12 28 17 1 15 23 26 5 18 31 10 2 8 24 14 32 27 3 9 19 13 30 6 22 11 4 25`)
const CHOICE_1 = table(`57 49 41 33 25 17 9 1 58 50 42 34 26 18 10 2 59 51 43 35 27 19 11 3 60 52 44 36
  63 55 47 39 31 23 15 7 62 54 46 38 30 22 14 6 61 53 45 37 29 21 13 5 28 20 12 4`)
const CHOICE_2 = table(`14 17 11 24 1 5 3 28 15 6 21 10 23 19 12 4 26 8 16 7 27 20 13 2
  41 52 31 37 47 55 30 40 51 45 33 48 44 49 39 56 34 53 46 42 50 36 29 32`)
const SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]

/** Each S-box as 64 hexadecimal digits, row after row. */
const BOXES = [
  'e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d',
  'f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9',
  'a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c',
  '7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e',
  '2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453',
  'c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d',
  '4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c',
  'd2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b',
]

/** Hashes a password with the first two characters of `stored`; undefined when they are no salt. */
export function desCrypt(password: Buffer, stored: string): string | undefined {
  const salt = [decode6(stored.slice(0, 1)), decode6(stored.slice(1, 2))]
  if (salt.some((value) => value < 0)) return undefined
  const expansion = salted(salt[0]! | (salt[1]! << 6))
  const keys = schedule(password)
  let block: number[] = new Array<number>(64).fill(0)
  for (let i = 0; i < 25; i++) block = encrypt(block, keys, expansion)
  let text = stored.slice(0, 2)
  // 64 bits and two zeros are eleven characters, the first bit being the highest.
  for (let at = 0; at < 66; at += 6) {
    let value = 0
    for (let i = 0; i < 6; i++) value = (value << 1) | (block[at + i] ?? 0)
    text += encode6(value)
  }
  return text
}

/** The expansion table with the pairs of bits swapped that the salt says. */
function salted(salt: number): readonly number[] {
  const swapped = [...EXPANSION]
  for (let i = 0; i < 12; i++) {
    if (((salt >> i) & 1) === 0) continue
    swapped[i] = EXPANSION[i + 24]!
    swapped[i + 24] = EXPANSION[i]!
  }
  return swapped
}

/** Seven bits of each of the first eight characters are the key. */
function schedule(password: Buffer): number[][] {
  const bits: number[] = []
  for (let i = 0; i < 8; i++)
    for (let bit = 6; bit >= -1; bit--) bits.push(bit < 0 ? 0 : ((password[i] ?? 0) >> bit) & 1)
  let halves = pick(bits, CHOICE_1)
  return SHIFTS.map((shift) => {
    const left = halves.slice(0, 28)
    const right = halves.slice(28)
    halves = [...left.slice(shift), ...left.slice(0, shift), ...right.slice(shift), ...right.slice(0, shift)]
    return pick(halves, CHOICE_2)
  })
}

function encrypt(
  block: readonly number[],
  keys: readonly (readonly number[])[],
  expansion: readonly number[],
): number[] {
  const start = pick(block, INITIAL)
  let left = start.slice(0, 32)
  let right = start.slice(32)
  for (const key of keys) {
    const mixed = feistel(right, key, expansion)
    const next = left.map((bit, i) => bit ^ mixed[i]!)
    left = right
    right = next
  }
  return pick([...right, ...left], FINAL)
}

function feistel(half: readonly number[], key: readonly number[], expansion: readonly number[]): number[] {
  const bits = pick(half, expansion).map((bit, i) => bit ^ key[i]!)
  const out: number[] = []
  for (let box = 0; box < 8; box++) {
    const [a, b, c, d, e, f] = bits.slice(box * 6, box * 6 + 6) as [number, number, number, number, number, number]
    const at = ((a << 1) | f) * 16 + ((b << 3) | (c << 2) | (d << 1) | e)
    const value = Number.parseInt(BOXES[box]![at]!, 16)
    out.push((value >> 3) & 1, (value >> 2) & 1, (value >> 1) & 1, value & 1)
  }
  return pick(out, PERMUTATION)
}

function pick(bits: readonly number[], positions: readonly number[]): number[] {
  return positions.map((position) => bits[position - 1]!)
}

function table(text: string): readonly number[] {
  return text.trim().split(/\s+/).map(Number)
}

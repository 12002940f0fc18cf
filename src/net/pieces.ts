/** Pieces of output: texts, one char a byte, and bytes. */

/** How many bytes they are together. */
export function sizeOf(pieces: readonly (string | Buffer)[]): number {
  let size = 0
  for (let i = 0; i < pieces.length; i++) size += pieces[i]!.length
  return size
}

/** A part of a piece; bytes are not copied. */
export function cut(piece: string | Buffer, from: number, to: number): string | Buffer {
  return typeof piece === 'string' ? piece.slice(from, to) : piece.subarray(from, to)
}

/** What is left of pieces behind so many bytes. */
export function behind(pieces: readonly (string | Buffer)[], bytes: number): (string | Buffer)[] {
  const left: (string | Buffer)[] = []
  for (let i = 0, skip = bytes; i < pieces.length; i++) {
    const piece = pieces[i]!
    if (skip >= piece.length) skip -= piece.length
    else {
      left.push(skip === 0 ? piece : cut(piece, skip, piece.length))
      skip = 0
    }
  }
  return left
}

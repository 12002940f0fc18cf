/** Methods of Node's Buffer that its published types leave out: the direct form of `toString('latin1', ...)`. */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string
    hexSlice(start?: number, end?: number): string
    latin1Write(text: string, offset?: number, length?: number): number
  }
}

export {}

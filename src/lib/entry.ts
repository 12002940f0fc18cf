/** Entries of threads and processes are named by their source; where the program runs compiled, they end in `.js`. */

/** Returns the file to start for the source file `source`. */
export function entryOf(source: URL): URL {
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'))
}

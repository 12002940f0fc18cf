/** The end of a test file. */

/** Disposes of all of these in this order, also when one fails, whose sockets would otherwise hold the process. */
export async function disposeAll(...resources: readonly (AsyncDisposable | Disposable | undefined)[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  for (const resource of resources.toReversed()) stack.use(resource)
}

/** A page to compress, for scenarios and the back end. */

/** Text that compresses about as well as a page does; the same on every run. */
export function page(size: number): string {
  const words = 'viaduct bridge river stone arch road valley carries water over under between light'.split(' ')
  let text = '<!doctype html><title>Page</title>\n'
  for (let seed = 7; text.length < size; ) {
    seed = (seed * 48_271) % 2_147_483_647
    text += `<p class="c${seed % 97}">${words[seed % words.length]} ${words[(seed >> 8) % words.length]} ${seed}</p>\n`
  }
  return text.slice(0, size)
}

/** A static page of 50 KB, compressed for the client. */
import { FILE_CACHE, type Scenario, serverBlock } from '../scenario.ts'

export const gzip: Scenario = {
  name: 'gzip',
  title: 'gzip of a 50 KB page',
  http: serverBlock(
    `root %%DIR%%/html; sendfile on; ${FILE_CACHE} types { text/html html; } gzip on; gzip_comp_level 6; gzip_vary on;`,
  ),
  target: '/page.html',
  headers: ['Accept-Encoding: gzip'],
  files: { 'page.html': page(51_200) },
  expected: 20,
}

/** Text that compresses about as well as a page does; the same on every run. */
function page(size: number): string {
  const words = 'viaduct bridge river stone arch road valley carries water over under between light'.split(' ')
  let text = '<!doctype html><title>Page</title>\n'
  for (let seed = 7; text.length < size; ) {
    seed = (seed * 48_271) % 2_147_483_647
    text += `<p class="c${seed % 97}">${words[seed % words.length]} ${words[(seed >> 8) % words.length]} ${seed}</p>\n`
  }
  return text.slice(0, size)
}

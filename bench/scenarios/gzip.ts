/** A static page of 50 KB, compressed for the client. */
import { page } from '../page.ts'
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

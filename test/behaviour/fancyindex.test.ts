/** fancyindex: order, what is listed, how it is shown, headers and footers. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const FILES = {
  'html/d/b.txt': 'bb',
  'html/d/A.txt': 'aaaa',
  'html/d/c.bin': 'c'.repeat(3000),
  'html/d/.hidden': '',
  'html/d/sub/x': '',
  'html/d/skip.tmp': '',
  'html/d/a & <b>.txt': '',
  'top.html': '<top>',
}

const conf = (location: string): string => `http { server { listen 127.0.0.1:%%PORT_0%%; root html;
  location = /foot.html { internal; return 200 "<foot>"; }
  location /d/ { fancyindex on; fancyindex_ignore "\\.tmp$"; ${location} } } }`

const namesOf = (page: string): string[] => [...page.matchAll(/title="([^"]*)"/g)].map(([, name]) => name!)

async function list(location: string, args = ''): Promise<{ response: Response; page: string }> {
  await using server = await startViaduct(conf(location), {
    files: FILES,
    prepare: (dir) => fs.symlinkSync('b.txt', `${dir}/html/d/link`),
  })
  const response = await fetch(server.url(`/d/${args}`))
  return { response, page: await response.text() }
}

test('folders first, then by name; a page of our own', async () => {
  const { response, page } = await list('')
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.deepEqual(namesOf(page), ['sub', 'A.txt', 'a &amp; &lt;b&gt;.txt', 'b.txt', 'c.bin', 'link'])
  assert.match(
    page,
    /^<!DOCTYPE html>[\s\S]*<title>Index of \/d\/<\/title>[\s\S]*<h1>Index of: \/d\/<\/h1>\n<table id="list">/,
  )
  assert.match(page, /<a href="sub\/" title="sub">sub\/<\/a><\/td><td class="size">-</)
  assert.match(page, /<a href="a%20%26%20%3Cb%3E\.txt" title=/)
  assert.match(page, /<td class="size">3000<\/td><td class="date">\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d</)
  assert.match(page, /<a href="\.\.\/">Parent directory\//)
})

test('the request chooses the order, which links to folders keep', async () => {
  const { page } = await list('', '?C=S&O=D')
  assert.deepEqual(namesOf(page).slice(0, 3), ['sub', 'c.bin', 'A.txt'])
  assert.match(page, /href="sub\/\?C=S&amp;O=D"/)
})

test('what is listed and how', async () => {
  const { page } =
    await list(`fancyindex_default_sort name_desc; fancyindex_case_sensitive off; fancyindex_directories_first off;
    fancyindex_show_dotfiles on; fancyindex_hide_symlinks on; fancyindex_exact_size off; fancyindex_hide_parent_dir on;
    fancyindex_show_path off; fancyindex_name_length 4; fancyindex_time_format "%Y"; fancyindex_css_href /a.css;`)
  const expected = ['sub', 'c.bin', 'b.txt', 'A.txt', 'a &amp; &lt;b&gt;.txt', '.hidden']
  assert.deepEqual(namesOf(page), expected)
  assert.doesNotMatch(page, /<h1>|Parent directory/)
  assert.match(page, /<link rel="stylesheet" href="\/a\.css">/)
  assert.match(page, /title="c\.bin">c\.\.&gt;<\/a><\/td><td class="size">2\.9 KiB<\/td><td class="date">\d{4}</)
})

test('a header from a file and a footer from a subrequest', async () => {
  const { page } = await list('fancyindex_header top.html local; fancyindex_footer /foot.html;')
  assert.match(page, /^<top><h1>Index of: \/d\/<\/h1>\n[\s\S]*<\/table>\n<foot>$/)
})

/** `viaduct dump` and `build`: crossplane's JSON in both directions. What is expected was made by crossplane itself. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Workshop } from './console.ts'

const FOLDER = fileURLToPath(new URL('crossplane', import.meta.url))
const expected = JSON.parse(fs.readFileSync(`${FOLDER}/expected.json`, 'utf8'))

/** A folder with the files. */
function workshop(): Workshop {
  const shop = new Workshop()
  fs.cpSync(FOLDER, shop.dir, { recursive: true })
  return shop
}

test('dump --json is what crossplane says', async () => {
  using shop = workshop()
  const { status, out } = await shop.run(['dump', '--json', '--comments', 'nginx.conf'])
  assert.equal(status, 1)
  assert.deepEqual(JSON.parse(out), expected)
})

test('build is what crossplane builds', async () => {
  using shop = workshop()
  const { status, out } = await shop.run(['build', '--stdout', 'expected.json'])
  assert.equal(status, 0)
  assert.equal(out.replaceAll(`# ${shop.dir}/`, '# '), shop.read('built.txt'))
})

test('what is built reads the same', async () => {
  using shop = new Workshop({
    'nginx.conf': `events {}\nhttp { log_format a '"$host" {' "it's" \\x20; map $host $x { "a b" ''; } }\n`,
  })
  const before = (await shop.run(['dump', '--json', 'nginx.conf'])).out
  const { error } = await shop.run(['build', '-'], before)
  assert.match(error, /these files exist: .*nginx.conf\n {2}hint: -f replaces them/)
  assert.equal((await shop.run(['build', '-f', '-'], before)).status, 0)
  const strip = (text: string): string => text.replaceAll(/"line":\d+/g, '')
  assert.equal(strip((await shop.run(['dump', '--json', 'nginx.conf'])).out), strip(before))
})

test('options', async () => {
  using shop = new Workshop({
    'nginx.conf': 'events {}\nhttp {\n include a.conf;\n}\n',
    'a.conf': 'server {\n # x\n lisen 80;\n}\n',
  })
  const parse = async (...words: string[]): Promise<Record<string, never>> =>
    JSON.parse((await shop.run(['dump', '--json', ...words, 'nginx.conf'])).out)
  assert.deepEqual((await parse('--single-file'))['config'], [
    {
      file: 'nginx.conf',
      status: 'ok',
      errors: [],
      parsed: [
        { directive: 'events', line: 1, args: [], block: [] },
        { directive: 'http', line: 2, args: [], block: [{ directive: 'include', line: 3, args: ['a.conf'] }] },
      ],
    },
  ])
  const lisen = { file: 'a.conf', directive: 'lisen', line: 3, args: ['80'] }
  assert.deepEqual((await parse('--combine', '--ignore', 'events'))['config'], [
    {
      file: 'nginx.conf',
      status: 'ok',
      errors: [],
      parsed: [
        {
          file: 'nginx.conf',
          directive: 'http',
          line: 2,
          args: [],
          block: [{ file: 'a.conf', directive: 'server', line: 1, args: [], block: [lisen] }],
        },
      ],
    },
  ])
  assert.deepEqual((await parse('--strict'))['errors'], [
    { file: 'a.conf', line: 3, error: 'unknown directive "lisen" in a.conf:3' },
  ])
})

test('dump without --json is the text of -T', async () => {
  using shop = new Workshop({ 'nginx.conf': 'events {}\ninclude a.conf;\n', 'a.conf': 'http { }\n' })
  const { status, out } = await shop.run(['dump', 'nginx.conf'])
  assert.equal(status, 0)
  assert.equal(
    out,
    `# configuration file ${shop.dir}/nginx.conf:\nevents {}\ninclude a.conf;\n\n# configuration file ${shop.dir}/a.conf:\nhttp { }\n\n`,
  )
})

test('what is no such JSON is refused', async () => {
  using shop = new Workshop()
  assert.match((await shop.run(['build', '-'], '{')).error, /- is not JSON/)
  assert.match((await shop.run(['build', '-'], '{"config":[{"file":1}]}')).error, /not crossplane's JSON\n {2}hint:/)
})

/**
 * The questions that people ask most about nginx, each as a configuration and a request: `explain` says the cause in its
 * first three lines. `questions/NAME.conf` begins with the question, the words of the tool and what has to be said;
 * `NAME.txt` is the whole answer (`UPDATE_GOLDEN=1` writes it anew).
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Workshop } from './console.ts'

const FOLDER = path.join(import.meta.dirname, 'questions')
/** Lines of the answer that people read before they look for a detail. */
const READ_FIRST = 3

for (const file of fs.readdirSync(FOLDER).filter((name) => name.endsWith('.conf'))) {
  const source = fs.readFileSync(path.join(FOLDER, file), 'utf8')
  const [, title = '', words = '', cause = ''] = /^# (.*)\n# explain (.*)\n# cause: (.*)\n/.exec(source) ?? []
  test(`${file.slice(0, -'.conf'.length)}: ${title}`, async () => {
    using shop = new Workshop()
    for (const [, name] of source.matchAll(/^# file (.*)$/gm)) shop.write(name!, 'content\n')
    if (source.includes('cert.pem')) makeCertificate(shop.dir)
    // What is made up for a test is of whoever runs it; workers are somebody else.
    fs.chmodSync(shop.dir, 0o755)
    shop.write('nginx.conf', source.replaceAll('%%DIR%%', shop.dir))
    const { out, error } = await shop.run(['explain', '-c', 'nginx.conf', ...split(words)])
    const said = settled(out, shop.dir)
    const first = said.split('\n').slice(0, READ_FIRST).join('\n')
    assert.ok(first.includes(cause), `${error}\n${said}`)
    const golden = path.join(FOLDER, file.replace(/\.conf$/, '.txt'))
    if (process.env['UPDATE_GOLDEN'] === '1') fs.writeFileSync(golden, said)
    assert.equal(said, fs.readFileSync(golden, 'utf8'))
  })
}

/** Words as a shell has them; `%%N%%` is a word of N letters. */
function split(text: string): string[] {
  const words = [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  return words.map((word) => word.replace(/%%(\d+)%%/, (_, count: string) => 'x'.repeat(Number(count))))
}

/** The answer without what differs from run to run. */
function settled(text: string, dir: string): string {
  return text
    .replaceAll(dir, '%%DIR%%')
    .replace(/^( +Date: ).*$/gm, '$1now')
    .replace(/^( +Server: viaduct\/).*$/gm, '$1version')
    .replace(/(Last-Modified: |ETag: ).*$/gm, '$1...')
    .replace(/\[\d\d\/\w{3}\/\d{4}:[^\]]*\]/g, '[now]')
    .replace(/x{100,}/g, 'xxx')
    .replace(/ {2,}(?=%%DIR%%|nginx\.conf:)/g, '  ')
}

function makeCertificate(dir: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${dir}/key.pem`]
  const names = ['-subj', '/CN=example.com', '-addext', 'subjectAltName=DNS:example.com']
  execFileSync('openssl', ['req', '-x509', ...key, '-out', `${dir}/cert.pem`, '-days', '30', ...names], {
    stdio: 'ignore',
  })
}

/** `npm start`: the example starts beside a taken port, its page works in a browser, and Ctrl-C ends all of it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { freePorts } from '../harness/ports.ts'
import { startBrowser } from './browser.ts'

const START = fileURLToPath(new URL('../../examples/full-stack/start.ts', import.meta.url))

test('npm start', async () => {
  const [taken] = await freePorts(1)
  const squatter = net.createServer().listen(taken, '127.0.0.1')
  await once(squatter, 'listening')
  const env = { ...process.env, PORT: `${taken}` }
  const example = spawn(process.execPath, [START], { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  let output = ''
  example.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  try {
    while (!output.includes('Ctrl-C')) await once(example.stdout, 'data')
    const [, url] = /visit (http:\S+)/.exec(output.split('\n')[0]!)!
    assert.notEqual(new URL(url!).port, `${taken}`)
    await visit(url!)
  } finally {
    // As a terminal does: to all processes at once.
    process.kill(-example.pid!, 'SIGINT')
    squatter.close()
  }
  const [code] = await once(example, 'exit')
  assert.equal(code, 0)
  const [, folder] = /logs +(\S+)\/access\.log/.exec(output)!
  assert.equal(fs.existsSync(folder!), false)
})

async function visit(url: string): Promise<void> {
  const browser = await startBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(url)
    for (const light of ['api', 'events', 'socket']) await page.locator(`#light-${light}.on`).waitFor()
    await page.locator('#latency', { hasText: 'ms' }).waitFor()
    await addNote(page)
    await page.goto(`${url}chat`)
    await page.fill('#chat-form input', 'anybody here?')
    await page.click('#chat-form button')
    await page.locator('#chat li', { hasText: 'anybody here?' }).waitFor()
    await page.goto(`${url}request`)
    await page.locator('#request', { hasText: '"x-forwarded-for": "127.0.0.1"' }).waitFor()
  } finally {
    await browser.close()
  }
}

async function addNote(page: Page): Promise<void> {
  await page.click('nav a[href="/notes"]')
  await page.fill('#note-form input', 'written by a test')
  await page.click('#note-form button')
  await page.locator('#notes li', { hasText: 'written by a test' }).waitFor()
}
